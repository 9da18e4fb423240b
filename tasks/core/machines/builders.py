"""Builders of buildx: which nodes they have, and what those can build while they answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from tasks.core import endpoint, process, untrusted
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.machines import probing
from tasks.core.machines.probing import Node, Noted
from tasks.core.secrecy import masking

#: How a builder reaches buildx: by this variable only.
ENV = endpoint.BUILDER
DOCKER = "docker"


@dataclass(frozen=True)
class Builder:
    """A builder of buildx. The nodes stand in buildx's order, which decides who builds what."""

    name: str
    driver: str
    nodes: tuple[Node, ...]

    @property
    def loads_images(self) -> bool:
        """Whether what is built is in the engine at once."""
        return self.driver == DOCKER


def inspect(engine: Engine, name: str, *, sizes: bool = False) -> Builder:
    """The builder ``name`` ("": the one that buildx would use), every node asked if it answers.

    With ``sizes`` those that do are asked for their cache's size too, which a build need not know.
    A silent node takes ``probing.ANSWER_SECONDS``, or twice that where it answers a part. Raises
    UsageError when there is no such builder.
    """
    wanted = name or current(engine)
    noted = probing.read_note(probing.notes(engine) / "instances" / wanted.lower())
    if noted is None:
        return _of_context(engine, wanted, sizes=sizes)
    with ThreadPoolExecutor(max(len(noted.nodes), 1)) as pool:
        asked = pool.map(
            lambda at: probing.probed(engine, noted, at, sizes=sizes), range(len(noted.nodes))
        )
        return Builder(noted.name, noted.driver, tuple(asked))


def every(engine: Engine) -> tuple[Builder, ...]:
    """All builders, with their caches' sizes: those made, and one for each docker context."""
    folder = probing.notes(engine) / "instances"
    notes = sorted(folder.iterdir()) if folder.is_dir() else []
    names = [path.name for path in notes if probing.read_note(path) is not None]
    names += [context for context in contexts(engine) if context not in names]
    process.note(f"asking the nodes of {', '.join(names)} …")
    with ThreadPoolExecutor(max(len(names), 1)) as pool:
        return tuple(pool.map(lambda name: inspect(engine, name, sizes=True), names))


def exists(engine: Engine, name: str) -> bool:
    """Whether buildx knows ``name``, as a builder that was made or as a docker context."""
    return (probing.notes(engine) / "instances" / name.lower()).exists() or name in contexts(engine)


def noted(engine: Engine, name: str) -> Noted | None:
    """What buildx has noted about ``name``, without asking any node; None for a context's."""
    return probing.read_note(probing.notes(engine) / "instances" / name.lower())


@contextmanager
def apart(engine: Engine, builder: str, names: Collection[str]) -> Iterator[dict[str, Engine]]:
    """The nodes called ``names`` of ``builder``, each as ``engine`` with that node alone.

    Asked for what a node remembers, buildx asks all the others too, and fails when one is down.
    """
    known = noted(engine, builder)
    with ExitStack() as stack:
        yield {
            node.name: stack.enter_context(probing.alone(engine, known, at))
            for at, node in enumerate(known.nodes if known else ())
            if known and len(known.nodes) > 1 and node.name in names
        }


def current(engine: Engine) -> str:
    """The builder that buildx uses when nobody names one."""
    around = process.merged(engine.environment)
    if around.get(ENV):
        return around[ENV]
    mine = own(engine)
    try:
        chosen = json.loads((probing.notes(engine) / "current").read_bytes())
    except (OSError, ValueError):
        return mine
    name = chosen.get("Name") if isinstance(chosen, dict) else None
    if not isinstance(name, str) or not name:
        return mine
    key = around.get("DOCKER_HOST") or mine
    return name if chosen.get("Global") or chosen.get("Key") == key else mine


def own(engine: Engine) -> str:
    """The builder that the engine itself is."""
    return "default" if process.merged(engine.environment).get("DOCKER_HOST") else _context(engine)


def contexts(engine: Engine) -> tuple[str, ...]:
    """The names of the docker contexts."""
    done = process.read(
        (engine.docker, "context", "ls", "--format", "{{.Name}}"),
        env=engine.environment,
        timeout=probing.ANSWER_SECONDS,
    )
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())


def unknown(name: str) -> str:
    """What to say when there is no builder ``name``."""
    return (
        f"there is no builder {untrusted.shown(name)!r}; see inv builder.list, "
        "or make one: inv builder.create"
    )


def require(builder: Builder, platforms: Sequence[str], *, cross: bool = False) -> None:
    """Raise OutOfReach when a node that buildx needs for ``platforms`` is down.

    The line names the node, why, and what can still be built; without ``platforms`` the first
    node builds for itself. With ``cross`` nothing runs on the target platform, so that any node
    can build for any platform.
    """
    gone = missing(builder, platforms)
    if gone is not None:
        raise OutOfReach(_down(builder, gone, platforms))
    for platform in platforms if not cross else ():
        if chosen(builder, platform) is None and not _may_run(builder, platform):
            able = ", ".join(_offered(builder)) or "nothing"
            raise OutOfReach(
                f"no node of builder {builder.name} builds {platform}; it builds {able}: "
                "add a node with inv builder.create, or leave the platform out"
            )


def missing(builder: Builder, platforms: Sequence[str]) -> Node | None:
    """The first node that is down and that buildx needs for ``platforms``; None if all answer."""
    down = [node for node in builder.nodes if not node.reachable]
    for platform in platforms or ("",):
        node = chosen(builder, platform)
        if node is not None and not node.reachable:
            return node
        if node is None and down:
            # buildx asks all of its nodes for a platform that none was given, and waits in vain.
            return down[0]
    return None


def chosen(builder: Builder, platform: str) -> Node | None:
    """The node that buildx takes for ``platform`` without asking any; None when it asks them all.

    That is the first to which the platform was given; of one node alone, that node.
    """
    if len(builder.nodes) == 1 or (not platform and builder.nodes):
        only = builder.nodes[0]
        return only if not only.reachable or not platform else None
    return next((node for node in builder.nodes if platform in node.preferred), None)


def still(builder: Builder, platforms: Sequence[str]) -> tuple[str, ...]:
    """Those of ``platforms`` that buildx can build while some of the nodes are down."""
    picked = ((platform, chosen(builder, platform)) for platform in platforms)
    return tuple(platform for platform, node in picked if node is not None and node.reachable)


def _of_context(engine: Engine, name: str, *, sizes: bool) -> Builder:
    """The builder that a docker context is: one node, the engine itself."""
    if name not in contexts(engine):
        raise UsageError(unknown(name))
    node = Node(name, name, reachable=False, reason="", platforms=(), buildkit="")
    told = replace(engine, environment={**engine.environment, ENV: name})
    return Builder(name, DOCKER, (probing.asked(told, DOCKER, node, name, sizes=sizes),))


def _may_run(builder: Builder, platform: str) -> bool:
    # A node that has not started yet has not told its platforms.
    return any(not node.platforms or platform in node.platforms for node in builder.nodes)


def _offered(builder: Builder) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for node in builder.nodes for name in node.platforms))


def _down(builder: Builder, node: Node, platforms: Sequence[str]) -> str:
    rest = still(builder, platforms or _offered(builder))
    mend = "bring it back, or make the builder without it; nothing can be built meanwhile"
    if rest:
        mend = f"without it can still be built: --platform {','.join(rest)}"
    where = f"node {node.name} ({masking.hide(node.endpoint)}) of builder {builder.name}"
    return f"{where} is down: {node.reason}; {mend}"


def _context(engine: Engine) -> str:
    said, problem = probing.attempt((engine.docker, "context", "show"), engine.environment)
    return "default" if problem else said.strip()
