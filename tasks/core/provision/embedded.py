"""The embedded engine: a Docker Engine of Slipway's own, for machines that have none."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.provision import apt, daemons, machine, network, registry, tools
from tasks.core.provision import home as homes
from tasks.core.provision.daemons import Daemon
from tasks.core.provision.home import Home
from tasks.core.provision.network import Guest

NAME = "dockerd"
START_SECONDS = 60
STOP_SECONDS = 30
#: What the build cache may take. dockerd's own limits keep a fifth of the disk free, which on a
#: large and well used disk means that the cache is emptied while it is being filled.
CACHE_LIMITS = {
    "enabled": True,
    "defaultReservedSpace": "10GB",
    "defaultMaxUsedSpace": "60GB",
    "defaultMinFreeSpace": "5GB",
}
PROGRAMS = {"runc": "runc", "iptables": "iptables"}


def find() -> Engine | None:
    """The embedded engine if it is up; starts nothing."""
    home = homes.current()
    location = registry.address(home)
    if location is None or daemons.running(home.record(NAME)) is None:
        return None
    if not answers(home.socket) or not registry.answers(location):
        return None
    return _engine(home, location, started=False)


def up() -> Engine:
    """The embedded engine, brought up where it is not. One process at a time does that.

    Raises OutOfReach where the machine does not allow it, or something fails to start.
    """
    engine = find()
    if engine is not None:
        return engine
    machine.require()
    home = homes.current()
    with homes.locked(home, "engine"):
        homes.prepare(home)
        engine = find()
        if engine is None:
            engine = _start(home)
    return engine


def down() -> bool:
    """End the embedded engine and its registry; what they keep stays. True when one was running."""
    home = homes.current()
    if not home.root.is_dir() or not home.runtime.is_dir():
        return False
    with homes.locked(home, "engine"):
        stopped = daemons.stop(home.record(NAME), seconds=STOP_SECONDS)
        _end_orphans(home)
        stopped = daemons.stop(home.record(registry.NAME), seconds=STOP_SECONDS) or stopped
        network.detach(home)
        homes.remove(home.runtime)
    return stopped


def registry_up() -> str:
    """The address of the loopback registry alone, started where it does not run."""
    machine.require()
    home = homes.current()
    location = registry.address(home)
    if location and registry.answers(location):
        return location
    with homes.locked(home, "engine"):
        homes.prepare(home)
        tools.ensure(home)
        return registry.start(home)


def configuration(home: Home, location: str, guest: Guest | None) -> dict[str, Any]:
    """dockerd's configuration: its folders, the containerd image store, the registry as mirror."""
    settings: dict[str, Any] = {
        "hosts": [home.host],
        "data-root": str(home.root / "data"),
        "exec-root": str(home.runtime / "exec"),
        "pidfile": str(home.runtime / "dockerd.pid"),
        "features": {"containerd-snapshotter": True},
        "registry-mirrors": [f"http://{location}"],
        "shutdown-timeout": 10,
        "builder": {"gc": CACHE_LIMITS},
    }
    if guest is not None:
        # No "default-address-pools": with them, dockerd removes docker0 at its second start, and
        # here that is the other engine's.
        settings |= {
            "bridge": guest.bridge,
            "iptables": False,
            "ip6tables": False,
        }
    return settings


def answers(path: Path) -> bool:
    """Whether an engine answers at the unix socket ``path``."""
    connection = http.client.HTTPConnection("localhost")
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(str(path))
            connection.sock = link
            connection.request("GET", "/_ping")
            return connection.getresponse().read() == b"OK"
    except (OSError, http.client.HTTPException):
        return False


def _start(home: Home) -> Engine:
    homes.sweep(home, "engine")
    pid = daemons.running(home.record(NAME))
    if pid is None:
        machine.install(PROGRAMS)
        tools.ensure(home)
    tools.link_plugins(home)
    location = registry.start(home)
    settings = home.root / "daemon.json"
    guest = _guest(home)
    homes.write(settings, json.dumps(configuration(home, location, guest), indent=1) + "\n")
    if pid is not None and answers(home.socket):
        # Only the registry had ended. dockerd reads its mirrors anew on this signal.
        os.kill(pid, signal.SIGHUP)
    else:
        daemons.stop(home.record(NAME), seconds=STOP_SECONDS)
        _start_engine(home, settings)
    return _engine(home, location, started=True)


def _start_engine(home: Home, settings: Path) -> None:
    process.note("slipway: starting the embedded engine …")
    for stale in (home.socket, home.runtime / "dockerd.pid"):
        stale.unlink(missing_ok=True)
    daemon = Daemon(
        "the embedded engine",
        (str(home.tools / "usr/sbin/dockerd"), "--config-file", str(settings)),
        home.record(NAME),
        home.logs / "dockerd.log",
    )
    environment = {"PATH": tools.path(home)}
    daemons.start(daemon, lambda: answers(home.socket), env=environment, seconds=START_SECONDS)


def _guest(home: Home) -> Guest | None:
    """Guest networking when another engine runs on this machine, none when this one is alone."""
    if not daemons.others("dockerd", [home.record(NAME)]):
        return None
    guest = network.guest(home)
    network.attach(guest)
    return guest


def _end_orphans(home: Home) -> None:
    """End what a dockerd that was killed left running: containerd, its shims, containers.

    The engine itself knows best how: started again, it ends its containers, then itself.
    """
    if tools.are_there(home) and _orphans(home):
        process.note("slipway: the embedded engine had crashed, cleaning up after it …")
        _start(home)
        daemons.stop(home.record(NAME), seconds=STOP_SECONDS)
    for mount in homes.mounts_below(home.root):
        process.read(("umount", str(mount)), env={"PATH": machine.SYSTEM_PATH}, check=False)


def _orphans(home: Home) -> bool:
    """Whether a process works in this engine's runtime folder though the engine has ended."""
    return any(f"{home.runtime}/exec/" in command for command in daemons.command_lines())


def _engine(home: Home, location: str, *, started: bool) -> Engine:
    return Engine(
        kind="embedded",
        host=home.host,
        environment={
            "DOCKER_HOST": home.host,
            "DOCKER_CONFIG": str(home.config),
            "PATH": tools.path(home),
        },
        docker=str(tools.docker(home)),
        registry=location,
        started=started,
        native_platform=apt.native_platform(),
    )
