"""Networking for an embedded engine that is a guest beside another engine on the same machine.

Two engines cannot share `docker0` and the same iptables chains: each would flush the other's. So a
guest gets a bridge and an address range of its own, and three rules that carry its mark; the engine
itself keeps its hands off iptables.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.provision import machine
from tasks.core.provision.home import Home

ROUTES = Path("/proc/net/route")
PROGRAMS = {"ip": "iproute2"}
CANDIDATES = tuple(ipaddress.IPv4Network(f"10.{second}.0.0/16") for second in range(213, 255))
_ENV = {"PATH": machine.SYSTEM_PATH}


@dataclass(frozen=True)
class Guest:
    """A bridge called ``bridge``, and the address range for it."""

    bridge: str
    pool: ipaddress.IPv4Network

    @property
    def address(self) -> str:
        """The bridge's own address with its prefix: the first of the range's first /24."""
        return f"{self.pool.network_address + 1}/24"


def guest(home: Home) -> Guest:
    """The bridge of this home, in a range that no route of the machine uses yet."""
    name = "slip" + hashlib.sha256(str(home.root).encode()).hexdigest()[:8]
    return Guest(name, free_range(ROUTES.read_text(), name))


def free_range(routes: str, own_bridge: str) -> ipaddress.IPv4Network:
    """What ``own_bridge`` has already, else the first candidate that overlaps no route."""
    mine = [network for device, network in _routes(routes) if device == own_bridge]
    for candidate in CANDIDATES:
        if any(candidate.overlaps(network) for network in mine):
            return candidate
    taken = [network for device, network in _routes(routes) if device != own_bridge]
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise OutOfReach("every private address range for a second engine is in use on this machine")


def rules(made: Guest) -> tuple[tuple[str, ...], ...]:
    """What iptables has to know, as (table, chain, *match)."""
    pool, mark = str(made.pool), ("-m", "comment", "--comment", made.bridge)
    return (
        ("nat", "POSTROUTING", "-s", pool, "!", "-d", pool, *mark, "-j", "MASQUERADE"),
        ("filter", "FORWARD", "-s", pool, *mark, "-j", "ACCEPT"),
        ("filter", "FORWARD", "-d", pool, *mark, "-j", "ACCEPT"),
    )


def iptables(verb: str, rule: tuple[str, ...]) -> tuple[str, ...]:
    """The command that checks (-C), inserts (-I) or deletes (-D) a rule."""
    table, chain, *match = rule
    return ("iptables", "--wait", "10", "-t", table, verb, chain, *match)


def attach(made: Guest) -> None:
    """Make the bridge and the rules; what is there already stays."""
    machine.install(PROGRAMS)
    _run("ip", "link", "add", "name", made.bridge, "type", "bridge", check=False)
    _run("ip", "address", "replace", made.address, "dev", made.bridge)
    _run("ip", "link", "set", made.bridge, "up")
    for rule in rules(made):
        if not _run(*iptables("-C", rule), check=False):
            _run(*iptables("-I", rule))


def detach(home: Home) -> None:
    """Take the bridge and its rules away, if this home ever was a guest."""
    made = guest(home)
    if not Path("/sys/class/net", made.bridge).exists():
        return
    for rule in rules(made):
        _run(*iptables("-D", rule), check=False)
    _run("ip", "link", "delete", made.bridge, check=False)


def _run(*argv: str, check: bool = True) -> bool:
    return process.read(argv, env=_ENV, timeout=30, check=check).returncode == 0


def _routes(text: str) -> Iterator[tuple[str, ipaddress.IPv4Network]]:
    """The device and the destination of each route but the default one."""
    for line in text.splitlines()[1:]:
        device, destination, *rest = line.split()
        address, mask = (_address(word) for word in (destination, rest[5]))
        if mask != "0.0.0.0":  # noqa: S104 - the default route's mask, nothing is bound to it
            yield device, ipaddress.IPv4Network(f"{address}/{mask}")


def _address(hexadecimal: str) -> str:
    """The kernel prints addresses as hexadecimal numbers in the machine's byte order."""
    return socket.inet_ntoa(struct.pack("=L", int(hexadecimal, 16)))
