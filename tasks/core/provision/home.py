"""Where the embedded engine lives on this machine: folders, a lock, remembered ports."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach

DEFAULT = Path("/var/lib/slipway")
RUNTIME = Path("/run")
MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Home:
    """``root`` survives restarts; ``runtime`` does not.

    Sockets lie in ``runtime`` because their whole path may have 107 bytes at most.
    """

    root: Path
    runtime: Path

    @property
    def tools(self) -> Path:
        """The unpacked programs: there only when complete."""
        return self.root / "tools"

    @property
    def config(self) -> Path:
        """The docker CLI's configuration folder, with its plugins."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        """What the daemons print."""
        return self.root / "log"

    @property
    def cache(self) -> Path:
        """Downloads that are worth keeping."""
        return self.root / "cache"

    @property
    def work(self) -> Path:
        """Half-finished things; swept at the next start."""
        return self.root / "work"

    @property
    def socket(self) -> Path:
        """Where the embedded engine listens."""
        return self.runtime / "docker.sock"

    @property
    def host(self) -> str:
        """The socket as DOCKER_HOST has it."""
        return f"unix://{self.socket}"

    def record(self, daemon: str) -> Path:
        """Which process is ``daemon``."""
        return self.runtime / f"{daemon}.json"


def current(environ: Mapping[str, str] | None = None) -> Home:
    """The home in use: ``SLIPWAY_HOME``, or the machine's own, which all checkouts share."""
    named = (os.environ if environ is None else environ).get("SLIPWAY_HOME")
    root = Path(named).resolve() if named else DEFAULT
    if root == DEFAULT:
        return Home(DEFAULT, RUNTIME / "slipway")
    mark = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    return Home(root, RUNTIME / f"slipway-{mark}")


def prepare(home: Home) -> None:
    """Make the folders. The CLI's configuration may hold logins: nobody else reads it."""
    with usable(home.root):
        for folder in (home.root, home.cache, home.logs, home.work, home.runtime):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        home.config.mkdir(mode=0o700, exist_ok=True)
        settings = home.config / "config.json"
        if not settings.exists():
            write(settings, "{}\n", mode=0o600)


@contextlib.contextmanager
def usable(path: Path) -> Iterator[None]:
    """Say in one line what is wrong with ``path`` when it is full or cannot be written."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise OutOfReach(
            f"cannot use {where}: {error.strerror}: "
            "make room, or name another folder in SLIPWAY_HOME"
        ) from None


def need_room(home: Home, size_bytes: int) -> None:
    """Stop before a disk is full: programs that run out of room tell many things but that."""
    free = shutil.disk_usage(home.root).free
    if free < size_bytes:
        raise OutOfReach(
            f"{home.root} has {free // 2**20} MiB free and {size_bytes // 2**20} MiB are needed: "
            "make room, or name another folder in SLIPWAY_HOME"
        )


@contextlib.contextmanager
def locked(home: Home, name: str) -> Iterator[None]:
    """Let one process at a time do ``name``; the others wait, then find it done."""
    with usable(home.root):
        home.root.mkdir(mode=0o711, parents=True, exist_ok=True)
        file = (home.root / f"{name}.lock").open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process.note(f"slipway: waiting for another run that is busy with the {name} …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def workspace(home: Home, purpose: str) -> Iterator[Path]:
    """A folder for half-finished things, gone afterwards whatever happens."""
    with usable(home.work):
        folder = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=home.work))
    try:
        yield folder
    finally:
        remove(folder)


def sweep(home: Home, purpose: str) -> None:
    """Remove what a killed run left. Call it under the lock of ``purpose``."""
    for folder in home.work.glob(f"{purpose}-*"):
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder, but never through a mount: that could be the machine's own /dev."""
    if not mounts_below(folder):
        shutil.rmtree(folder, ignore_errors=True)


def mounts_below(folder: Path) -> tuple[Path, ...]:
    """Where something is mounted at ``folder`` or below, the innermost first."""
    mounts = [Path(line.split()[4]) for line in MOUNTS.read_text().splitlines()]
    return tuple(sorted((m for m in mounts if m.is_relative_to(folder)), reverse=True))


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file at once or not at all, so that no reader ever meets half of it."""
    with usable(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)


def port(home: Home) -> int:
    """The registry's port: the one of last time while it is free, otherwise a new one."""
    state = home.root / "state.json"
    remembered = remembered_port(home)
    if remembered is not None and _is_free(remembered):
        return remembered
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        chosen = int(probe.getsockname()[1])
    write(state, json.dumps({"registry_port": chosen}) + "\n")
    return chosen


def remembered_port(home: Home) -> int | None:
    """The port that the registry had last; None before the first time."""
    try:
        return int(json.loads((home.root / "state.json").read_text())["registry_port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_free(number: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True
