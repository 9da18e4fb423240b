"""The only door to subprocesses: argv in, text out, one error that shows what was run.

No shell is involved anywhere, so nothing needs quoting. Secrets never travel in argv: they go
through the environment or a file, which is why an argv can be shown in errors and in ``--dry``.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tasks.core.errors import OutOfReach, SlipwayError

LAST_LINES = 3
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Completed:
    """A finished program: what was run, its exit code, its whole output and how long it took."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    def reason(self) -> str:
        """The last non-empty lines of what the program said, joined to one line."""
        said = self.stderr.strip() or self.stdout.strip()
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return " / ".join(lines[-LAST_LINES:]) or "it said nothing"


def read(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    check: bool = True,
    error: type[SlipwayError] = OutOfReach,
    stdin: str | None = None,
) -> Completed:
    """Run a program to its end and return everything it printed.

    ``env`` is added to this process's environment. ``timeout`` is in seconds. With ``check`` a
    non-zero exit raises ``error``; a program that is missing or runs out of time always does.
    """
    command = tuple(str(word) for word in argv)
    started = time.monotonic()
    try:
        done = subprocess.run(
            command,
            env=merged(env),
            cwd=cwd,
            timeout=timeout,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise OutOfReach(f"{command[0]} is not installed or not on PATH") from None
    except PermissionError:
        raise OutOfReach(f"{command[0]} may not be executed by this user") from None
    except subprocess.TimeoutExpired:
        raise error(f"{shown(command)}: no answer within {timeout:g} s") from None
    completed = Completed(
        command, done.returncode, done.stdout, done.stderr, time.monotonic() - started
    )
    if check and completed.returncode != 0:
        raise error(f"{shown(command)}: exit {completed.returncode}: {completed.reason()}")
    return completed


def stream(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
) -> int:
    """Run a program whose progress belongs to the person watching, and return its exit code.

    Everything it prints goes to our stderr: stdout is kept for results. ``stdin`` is a short text.
    """
    command = tuple(str(word) for word in argv)
    try:
        with subprocess.Popen(
            command,
            env=merged(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=sys.stderr.fileno(),
        ) as child:
            if child.stdin is not None:
                _feed(child.stdin, stdin or "")
            return _wait(child)
    except FileNotFoundError:
        raise OutOfReach(f"{command[0]} is not installed or not on PATH") from None


def together(
    commands: Sequence[Sequence[str]],
    *,
    at_once: int,
    env: Mapping[str, str] | None = None,
) -> tuple[Completed, ...]:
    """Run several programs, ``at_once`` of them side by side; the results in the given order.

    A non-zero exit is for the caller to judge. Whatever interrupts the waiting ends every one of
    them, and waits until they have cleaned up behind themselves.
    """
    children: list[subprocess.Popen[str]] = []
    stopping = threading.Event()

    def run(command: Sequence[str]) -> Completed:
        started = time.monotonic()
        with _captured(command, env) as child:
            children.append(child)
            if stopping.is_set():
                child.terminate()
            stdout, stderr = child.communicate()
        seconds = time.monotonic() - started
        return Completed(tuple(command), child.returncode, stdout, stderr, seconds)

    with ThreadPoolExecutor(at_once) as pool:
        waiting = [pool.submit(run, command) for command in commands]
        try:
            return tuple(future.result() for future in waiting)
        except BaseException:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for child in children:
                child.terminate()
            raise


def spawn(argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> int:
    """Start a program that outlives this one and return its process id.

    It gets a session of its own, so that Ctrl-C here does not reach it, nothing to read, and
    ``log`` for everything it prints.
    """
    environment = merged(env)
    program = shutil.which(argv[0], path=environment.get("PATH"))
    if program is None:
        raise OutOfReach(f"{argv[0]} is not installed or not on PATH")
    to_log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        program,
        list(argv),
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), to_log, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
    )


def merged(extra: Mapping[str, str] | None) -> dict[str, str]:
    """This process's environment with ``extra`` laid over it."""
    return {**os.environ, **(extra or {})}


def shown(argv: Sequence[str]) -> str:
    """A command as a person would type it."""
    return shlex.join(argv)


def plain(text: str) -> str:
    """What a program said, without what could colour or steer the terminal it is shown on."""
    return _CONTROL.sub("", text)


def would_run(argv: Sequence[str]) -> None:
    """Show a command that ``--dry`` keeps from being run."""
    print(shown(argv), flush=True)  # noqa: T201 - it is the result of a dry run


def note(message: str) -> None:
    """Tell the person watching what is going on; never part of a result."""
    try:
        print(message, file=sys.stderr, flush=True)  # noqa: T201 - the one place for notices
    except BrokenPipeError:  # whoever watched has gone; the work goes on, and has its exit code
        to_nobody(sys.stderr)


def to_nobody(stream: IO[str]) -> None:
    """What is printed on ``stream`` from now on goes nowhere: its reader has gone away."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _captured(command: Sequence[str], env: Mapping[str, str] | None) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            env=merged(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise OutOfReach(f"{command[0]} is not installed or not on PATH") from None


def _feed(pipe: IO[bytes], text: str) -> None:
    """Write ``text`` to a program that may end before it has read it: its exit code tells."""
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(text.encode())


def _wait(child: subprocess.Popen[bytes]) -> int:
    """Wait for ``child``; when we are interrupted end it too, and give it time to clean up."""
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()  # on a terminal it had the Ctrl-C as well, elsewhere it had nothing
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
        raise
