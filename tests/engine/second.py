"""A second engine beside the first, and ways to both that buildx takes for BuildKit's own.

An engine's ``/grpc`` endpoint speaks BuildKit's protocol: spliced through a TCP port it is what
buildx calls a `remote` node. So building on several machines is tested on one.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.errors import SlipwayError
from tasks.core.provision import daemons, embedded, machine, network, tools
from tasks.core.provision import home as homes
from tasks.core.provision.daemons import Daemon
from tasks.core.provision.home import Home
from tests.engine.conftest import cannot_run

UPGRADE = (
    b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 0\r\n\r\n"
)
HEAD_BYTES = 16_384
WAIT_SECONDS = 10
CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class TwoNodes:
    """A builder of two nodes: the first is given linux/amd64, the second linux/arm64.

    ``environment`` is laid over this process's; buildx's notes in it are the test's own.
    ``engines`` have the same notes, each with its own DOCKER_HOST: for their histories and caches.
    """

    builder: str
    environment: Mapping[str, str]
    nodes: tuple[Node, Node]
    engines: tuple[Engine, Engine]

    @property
    def registry(self) -> str:
        """``127.0.0.1:PORT`` of the registry that both engines push to."""
        location = self.engines[1].registry
        assert location is not None
        return location

    @property
    def engine(self) -> Engine:
        """The first engine, in the environment that knows the builder."""
        return self.engines[0]


@contextlib.contextmanager
def second_engine(first: Engine, root: Path, *, classic: bool = False) -> Iterator[Engine]:
    """An engine with a store and a network of its own under ``root``, and the first's registry.

    ``classic``: with the image store that engines had before containerd's.
    """
    if machine.unsuitable():
        cannot_run(f"a second engine cannot run here: {machine.unsuitable()}")
    usual = homes.current()
    mirror = first.registry or embedded.registry_up()
    with homes.locked(usual, "engine"):
        homes.prepare(usual)
        tools.ensure(usual)
    machine.install(embedded.PROGRAMS)
    home = homes.current({"SLIPWAY_HOME": str(root)})
    homes.prepare(home)
    guest = network.guest(home)
    try:
        network.attach(guest)
        settings = home.root / "daemon.json"
        configuration = embedded.configuration(home, mirror, guest)
        configuration["features"] = {"containerd-snapshotter": not classic}
        homes.write(settings, json.dumps(configuration))
        program = str(usual.tools / "usr/sbin/dockerd")
        daemon = Daemon(
            "the second engine",
            (program, "--config-file", str(settings)),
            home.record(embedded.NAME),
            home.logs / "dockerd.log",
        )
        around = {"PATH": tools.path(usual)}
        daemons.start(daemon, lambda: embedded.answers(home.socket), env=around, seconds=60)
        yield replace(
            first,
            kind="embedded",
            host=home.host,
            environment={**first.environment, "DOCKER_HOST": home.host},
            registry=mirror,
            started=True,
        )
    finally:
        _end(home)


def _end(home: Home) -> None:
    daemons.stop(home.record(embedded.NAME), seconds=30)
    network.detach(home)
    for mount in homes.mounts_below(home.root):
        process.read(("umount", str(mount)), check=False)
    homes.remove(home.runtime)
    homes.remove(home.root)


@contextlib.contextmanager
def two_nodes(first: Engine, folder: Path, name: str = "slipway-two") -> Iterator[TwoNodes]:
    """Two engines joined as a builder in buildx notes of their own in ``folder``."""
    if not first.host.startswith("unix://"):
        cannot_run(f"{first.host} is no socket of this machine")
    folder.mkdir(parents=True, exist_ok=True)
    notes = {"BUILDX_CONFIG": str(folder / "buildx")}
    with second_engine(first, folder / "engine") as second:
        engines = (
            replace(first, environment={**first.environment, **notes, "DOCKER_HOST": first.host}),
            replace(second, environment={**second.environment, **notes}),
        )
        with Node(first) as one, Node(second) as two:
            try:
                for at, (node, platform) in enumerate(((one, "amd64"), (two, "arm64"))):
                    command = (
                        *(first.docker, "buildx", "create", "--driver", "remote", "--name", name),
                        *("--node", f"{name}{at}", *(("--append",) if at else ())),
                        *("--platform", f"linux/{platform}", node.endpoint),
                    )
                    process.read(command, env=engines[0].environment, timeout=60)
                yield TwoNodes(name, engines[0].environment, (one, two), engines)
            finally:
                shutil.rmtree(folder / "buildx", ignore_errors=True)


def alone(engine: Engine) -> Engine:
    """The engine as the builder that it is by itself."""
    return replace(engine, environment={**engine.environment, "BUILDX_BUILDER": "default"})


def builds_of(engine: Engine, status: str = "") -> set[str]:
    """The ids of the builds that the engine itself remembers, of one ``status`` if it is given."""
    said = process.read(
        (engine.docker, "buildx", "history", "ls", "--format", "json"),
        env=alone(engine).environment,
        timeout=60,
    ).stdout
    listed = [json.loads(line) for line in said.splitlines()]
    return {
        one["ref"].rpartition("/")[2] for one in listed if not status or one["status"] == status
    }


class Listener:
    """Takes down what engines remember of the builds that end while it listens.

    An engine keeps its last 50 builds: the tests that run meanwhile drive a long one's out.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = engines
        self._old = [builds_of(engine) for engine in engines]
        self._heard: list[dict[str, str]] = [{} for _ in engines]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()  # for what ended since; an engine that does not answer is an error here

    def heard(self, at: int) -> str:
        """Everything that the engine at ``at`` said of those builds."""
        return "".join(self._heard[at].values())

    def _listen(self) -> None:
        while not self._over.wait(2):
            with contextlib.suppress(SlipwayError):
                self._look()

    def _look(self) -> None:
        for engine, old, heard in zip(self._engines, self._old, self._heard, strict=True):
            for ref in builds_of(engine, "Completed") - old - set(heard):
                with contextlib.suppress(SlipwayError):  # it went between the two questions
                    heard[ref] = told_of(engine, ref)


def told_of(engine: Engine, ref: str) -> str:
    """Everything that the engine itself remembers of one build."""
    said = process.read(
        (engine.docker, "buildx", "history", "logs", "--progress=rawjson", ref),
        env=alone(engine).environment,
        timeout=60,
    )
    return said.stderr + said.stdout


class Node:
    """A TCP port at which an engine's BuildKit answers, until it is cut."""

    def __init__(self, engine: Engine) -> None:
        self._socket = engine.host.removeprefix("unix://")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._cut = False
        self._over = False
        self._bytes_per_second: float | None = None
        #: Bytes passed on in both directions: how a test sees that a build uses the node.
        self.passed_bytes = 0

    def __enter__(self) -> Node:
        self._start(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self.cut()
        for thread in self._threads:
            thread.join(WAIT_SECONDS)
        self._listener.close()

    def cut(self) -> None:
        """End every connection, and any new one at once, as if the machine had gone."""
        self._cut = True
        with self._lock:
            for link in self._open:
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Answer again."""
        self._cut = False

    def slow(self, bytes_per_second: float | None) -> None:
        """Pass on so many bytes a second in each direction; None: as many as there are."""
        self._bytes_per_second = bytes_per_second

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while not self._over:
            try:
                near = self._listener.accept()[0]
            except TimeoutError:
                continue
            if self._cut:
                near.close()
            else:
                self._start(self._join, near)

    def _join(self, near: socket.socket) -> None:
        """Splice one connection to the engine, and close both of its ends when it is over."""
        with near, socket.socket(socket.AF_UNIX) as far, contextlib.suppress(OSError):
            far.settimeout(WAIT_SECONDS)
            far.connect(self._socket)
            far.sendall(UPGRADE)
            rest = _after_head(far)
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            try:
                if self._cut:
                    return
                near.sendall(rest)
                back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
                back.start()
                self._pump(near, far)
                back.join()
            finally:
                with self._lock:
                    self._open -= {near, far}

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                sink.sendall(data)
                self.passed_bytes += len(data)
                if self._bytes_per_second and not self._cut:
                    time.sleep(min(len(data) / self._bytes_per_second, WAIT_SECONDS))
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _after_head(link: socket.socket) -> bytes:
    """Read the answer to the upgrade; what came after it belongs to BuildKit's protocol."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = link.recv(HEAD_BYTES)
        head += data
        if not data or len(head) > HEAD_BYTES:
            raise OSError("the engine did not answer the upgrade")
    status, _, rest = head.partition(b"\r\n\r\n")
    if b" 101 " not in status.splitlines()[0]:
        raise OSError(f"the engine refused: {status.splitlines()[0]!r}")
    return rest
