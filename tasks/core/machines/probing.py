"""One node of a builder: what buildx noted about it, and whether it answers.

buildx asks all nodes of a builder at once, waits 20 s for one that is silent, and does not say why
one is down. So every node is asked on its own, as a builder of one node in a private copy of
buildx's notes: each has its own time limit, its own reason and its own cache size, and tells its
processor's platform first, which platforms fixed by ``--node`` would hide.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.core import endpoint, process, untrusted
from tasks.core.bake import buildx
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.machines import nodes
from tasks.core.provision import registry

ANSWER_SECONDS = 10
#: A node that answers may count the files of its cache for long, on a busy machine above all.
COUNT_SECONDS = 60
#: What a processor runs by itself beside its own platform, or QEMU does: buildx does not tell.
KIN = {
    "linux/amd64": ("linux/386",),
    "linux/arm64": ("linux/arm/v7", "linux/arm/v6", "linux/arm/v5"),
    "linux/arm/v7": ("linux/arm/v6", "linux/arm/v5"),
}
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?(?:e\+[0-9]{1,2})?) ?([kMGTP]?B)\Z")
#: What a builder may be called: its note is a file of that name.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,127}\Z")
_PLATFORM_KEYS = ("os", "architecture", "variant")
_PLATFORM = re.compile(r"[a-z0-9]+(/[a-z0-9._]+){1,2}\Z")
_PREFIX = re.compile(r"^(ERROR: )?(failed to call diskusage: )?(connection error: )?")


@dataclass(frozen=True)
class Node:
    """One node. ``platforms`` are those it can build for; "" and () stand for what is not known.

    ``preferred`` are the platforms that ``--node`` gave it, ``native`` is its processor's. A node
    that is ``reachable`` may have a ``reason`` too: that its BuildKit starts with the first build.
    """

    name: str
    endpoint: str
    reachable: bool
    reason: str
    platforms: tuple[str, ...]
    buildkit: str
    preferred: tuple[str, ...] = ()
    native: str = ""
    cache_bytes: int | None = None

    def how(self, platform: str) -> str:
        """How the node runs ``platform``: native, emulated, or unknown."""
        if platform == self.native:
            return "native"
        return "unknown" if not self.native or platform in KIN.get(self.native, ()) else "emulated"


@dataclass(frozen=True)
class Noted:
    """What buildx has noted down about a builder; ``raw`` are its nodes as it wrote them."""

    name: str
    driver: str
    nodes: tuple[Node, ...]
    raw: tuple[Mapping[str, Any], ...] = field(repr=False)


def notes(engine: Engine) -> Path:
    """The folder of buildx's notes."""
    around = process.merged(engine.environment)
    config = around.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    return Path(around.get("BUILDX_CONFIG") or f"{config}/buildx")


def read_note(path: Path) -> Noted | None:
    """buildx's note about a builder; None when there is none that can be understood."""
    try:
        return parse_note(path.read_bytes(), path.name)
    except (OSError, untrusted.Malformed):
        return None


def parse_note(content: bytes, where: str) -> Noted:
    """A note of buildx, whose nodes count as unreachable. Raises Malformed."""
    note = untrusted.mapping(untrusted.parse(content, where), where)
    listed = untrusted.sequence(note.get("Nodes"), f"{where}: its nodes")
    raw = [untrusted.mapping(each, f"{where}: a node") for each in listed]
    found = tuple(
        Node(
            name=_text(each.get("Name"), f"{where}: a node's name"),
            endpoint=_text(each.get("Endpoint") or "", f"{where}: an endpoint"),
            reachable=False,
            reason="",
            platforms=(),
            buildkit="",
            preferred=_fixed(each.get("Platforms") or [], where),
        )
        for each in raw
    )
    name = _text(note.get("Name"), f"{where}: its name")
    if not _NAME.match(name):
        raise untrusted.Malformed(f"{where}: {name!r} is no name of a builder")
    return Noted(name, _text(note.get("Driver"), f"{where}: its driver"), found, tuple(raw))


def parse_inspect(said: str) -> dict[str, str]:
    """The fields of the first node in what ``docker buildx inspect`` prints."""
    fields: dict[str, str] = {}
    for line in said.partition("Nodes:\n")[2].splitlines():
        key, colon, value = line.partition(":")
        if colon and not line.startswith(" ") and key not in fields:
            fields[key] = untrusted.shown(value.strip(), 2000)
    return fields


def platform_list(words: str) -> tuple[str, ...]:
    """Platforms as buildx prints them, by their usual names and without micro-architectures."""
    listed = [word.strip(" *") for word in words.split(",")]
    named = [registry.platform_name(_described(word)) for word in listed if _PLATFORM.match(word)]
    return tuple(dict.fromkeys(name for name in named if not name.startswith("linux/amd64/")))


def parse_total(said: str) -> int | None:
    """Bytes of cache in what ``docker buildx du`` prints, rounded as it rounds; None if unsaid."""
    for line in reversed(said.splitlines()):
        key, _, value = line.partition(":")
        size = _SIZE.match(value.strip()) if key == "Total" else None
        if size:
            return round(float(size[1]) * _UNITS[size[2]])
    return None


@contextmanager
def alone(engine: Engine, noted: Noted, at: int) -> Iterator[Engine]:
    """``engine`` in notes of its own, in which the builder has node number ``at`` only.

    What buildx noted down about builds is there too: it tells one checkout's from another's.
    """
    with tempfile.TemporaryDirectory(prefix="slipway-node-") as folder:
        instances = Path(folder, "instances")
        instances.mkdir()
        Path(folder, "refs").symlink_to(notes(engine).absolute() / "refs")
        # It may hold keys, as buildx's own does: nobody else can read the folder.
        alone = {"Name": noted.name, "Driver": noted.driver, "Dynamic": False}
        raw = {**noted.raw[at], "Platforms": None}
        (instances / noted.name).write_text(json.dumps({**alone, "Nodes": [raw]}))
        private = {**engine.environment, "BUILDX_CONFIG": folder, endpoint.BUILDER: noted.name}
        yield replace(engine, environment=private)


def probed(engine: Engine, noted: Noted, at: int, *, sizes: bool = False) -> Node:
    """Node number ``at``, asked whether it answers, and with ``sizes`` how large its cache is."""
    with alone(engine, noted, at) as node:
        return asked(node, noted.driver, noted.nodes[at], noted.name, sizes=sizes)


def asked(engine: Engine, driver: str, node: Node, builder: str, *, sizes: bool = False) -> Node:
    """``node``, the first of ``builder`` in the engine's environment, with what it tells."""
    said, problem = attempt(buildx.builder_inspect(engine.docker, builder), engine.environment)
    fields = parse_inspect(said)
    if fields.get("Status") == "running":
        able = platform_list(fields.get("Platforms", ""))
        told = replace(
            node,
            reachable=True,
            platforms=tuple(dict.fromkeys((*node.preferred, *able))),
            buildkit=_version(fields.get("BuildKit version", "")),
            native=able[0] if able else "",
        )
        return _sized(engine, told, builder) if sizes else told
    if driver == nodes.CONTAINER and not fields.get("Error"):
        return _asleep(engine, node)
    reason = fields.get("Error") or problem or _why_not(engine, builder) or "it is not running"
    return replace(node, reason=plain(reason), platforms=node.preferred)


def _sized(engine: Engine, node: Node, builder: str) -> Node:
    """``node`` with its cache's size; one that does not tell it is not down, and says why."""
    usage = buildx.disk_usage(engine.docker, builder)
    said, problem = attempt(usage, engine.environment, COUNT_SECONDS)
    reason = f"the size of its cache: {plain(problem)}" if problem else ""
    return replace(node, cache_bytes=parse_total(said), reason=reason)


def _why_not(engine: Engine, builder: str) -> str:
    """Why a node does not answer, which inspecting it leaves out."""
    return attempt(buildx.disk_usage(engine.docker, builder), engine.environment)[1]


def _asleep(engine: Engine, node: Node) -> Node:
    """A node whose BuildKit does not run: a build starts it if its engine answers."""
    where = ("--host" if "://" in node.endpoint else "--context", node.endpoint)
    # The variable would win over --context.
    around = {**engine.environment, "DOCKER_HOST": ""} if "://" not in node.endpoint else None
    said, problem = attempt(
        (engine.docker, *where, "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"),
        engine.environment if around is None else around,
    )
    if problem:
        return replace(node, reason=plain(problem), platforms=node.preferred)
    native = platform_list(said.strip())
    return replace(
        node,
        reachable=True,
        reason="starts with the first build",
        platforms=node.preferred,
        native=native[0] if native else "",
    )


def attempt(
    argv: Sequence[str], environment: Mapping[str, str], seconds: float = ANSWER_SECONDS
) -> tuple[str, str]:
    """What a command printed in ``seconds``, and why it failed ("" if it did not)."""
    try:
        done = process.read(argv, env=environment, timeout=seconds, check=False)
    except OutOfReach as problem:
        late = f"no answer within {seconds:g} s"
        return "", late if late in str(problem) else str(problem)
    return done.stdout, "" if done.returncode == 0 else done.reason()


def plain(reason: str) -> str:
    """A reason in one line, without the layers of libraries that passed it on."""
    last = _PREFIX.sub("", reason.strip())
    desc = re.search(r'desc = "(?:transport: )?([^"]+)', last)
    return untrusted.shown(" ".join((desc[1] if desc else last).split()))


def _version(said: str) -> str:
    """BuildKit's version; a distribution's build within the engine does not know its own."""
    return "" if said == "v0.0.0+unknown" else said.removeprefix("v")


def _text(value: Any, where: str) -> str:
    return untrusted.shown(untrusted.text(value, where))


def _fixed(listed: Any, where: str) -> tuple[str, ...]:
    entries = untrusted.sequence(listed, f"{where}: its platforms")
    described = [untrusted.mapping(entry, f"{where}: a platform") for entry in entries]
    named = [
        {key: _text(entry.get(key, ""), f"{where}: {key}") for key in _PLATFORM_KEYS}
        for entry in described
    ]
    return tuple(registry.platform_name(entry) for entry in named)


def _described(platform: str) -> dict[str, str]:
    return dict(zip(_PLATFORM_KEYS, platform.split("/"), strict=False))
