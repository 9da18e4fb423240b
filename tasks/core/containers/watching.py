"""Watch what runs in a container, from its start to its end.

On this machine by the kernel's own record; on another one through a helper container, or, where
the image has nothing to make one of, by what the engine's ``top`` tells.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.containers import helping, processes
from tasks.core.containers.processes import Process, Sample
from tasks.core.waiting import Pace

if TYPE_CHECKING:
    from docker.models.containers import Container

    from tasks.core.containers.sandbox import Run

PROC = Path("/proc")
PACE_SECONDS = 0.03
TOP_PACE_SECONDS = 0.5
#: Ports are looked at less often: for each look the kernel goes through the sockets of the whole
#: machine, which costs 4 ms of a processor, twice.
PORTS_PACE_SECONDS = 0.25
#: How long a process of the machine may take to be moved into a container, once it was seen.
_SETTLED_SECONDS = 1.0
#: How long one may be a runtime's own, shortly before it becomes the image's program: some ms, but
#: seconds on a busy machine.
_BECOMING_SECONDS = 10.0
#: Different processes that are remembered; what starts more is known well enough by then.
_REMEMBERED = 5_000


class Watch:
    """What was seen so far; a thread adds to it."""

    def __init__(self, samples: Iterator[Sample], slowness: int = 1) -> None:
        self._samples = samples
        self._patience = _BECOMING_SECONDS * slowness
        self._changed = threading.Condition()
        self._latest: Sample | None = None
        self._count = 0
        self._ended = False
        self._seen: dict[Process, None] = {}
        self._ports: set[int] | None = None
        self._becoming: dict[int, float] = {}

    @property
    def seen(self) -> tuple[Process, ...]:
        """Every process that there was, as often as it changed, but for the runtime's own."""
        with self._changed:
            return tuple(self._seen)

    @property
    def ports(self) -> frozenset[int] | None:
        """The TCP ports that ever listened; None where they cannot be seen."""
        with self._changed:
            return None if self._ports is None else frozenset(self._ports)

    def fresh(self, seconds: float = 5.0) -> tuple[Process, ...]:
        """The processes by a look that began after this call; () when nobody can look any more."""
        with self._changed:
            wanted = self._count + 2  # the next one may have begun already
            self._changed.wait_for(lambda: self._count >= wanted or self._ended, seconds)
            latest = self._latest
            if self._count < wanted or latest is None:
                return ()
            return tuple(one for one in latest.processes if not one.runtimes_own)

    def follow(self) -> None:
        """Take looks until the end."""
        try:
            for sample in self._samples:
                self._note(sample)
                if self._ended:
                    return
        finally:
            self.end()

    def end(self) -> None:
        """Look no more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _note(self, sample: Sample) -> None:
        now = time.monotonic()
        with self._changed:
            self._latest = sample
            self._count += 1
            young = [one.pid for one in sample.processes if one.runtimes_own]
            self._becoming = {pid: self._becoming.get(pid, now) for pid in young}
            for one in sample.processes:
                own = now - self._becoming.get(one.pid, now - self._patience) < self._patience
                if not own and len(self._seen) < _REMEMBERED:
                    self._seen[one] = None
            if sample.ports is not None:
                self._ports = {*(self._ports or ()), *sample.ports}
            self._changed.notify_all()


@contextmanager
def watch(
    run: Run,
    container: Container,
    engine_host: str,
    image: str,
    platform: str | None = None,
    slowness: int = 1,
) -> Iterator[Watch]:
    """Watch a started container; ``image`` and ``platform`` are what it was made of."""
    container.reload()
    pid = int(container.attrs["State"]["Pid"])
    with ExitStack() as stack:
        if engine_host.startswith("unix://") and _is_here(str(container.id), pid):
            samples = from_proc(str(container.id), pid)
        else:
            helped = helping.start(stack, run, container, image, platform) if pid else None
            samples = itertools.chain(helped or (), from_top(container))
        current = Watch(samples, slowness)
        with ThreadPoolExecutor(1) as pool:
            followed = pool.submit(current.follow)
            try:
                yield current
            finally:
                current.end()
        followed.result()


def from_proc(container_id: str, main: int, proc: Path = PROC) -> Iterator[Sample]:
    """What the kernel of this machine records, look after look.

    A process is the container's by its control group, so that what was started in it later counts;
    and only once it is inside its PID namespace, which a runtime's helpers outside are not.
    """
    others: dict[int, float] = {}
    ports = Pace(PORTS_PACE_SECONDS)
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        inside = processes.depth((proc / str(main) / "status").read_text(errors="replace"))
        while True:
            now = time.monotonic()
            with os.scandir(proc) as entries:
                pids = {int(entry.name) for entry in entries if entry.name.isdigit()}
            others = {pid: since for pid, since in others.items() if pid in pids}
            mine = []
            for pid in sorted(pids):
                if now - others.get(pid, now) > _SETTLED_SECONDS:
                    continue
                folder = f"{proc}/{pid}"
                if _belongs(folder, container_id):
                    mine.append(folder)
                else:
                    others.setdefault(pid, now)
            yield _sample(mine, inside, ports)
            time.sleep(PACE_SECONDS)


def from_top(container: Container) -> Iterator[Sample]:
    """What the engine's ``top`` reads from the same record on its machine: the uids alone."""
    from docker.errors import APIError

    while True:
        try:
            top = container.top(ps_args="-eo pid,ruid,euid,suid,fuid,comm")
        except APIError as error:
            if error.status_code in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
                return  # it has ended
            raise
        rows = [dict(zip(top["Titles"], row, strict=True)) for row in top["Processes"] or ()]
        yield Sample(tuple(processes.of_top(row) for row in rows), None)
        time.sleep(TOP_PACE_SECONDS)


def _is_here(container_id: str, pid: int) -> bool:
    """Whether the process ``pid`` of the engine's machine is one of this machine's.

    It is not with Docker Desktop, whose engine runs in a machine of its own.
    """
    return pid > 0 and _belongs(f"{PROC}/{pid}", container_id)


def _belongs(folder: str, container_id: str) -> bool:
    return container_id in _text(f"{folder}/cgroup")


def _sample(folders: list[str], inside: int, ports: Pace) -> Sample:
    found, listening = [], None
    for folder in folders:
        status = _text(f"{folder}/status")
        if processes.depth(status) < inside:
            continue
        argv = processes.command_line(_text(f"{folder}/cmdline").encode())
        one = processes.parse(status, _text(f"{folder}/uid_map"), argv)
        if one:
            found.append(one)
            if listening is None and not (one.zombie or one.runtimes_own) and ports.due():
                tables = (_text(f"{folder}/net/tcp"), _text(f"{folder}/net/tcp6"))
                listening = processes.listening(*tables)
    return Sample(tuple(found), listening)


def _text(path: str) -> str:
    """A file of /proc; "" when its process has ended, or is hidden from this user.

    Hundreds of them are read a second: without a Path and a buffer that takes half of the time.
    """
    try:
        with FileIO(path) as file:
            return file.readall().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
