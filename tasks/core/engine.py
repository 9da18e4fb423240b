"""The Docker Engine in use: the machine's own, or the embedded one where there is none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.schema import ENGINES

ANSWER_SECONDS = 15
_NO_BUILDX = (
    "docker buildx is missing: install docker-buildx (docker-buildx-plugin), or set ENGINE=embedded"
)


@dataclass(frozen=True)
class Details:
    """What ``engine.status`` tells: versions, the image store, the platforms that run here."""

    version: str
    api: str
    buildx: str
    storage: str
    native: str
    emulated: tuple[str, ...]


def ensure(mode: str) -> Engine:
    """The engine for ``mode`` (auto, system or embedded), the embedded one brought up if need be.

    Raises OutOfReach with one line when there is none to be had.
    """
    engine = find(mode)
    if engine is not None:
        return engine
    if mode == "system":
        raise OutOfReach(_no_system_engine())
    from tasks.core.provision import embedded  # late: a machine with an engine never needs it

    return embedded.up()


def find(mode: str) -> Engine | None:
    """The engine for ``mode`` if it runs; starts nothing.

    An engine that was named with DOCKER_HOST or DOCKER_CONTEXT and does not answer is an error:
    nobody wants another one silently in its place.
    """
    if mode not in ENGINES:
        raise UsageError(f"ENGINE={mode}: it is one of {', '.join(ENGINES)}")
    from tasks.core.provision import embedded, home

    if mode == "embedded" or os.environ.get("DOCKER_HOST") == home.current().host:
        return embedded.find()
    engine = _system()
    if engine is not None:
        return engine
    named = _named()
    if named and mode == "auto":
        raise OutOfReach(
            f"the engine at {named} does not answer: {_reason()}; start it, or unset the variable"
        )
    return None if mode == "system" else embedded.find()


def details(engine: Engine) -> Details:
    """Ask the engine about itself. Raises OutOfReach when it does not answer."""
    asked = (
        (engine.docker, "version", "--format", "{{json .Server}}"),
        (engine.docker, "buildx", "version"),
        (engine.docker, "info", "--format", "{{json .DriverStatus}}"),
        (engine.docker, "buildx", "inspect"),
    )
    with ThreadPoolExecutor(len(asked)) as pool:
        said = pool.map(lambda argv: _ask(argv, engine.environment), asked)
        server, buildx, driver, inspected = said
    version = json.loads(server)
    return Details(
        version=version["Version"],
        api=version["ApiVersion"],
        buildx=buildx_version(buildx),
        storage=storage(driver),
        native=engine.native_platform,
        emulated=tuple(p for p in platforms(inspected) if p != engine.native_platform),
    )


def versions(engine: Engine) -> tuple[str, str]:
    """The versions of the engine and of buildx. Raises OutOfReach when they do not answer."""
    asked = (
        (engine.docker, "version", "--format", "{{.Server.Version}}"),
        (engine.docker, "buildx", "version"),
    )
    with ThreadPoolExecutor(len(asked)) as pool:
        server, buildx = pool.map(lambda argv: _ask(argv, engine.environment), asked)
    return server.strip(), buildx_version(buildx)


def buildx_version(said: str) -> str:
    """The version in what ``docker buildx version`` prints: ``github.com/… v0.29.1 …``."""
    words = said.split()
    return words[1].removeprefix("v") if len(words) > 1 else "unknown"


def storage(driver_status: str) -> str:
    """``containerd`` for the containerd image store, ``classic`` for the older one."""
    return "containerd" if "io.containerd.snapshotter" in driver_status else "classic"


def platforms(inspected: str) -> tuple[str, ...]:
    """The platforms in what ``docker buildx inspect`` prints, without micro-architectures."""
    found: list[str] = []
    for line in inspected.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "Platforms":
            found += [word.strip(" *") for word in value.split(",")]
    plain = (name for name in found if not name.startswith("linux/amd64/"))
    return tuple(dict.fromkeys(name for name in plain if name))


def _system() -> Engine | None:
    """The engine that ``docker`` on PATH reaches; None when there is no docker, or no answer."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    with ThreadPoolExecutor(3) as pool:
        server = pool.submit(_try, docker, "version", "--format", "{{json .Server}}")
        buildx = pool.submit(_try, docker, "buildx", "version")
        host = pool.submit(_try, docker, "context", "inspect", "--format", _CONTEXT_HOST)
    described = _server(server.result())
    if described is None:
        return None
    if buildx.result() is None:
        raise OutOfReach(_NO_BUILDX)
    return Engine(
        kind="system",
        host=os.environ.get("DOCKER_HOST") or host.result() or "unix:///var/run/docker.sock",
        # Nothing is laid over: the CLI finds its context, TLS files and logins by itself.
        environment={},
        docker=docker,
        registry=None,
        started=False,
        native_platform=f"{described['Os']}/{_architecture(described['Arch'])}",
    )


_CONTEXT_HOST = "{{.Endpoints.docker.Host}}"


def _server(said: str | None) -> dict[str, Any] | None:
    """The server's part of ``docker version``; None when the CLI had nobody to ask."""
    try:
        described = json.loads(said or "null")
    except ValueError:
        return None
    return described if isinstance(described, dict) and described.get("Os") else None


def _architecture(name: str) -> str:
    return "arm/v7" if name == "arm" else name


def _try(*argv: str) -> str | None:
    """What a command prints; None when it fails or takes too long."""
    try:
        done = process.read(argv, timeout=ANSWER_SECONDS, check=False)
    except OutOfReach:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _ask(argv: tuple[str, ...], environment: Mapping[str, str]) -> str:
    return process.read(argv, env=environment, timeout=ANSWER_SECONDS).stdout


def _named() -> str | None:
    """The variable that names an engine on purpose, with its value."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        if os.environ.get(name):
            return f"{name}={os.environ[name]}"
    return None


def _reason() -> str:
    docker = shutil.which("docker")
    if docker is None:
        return "there is no docker CLI on PATH"
    try:
        done = process.read((docker, "version"), timeout=ANSWER_SECONDS, check=False)
    except OutOfReach as problem:
        return str(problem)
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1].rstrip(".")


def _no_system_engine() -> str:
    named = _named()
    engine = f"the engine at {named}" if named else "this machine's Docker Engine"
    return f"{engine} does not answer: {_reason()}; start it, or set ENGINE=auto"
