"""Background programs: started with a record of who they are, ended only when it still is them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.provision import home as homes

PROC = Path("/proc")
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Identity:
    """A process, told apart from a later one with the same id: start in clock ticks, boot id."""

    pid: int
    started: int
    boot: str


@dataclass(frozen=True)
class Daemon:
    """A program to run in the background: where its record lies and where it writes its log."""

    name: str
    argv: tuple[str, ...]
    record: Path
    log: Path


def running(record: Path) -> int | None:
    """The process id of the daemon that ``record`` tells of; None when it is gone."""
    known = _read(record)
    if known is None or identity(known.pid) != known:
        return None
    return known.pid


def start(
    daemon: Daemon,
    ready: Callable[[], bool],
    *,
    env: Mapping[str, str],
    seconds: float,
) -> None:
    """Start ``daemon`` and wait until it is ``ready``.

    Raises OutOfReach with the log's last error when it ends, or takes longer than ``seconds``;
    nothing is left running then, nor after an interruption.
    """
    with homes.usable(daemon.log):
        if daemon.log.exists():
            daemon.log.replace(daemon.log.with_suffix(".previous.log"))
    pid = _spawn_and_record(daemon, env)
    try:
        _wait(daemon, pid, ready, seconds)
    except BaseException:
        stop(daemon.record, seconds=10)
        raise


def stop(record: Path, *, seconds: float) -> bool:
    """End the daemon of ``record``, forcibly after ``seconds``. True when it was running."""
    pid = running(record)
    if pid is not None:
        _end(record, pid, seconds)
    record.unlink(missing_ok=True)
    return pid is not None


def identity(pid: int) -> Identity | None:
    """Who runs under ``pid`` now; None for nobody, or a process that only waits to be reaped.

    A process whose first thread has ended counts until its other threads have: they hold its files.
    """
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        threads = len(list((PROC / str(pid) / "task").iterdir()))
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, started = fields[0], int(fields[19])
    return None if state in "ZX" and threads <= 1 else Identity(pid, started, boot)


def last_error(log: Path) -> str:
    """The line of a log that says best why its program ended."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    except OSError:
        return "it wrote no log"
    said = [line for line in lines if line]
    telling = [
        line for line in said if any(w in line.lower() for w in ("failed", "fatal", "error"))
    ]
    return (telling or said or ["it said nothing"])[-1]


def _spawn_and_record(daemon: Daemon, env: Mapping[str, str]) -> int:
    """An interruption between the two would leave a process that nobody knows: hold it back."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        pid = process.spawn(daemon.argv, log=daemon.log, env=env)
        known = identity(pid)
        if known is not None:
            homes.write(daemon.record, json.dumps(vars(known)) + "\n")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return pid


def _wait(daemon: Daemon, pid: int, ready: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if running(daemon.record) != pid:
            raise OutOfReach(_failure(daemon, "did not start"))
        if time.monotonic() > deadline:
            raise OutOfReach(_failure(daemon, f"was not ready within {seconds:g} s"))
        time.sleep(POLL_SECONDS)


def _failure(daemon: Daemon, what: str) -> str:
    return f"{daemon.name} {what}: {last_error(daemon.log)} (log: {daemon.log})"


def _end(record: Path, pid: int, seconds: float) -> None:
    for signal_number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        deadline = time.monotonic() + patience
        while running(record) == pid:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        else:
            break
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _read(record: Path) -> Identity | None:
    try:
        known = json.loads(record.read_text())
        return Identity(int(known["pid"]), int(known["started"]), str(known["boot"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def others(name: str, known: Sequence[Path]) -> tuple[int, ...]:
    """Processes called ``name`` on this machine that none of the ``known`` records tells of."""
    ours = {running(record) for record in known}
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdecimal() or int(entry.name) in ours:
            continue
        with contextlib.suppress(OSError):
            if (entry / "comm").read_text().strip() == name:
                found.append(int(entry.name))
    return tuple(sorted(found))


def command_lines() -> Iterator[str]:
    """The command line of every process on this machine."""
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                yield (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
