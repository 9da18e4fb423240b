"""Look into an image in a process of its own.

Reading layers keeps a processor busy: in a thread it would hold up the other targets, and the
clock of what is measured on running containers.
"""

from __future__ import annotations

import datetime
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tasks.core import contents, contentstore, daemon, errors, imagefiles
from tasks.core.command import translated
from tasks.core.contents import Contents
from tasks.core.endpoint import Engine
from tasks.core.entries import Inspector
from tasks.core.errors import Interrupted, OutOfReach, SlipwayError
from tasks.core.policy import Policy
from tasks.core.proofs import budget, filesystem, platforms, secrets, supply_chain, users
from tasks.core.proofs.supply_chain import Expected
from tasks.core.secretscan import SecretInspector
from tasks.core.verdicts import Verdict

SLICE_SECONDS = 0.2
#: How long a process may take to notice SIGTERM: while it starts, it may still be deaf to it.
END_SECONDS = 2
INSPECTORS: Mapping[str, Sequence[Inspector]] = {
    "platforms": platforms.INSPECTORS,
    "filesystem": filesystem.INSPECTORS,
    "identity": users.INSPECTORS,
    "supply-chain": supply_chain.INSPECTORS,
}


@dataclass(frozen=True)
class Job:
    """What to look into, and what is asked of it: an image of ``engine``, or an ``archive``.

    ``promised`` are the platforms it has to hold, () for those that it lists; ``secrets`` the
    values that must not be in it, by a name that may be shown; ``bases`` what it is built on.
    """

    target: str
    reference: str
    engine: Engine | None
    archive: Path | None
    policy: Policy
    families: tuple[str, ...]
    promised: tuple[str, ...] = ()
    expected: Expected = field(default_factory=Expected)
    bases: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Held:
    """One platform that an image holds, and its config."""

    platform: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Looked:
    """What was found: the platforms that are there, and the verdicts on what is in them."""

    held: tuple[Held, ...]
    verdicts: tuple[Verdict, ...]


def look(job: Job) -> Looked:
    """Read the image once and prove what can be proven without starting it."""
    secret = SecretInspector(job.secrets)
    wanted = [each for family in job.families for each in INSPECTORS.get(family, ())]
    once = {type(each): each for each in wanted}
    inspectors = [*once.values(), *([secret] if "secrets" in job.families else [])]
    held = _read(job, inspectors)
    return Looked(
        tuple(Held(each.platform, _config(each)) for each in held),
        tuple(_proven(job, held, secret)),
    )


def _read(job: Job, inspectors: Sequence[Inspector]) -> tuple[Contents, ...]:
    """Every byte of the image: from the engine's own blobs, if we may, which spares the export."""
    if job.archive is not None:
        return contents.read(imagefiles.open_archive(job.archive), job.target, inspectors)
    assert job.engine is not None  # noqa: S101 - a job without an archive has an engine
    with closing(daemon.connect(job.engine)) as client:
        descriptor = (daemon.inspected(client, job.reference) or {}).get("Descriptor")
        store = contentstore.find(client, job.engine.host)
        if store is not None and descriptor:
            found = contents.read_stored(store, descriptor, job.target, inspectors)
            if found is not None:
                return found
        return contents.read(client.api.get_image(job.reference), job.target, inspectors)


def _proven(job: Job, held: Sequence[Contents], secret: SecretInspector) -> Iterator[Verdict]:
    today = datetime.datetime.now(datetime.UTC).date()
    if "platforms" in job.families:
        here = [each.platform for each in held]
        listed = [name for name in held[0].listed if name in here] or here
        yield from platforms.prove(job.target, held, job.promised or tuple(listed))
    for each in held:
        if "identity" in job.families:
            yield from users.prove(job.target, each)
        if "filesystem" in job.families:
            yield from filesystem.prove(job.target, each, job.policy)
        if "secrets" in job.families:
            yield from secrets.prove(job.target, each, secret, job.secrets)
        if "supply-chain" in job.families:
            known = supply_chain.prove(job.target, each, job.policy, job.expected, today, job.bases)
            yield from known
        if "budget" in job.families:
            yield from budget.prove(job.target, each, job.policy)


def _config(held: Contents) -> Mapping[str, Any]:
    section = held.config.get("config")
    return section if isinstance(section, Mapping) else {}


class Crew:
    """The processes of one run; none is left when it ends."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._lock = threading.Lock()
        self._ended = False
        self._processes: list[BaseProcess] = []

    def start(self, job: Job) -> Work:
        """Begin to look; ask for the result when it is needed."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs,), daemon=True)
        with self._lock:
            if self._ended:
                raise Interrupted("interrupted")
            _start(process)
            self._processes.append(process)
        theirs.close()
        with suppress(BrokenPipeError):  # it has ended already: `Work.result` says how
            # Not as an argument: those of a process that is spawned lie in a file for a moment.
            ours.send(job)
        return Work(job.target, ours, process)

    def end(self) -> None:
        """End what still runs."""
        with self._lock:
            self._ended = True
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(END_SECONDS)
            process.kill()
            process.join()


@dataclass(frozen=True)
class Work:
    """One process at work."""

    target: str
    connection: Connection
    process: BaseProcess

    def result(self) -> Looked:
        """Wait for the end. Raises what the process raised."""
        try:
            while not self.connection.poll(SLICE_SECONDS):
                pass
            answer: Looked | tuple[str, str] = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            if code is not None and code < 0 and -code == signal.SIGTERM:
                raise Interrupted("interrupted") from None
            raise OutOfReach(
                f"{self.target}: reading the image ended early ({_ending(code)}); is there enough "
                "memory?"
            ) from None
        finally:
            self.connection.close()
        if isinstance(answer, Looked):
            return answer
        kind, message = answer
        raise _error(kind, message)


@contextmanager
def crew() -> Iterator[Crew]:
    """A crew; whatever happens inside, none of its processes is left."""
    current = Crew()
    try:
        yield current
    finally:
        current.end()


def _start(process: BaseProcess) -> None:
    """Start it deaf to Ctrl-C, which a terminal sends to all: it would print a traceback."""
    resource_tracker.ensure_running()  # when it is started, it lifts what is blocked
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection) -> None:
    """What the process does. Ctrl-C is its parent's business, who then ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(BrokenPipeError, EOFError):  # nobody waits for it any more
        job: Job = connection.recv()
        connection.send(_answer(job))


def _answer(job: Job) -> Looked | tuple[str, str]:
    """What was found, or the kind and the text of the error."""
    try:
        with translated():
            return look(job)
    except SlipwayError as error:
        return type(error).__name__, str(error)


def _end_with_parent() -> None:
    """A parent that was killed ends nobody: its children would read on to the end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _error(kind: str, message: str) -> SlipwayError:
    known: Iterable[type[SlipwayError]] = SlipwayError.__subclasses__()
    made = next((each for each in known if each.__name__ == kind), errors.SlipwayError)
    return made(message)


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit {code}"
