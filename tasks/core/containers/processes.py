"""The processes of a container and its listening ports, as the kernel records them in /proc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.core import untrusted

#: What the kernel calls a process that a runtime is about to turn into one of the container.
_RUNTIMES = ("runc:[", "crun", "libcrun", "youki")
#: Where an engine's own name server listens in the container, in the kernel's two byte orders.
_NAME_SERVER = ("0B00007F", "7F00000B")
_LISTENING = "0A"


@dataclass(frozen=True)
class Process:
    """One process: ``pid`` is its number inside the container.

    ``uids`` are the real, effective, saved and file-system uid as it sees them itself. What could
    not be read is None. ``capabilities`` are the effective and the permitted ones, as bits.
    """

    pid: int
    name: str
    uids: tuple[int, ...]
    zombie: bool | None = None
    capabilities: tuple[int, int] | None = None
    seccomp: int | None = None
    no_new_privileges: bool | None = None
    parent: int = 0
    argv: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What findings call it: its name first, because its number changes."""
        return f"{self.name} (process {self.pid})"

    @property
    def runtimes_own(self) -> bool:
        """Whether it says that it is a container runtime's, shortly before it becomes another."""
        return self.name.startswith(_RUNTIMES)


@dataclass(frozen=True)
class Sample:
    """One look at a container; ``ports`` are the TCP ports that listen, None where unseen."""

    processes: tuple[Process, ...]
    ports: frozenset[int] | None


def parse(status: str, uid_map: str = "", argv: tuple[str, ...] = ()) -> Process | None:
    """The process of a /proc/PID/status; None for one that is not complete, because it ended."""
    fields = _fields(status)
    try:
        return Process(
            pid=int(fields.get("NSpid", fields["Pid"]).split()[-1]),
            name=untrusted.shown(fields["Name"], 40),
            uids=inner_uids(fields["Uid"], uid_map),
            zombie=fields["State"].startswith("Z"),
            capabilities=(int(fields["CapEff"], 16), int(fields["CapPrm"], 16)),
            seccomp=_number(fields, "Seccomp"),
            no_new_privileges=_flag(_number(fields, "NoNewPrivs")),
            parent=int(fields["PPid"]),
            argv=argv,
        )
    except (KeyError, ValueError):
        return None


def depth(status: str) -> int:
    """In how many PID namespaces it is, one inside the other."""
    return len(_fields(status).get("NSpid", "").split())


def inner_uids(uids: str, uid_map: str) -> tuple[int, ...]:
    """The four uids of a status's line as the process itself sees them.

    With a rootless engine, or remapped users, root in the container is another uid out here.
    ``uid_map`` has lines of: first uid inside, first uid outside, how many; "" translates nothing.
    """
    ranges = [tuple(int(word) for word in row.split()) for row in uid_map.splitlines() if row]

    def inside(uid: int) -> int:
        for inner, outer, count in ranges:
            if outer <= uid < outer + count:
                return inner + uid - outer
        return uid

    return tuple(inside(int(word)) for word in uids.split()[:4])


def listening(*tables: str) -> frozenset[int]:
    """The ports that listen, of /proc/PID/net/tcp and tcp6; not the engine's own name server's."""
    found = set()
    for row in (line.split() for table in tables for line in table.splitlines()):
        if len(row) > 3 and row[3] == _LISTENING:
            address, _, port = row[1].rpartition(":")
            if address not in _NAME_SERVER:
                found.add(int(port, 16))
    return frozenset(found)


def command_line(content: bytes) -> tuple[str, ...]:
    """The words of a /proc/PID/cmdline; a program that renamed itself has them in one."""
    words = content.decode(errors="replace").rstrip("\0").split("\0")
    return tuple(words[0].split() + words[1:])


def of_top(row: Mapping[str, str]) -> Process:
    """A process as the engine's ``top`` tells it, by the columns asked for."""
    uids = tuple(int(row[name]) for name in ("RUID", "EUID", "SUID", "FUID"))
    return Process(int(row["PID"]), untrusted.shown(row["COMMAND"], 40), uids)


def _fields(status: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in status.splitlines())
    return {key: value.strip() for key, _, value in pairs}


def _number(fields: Mapping[str, str], name: str) -> int | None:
    return int(fields[name]) if name in fields else None


def _flag(number: int | None) -> bool | None:
    return None if number is None else number == 1
