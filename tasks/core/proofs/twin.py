"""Proofs on what a container writes, by a twin whose root file system is not read-only.

A server on a read-only root may live with a write that fails, and nothing shows it. The twin lets
it write: afterwards the engine tells what changed. The folders of the policy are volumes in memory
there, not mounts, because the engine can read those while it runs.
"""

from __future__ import annotations

import io
import itertools
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tasks.core import untrusted
from tasks.core.containers import sandbox
from tasks.core.containers.sandbox import Run
from tasks.core.containers.turns import Turn
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.readiness import PACE_SECONDS, STATE_PACE_SECONDS, Readiness
from tasks.core.proofs.subject import Subject, fetch, published, runs
from tasks.core.proofs.verdicts import Severity, Verdict
from tasks.core.waiting import Pace

if TYPE_CHECKING:
    from docker.models.containers import Container

#: How often the twin is asked for each path, and how long it may write what it keeps for later.
REQUESTS = 3
LATER_SECONDS = 0.2
#: What the engine itself makes in every container.
_ENGINES_FOLDERS = ("/dev", "/proc", "/sys")
_ENGINES = (
    *("/.dockerenv", "/run/.containerenv", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"),
    "/etc/mtab",
)
_CHANGES = {0: "is changed", 1: "is added", 2: "is removed"}

WRITES = Proof(
    "runtime.writes",
    "Writes only where it is meant to",
    Severity.HIGH,
    "Other writes fail on a read-only root file system, or grow the container until the disk is "
    "full, and are lost with it.",
    "A twin with a writable root file system is started and asked the same; the engine's diff of "
    "it holds nothing outside the policy's `writable` and the image's volumes.",
)
LOGS = Proof(
    "runtime.logs",
    "Logs to its output, not to files",
    Severity.MEDIUM,
    "Nobody reads a log inside a container, and it is gone when the container is.",
    "The engine's log of it after it answered; and no file *.log, nor any below /var/log, was "
    "written by the twin. Silence is no failure.",
)
PROOFS = (WRITES, LOGS)


@dataclass(frozen=True)
class Traces:
    """What the twin left: ``changed`` the engine's diff (path, kind), ``written`` files in memory.

    ``reason`` says why there is nothing to go by, "" otherwise.
    """

    changed: tuple[tuple[str, int], ...] = ()
    written: tuple[str, ...] = ()
    reason: str = ""


def observe(run: Run, subject: Subject, askable: bool, ready: Readiness, turn: Turn) -> Traces:
    """Start the twin, ask it what its sibling was asked, and see what it wrote; it is gone then.

    ``ready`` is how long the sibling took; it is asked only if ``askable``. The ``turn`` ends when
    it has answered.
    """
    from docker.errors import APIError

    with run.container(subject.target, subject.image, _options(subject)) as twin:
        try:
            twin.start()
        except APIError as error:
            if error.status_code == HTTPStatus.NOT_FOUND:
                raise
            return Traces(reason=f"the twin does not start: {_line(error.explanation)}")
        port = published(twin, subject.port) if askable else None
        if not _asked(subject, twin, port, ready):
            return Traces(reason="the twin did not get ready")
        turn.end()
        time.sleep(LATER_SECONDS)
        written = [path for folder in subject.policy.writable for path in _files(twin, folder)]
        changed = [(str(each["Path"]), int(each["Kind"])) for each in twin.diff() or ()]
        return Traces(tuple(changed), tuple(written))


def _options(subject: Subject) -> dict[str, Any]:
    from docker.types import DriverConfig, Mount

    options = sandbox.restricted(subject.policy, subject.port)
    if subject.one_of_many:
        options["platform"] = subject.platform
    memory = {"type": "tmpfs", "device": "tmpfs", "o": sandbox.MEMORY_OPTIONS}
    kept = [
        Mount(path, None, no_copy=True, driver_config=DriverConfig("local", memory))
        for path in options.pop("tmpfs")
    ]
    return options | {"read_only": False, "mounts": kept, "healthcheck": {"test": ["NONE"]}}


def _asked(subject: Subject, twin: Container, port: int | None, ready: Readiness) -> bool:
    """Whether it answered, or, where it cannot be asked, had the time that its sibling took."""
    path = subject.asked
    if port is None or path is None or ready.answered is None:
        time.sleep((ready.seconds or 0.0) + LATER_SECONDS)
        return runs(twin)
    until = time.monotonic() + subject.policy.healthy_seconds
    pace = Pace(STATE_PACE_SECONDS)
    while not fetch(port, path, subject.answer_seconds).status:
        if time.monotonic() > until or (pace.due() and not runs(twin)):
            return False
        time.sleep(PACE_SECONDS)
    for each in dict.fromkeys(filter(None, (subject.policy.health, subject.policy.page))):
        for _ in range(REQUESTS):
            fetch(port, each, subject.answer_seconds)
    return runs(twin)


def _files(twin: Container, folder: str) -> Iterator[str]:
    """The files in one of its folders in memory."""
    chunks, _ = twin.get_archive(folder)
    parent = folder.rstrip("/").rpartition("/")[0]
    content = io.BytesIO(b"".join(chunks))  # bounded by the folder's size in MEMORY_OPTIONS
    with tarfile.open(fileobj=content) as archive:
        yield from (f"{parent}/{member.name}" for member in archive if member.isfile())


def stray(subject: Subject, changed: Iterable[tuple[str, int]]) -> list[str]:
    """What was written where it should not be, of the engine's diff."""
    volumes = subject.config.get("Volumes") or {}
    folders = (*subject.policy.writable, *volumes, *_ENGINES_FOLDERS)
    own = (*_ENGINES, str(subject.config.get("WorkingDir") or "/"))
    return [
        f"{untrusted.shown(path, 120)} {_CHANGES.get(kind, 'is written')}"
        for path, kind in leaves(changed)
        if path not in own and not below(path, folders)
    ]


def leaves(changed: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """The entries below which nothing else changed: folders above count as changed, too."""
    ordered = sorted(changed, key=lambda each: each[0].split("/"))
    for (path, kind), (after, _) in itertools.pairwise([*ordered, ("", 0)]):
        if not after.startswith(f"{path}/"):
            yield path, kind


def log_files(traces: Traces) -> list[str]:
    """The log files among what was written."""
    paths = [*traces.written, *(path for path, kind in leaves(traces.changed) if kind != 2)]
    return sorted(
        f"{untrusted.shown(path, 120)} is a log file"
        for path in dict.fromkeys(paths)
        if path.endswith(".log") or below(path, ("/var/log",))
    )


def below(path: str, folders: Sequence[str]) -> bool:
    """Whether ``path`` is one of the folders, or in one."""
    return any(path == each or path.startswith(f"{each.rstrip('/')}/") for each in folders)


def prove(subject: Subject, traces: Traces, logged: bool) -> Iterator[Verdict]:
    """The verdicts; ``logged`` tells whether the engine's log of its sibling has anything."""
    if traces.reason:
        yield subject.skip(WRITES, traces.reason)
    else:
        allowed = ", ".join((*subject.policy.writable, *(subject.config.get("Volumes") or ())))
        written = stray(subject, traces.changed)
        yield subject.judge(WRITES, written, "nothing else is written", allowed or "nothing")
    files = log_files(traces)
    if not files and not logged:
        yield subject.skip(LOGS, "it logged nothing")
    else:
        yield subject.judge(LOGS, files, "logs to its output", "no log file")


def logged(container: Container) -> bool:
    """Whether the engine's log of a container has anything."""
    return bool(container.logs(tail=1))


def _line(explanation: Mapping[str, Any] | str | None) -> str:
    return untrusted.shown(str(explanation).splitlines()[0], 200)
