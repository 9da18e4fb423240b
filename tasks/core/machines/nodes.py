"""What ``--node`` says -> buildx's own drivers: pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tasks.core import schema
from tasks.core.errors import UsageError
from tasks.core.secrecy import masking

CONTAINER, REMOTE, KUBERNETES = "docker-container", "remote", "kubernetes"
DRIVERS = (CONTAINER, REMOTE, KUBERNETES)
#: buildx's own choice for an address without a driver.
SCHEMES = {"ssh": CONTAINER, "tcp": REMOTE, "unix": REMOTE, "kubernetes": KUBERNETES}
#: TLS of a BuildKit daemon: files of this machine, and the name that its certificate must have.
TLS = ("cacert", "cert", "key")
_CONTEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}\Z")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,127}\Z")
_EXPECTED = (
    "expected a docker context, ssh://…, tcp://…, unix://…, kubernetes or docker-container, "
    "each with =PLATFORM,… or without"
)


@dataclass(frozen=True)
class NodeSpec:
    """One node to make: its driver, its address ("": the engine in use), what buildx is told."""

    driver: str
    address: str = ""
    options: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()

    @property
    def context(self) -> str:
        """The docker context that the address names; "" when it names none."""
        return self.address if self.address and "://" not in self.address else ""


def parse(word: str) -> NodeSpec:
    """The node that ``ENDPOINT[=PLATFORM,…]`` describes. Raises UsageError with the mend."""
    endpoint, platforms = _split(word)
    spec = replace(_located(endpoint), platforms=platforms)
    for name in platforms:
        if name not in schema.PLATFORMS:
            raise UsageError(f"--node {_shown(word)}: {name!r} is not a platform Slipway knows")
    return spec


def parse_all(words: Sequence[str], driver: str = "") -> tuple[NodeSpec, ...]:
    """The nodes of one builder; without any, BuildKit in a container of the engine in use.

    ``driver`` says what the addresses are where buildx would choose otherwise. Raises UsageError
    where nodes of one builder would have several drivers, which buildx refuses.
    """
    if driver and driver not in DRIVERS:
        raise UsageError(f"--driver {driver!r} is not one of {', '.join(DRIVERS)}")
    specs = [parse(word) for word in words] or [NodeSpec(driver or CONTAINER)]
    if driver:
        specs = [replace(spec, driver=driver) for spec in specs]
    kinds = sorted({spec.driver for spec in specs})
    if len(kinds) > 1:
        raise UsageError(
            f"the nodes of one builder have one driver, and these have {', '.join(kinds)}: "
            "name nodes of one kind, or make them one with --driver"
        )
    for spec in specs:
        _check(spec)
    return tuple(replace(spec, options=tuple(map(_absolute, spec.options))) for spec in specs)


def builder_name(name: str) -> str:
    """``name`` if a builder may have it. buildx keeps names in lower case; two are contexts'."""
    if not _NAME.match(name) or name == "default":
        raise UsageError(
            f"--name {name!r}: expected lower-case letters, digits, '.', '_', '-', a letter first; "
            "default is the engine's own"
        )
    return name


def create(docker: str, name: str, number: int, spec: NodeSpec) -> tuple[str, ...]:
    """The command that makes node ``number`` (from 0) of builder ``name``."""
    return (
        *(docker, "buildx", "create", "--name", name, "--node", f"{name}{number}"),
        *(("--append",) if number else ()),
        *("--driver", spec.driver),
        *(word for option in spec.options for word in ("--driver-opt", option)),
        *(("--platform", ",".join(spec.platforms)) if spec.platforms else ()),
        *((spec.address,) if spec.address else ()),
    )


def _split(word: str) -> tuple[str, tuple[str, ...]]:
    """The endpoint and the platforms; an endpoint's query has equals signs of its own."""
    if "?" in word:
        head, _, tail = word.rpartition("=")
        return (head, schema.platforms(tail)) if tail.startswith("linux/") else (word, ())
    head, equals, tail = word.partition("=")
    platforms = schema.platforms(tail)
    if equals and not platforms:
        raise UsageError(f"--node {_shown(word)}: no platform after '='; leave it out or name one")
    return head, platforms


def _located(endpoint: str) -> NodeSpec:
    if endpoint in (CONTAINER, KUBERNETES):
        return NodeSpec(endpoint)
    scheme, separator, rest = endpoint.partition("://")
    if not separator and _CONTEXT.match(endpoint):
        return NodeSpec(CONTAINER, endpoint)
    if not separator or scheme not in SCHEMES or not rest or not endpoint.isprintable():
        raise UsageError(f"--node {_shown(endpoint)}: {_EXPECTED}")
    if scheme == "kubernetes":
        if not _NAMESPACE.match(rest):
            raise UsageError(f"--node {_shown(endpoint)}: {rest!r} is not a namespace")
        return NodeSpec(KUBERNETES, options=(f"namespace={rest}",))
    return _address(SCHEMES[scheme], endpoint)


def _address(driver: str, endpoint: str) -> NodeSpec:
    try:
        parts = urlsplit(endpoint)
        password = parts.password
    except ValueError as error:
        raise UsageError(f"--node {_shown(endpoint)}: {error}; {_EXPECTED}") from None
    if password is not None or (parts.username and parts.scheme != "ssh"):
        raise UsageError(
            f"--node {_shown(endpoint)}: an address holds no password; use keys or TLS files"
        )
    options = tuple(f"{key}={value}" for key, value in parse_qsl(parts.query, True))
    return NodeSpec(driver, endpoint.partition("?")[0], options)


def _check(spec: NodeSpec) -> None:
    """Whether the options of an address suit its driver, and their files are there."""
    where = f"--node {masking.hide(spec.address or spec.driver)}"
    if spec.driver == REMOTE and "://" not in spec.address:
        raise UsageError(f"{where}: driver remote needs an address: tcp://…, unix://…")
    if spec.driver == KUBERNETES and spec.address:
        raise UsageError(f"{where}: kubernetes takes no address; write kubernetes://NAMESPACE")
    for option in spec.options if spec.driver != KUBERNETES else ():
        key, _, value = option.partition("=")
        if spec.driver != REMOTE or key not in (*TLS, "servername"):
            raise UsageError(
                f"{where}: {key!r} means nothing here; tcp:// takes {', '.join(TLS)}, servername, "
                "and a docker engine's TLS belongs in a docker context"
            )
        if key in TLS and not Path(value).is_file():
            raise UsageError(f"{where}: {key}={value} is not a file that can be read")


def _absolute(option: str) -> str:
    """buildx notes TLS files down as they are named, and reads them from any folder later."""
    key, equals, value = option.partition("=")
    return f"{key}{equals}{Path(value).absolute()}" if key in TLS else option


def _shown(word: str) -> str:
    return masking.hide(repr(word))
