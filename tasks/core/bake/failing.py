"""Why a build failed, in one line: what it ran into, and what to do next."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tasks.core import process
from tasks.core.bake.definitions import Definition
from tasks.core.errors import BuildFailed, OutOfReach
from tasks.core.journal import history
from tasks.core.journal.history import Failure
from tasks.core.machines import builders
from tasks.core.machines.builders import Builder
from tasks.core.scanning import stage
from tasks.core.secrecy import masking
from tasks.core.session import Session

ANSWER_SECONDS = 20
#: On a busy machine the history knows of a failure a little after buildx does.
HISTORY_SECONDS, AGAIN_SECONDS = 1.5, 0.3
#: What a step mounts is longer than what it runs, and says nothing of why it failed.
_MOUNTS = re.compile(r"--mount=\S+\s+")


@dataclass(frozen=True)
class Explained:
    """The line to end with, and the step that broke where BuildKit knows it."""

    error: BuildFailed | OutOfReach
    failure: Failure | None = None


def explain(
    session: Session,
    definition: Definition,
    since: datetime,
    builder: str = "",
    platforms: Sequence[str] = (),
) -> Explained:
    """What broke the build that started at ``since``.

    ``builder`` is the one that was set, if any, and ``platforms`` what it built for. BuildKit's
    history knows the step even where the output scrolled by; but it knows nothing of a node that
    went away, which is therefore looked for first.
    """
    gone = _engine_gone(session)
    if gone:
        return Explained(
            OutOfReach(
                f"the engine at {session.engine.host} went away during the build: {gone}; "
                "see: inv engine.status"
            )
        )
    answering: set[str] = set()
    if builder:
        found = builders.inspect(session.engine, builder)
        said = lost(found, platforms)
        if said:
            return Explained(BuildFailed(said))
        answering = {node.name for node in found.nodes if node.reachable}
    files = _dockerfiles(definition)
    with builders.apart(session.engine, builder, answering) as nodes:
        engines = tuple(nodes.values()) or (session.engine,)
        until = time.monotonic() + HISTORY_SECONDS
        while True:
            for engine in engines:
                failed = history.failure(engine, since, session.root, files)
                if failed:
                    line = told(failed)
                    error = stage.unable(failed, line) or BuildFailed(line)
                    return Explained(error, failed)
            if time.monotonic() > until:
                return Explained(BuildFailed("the build failed: buildx says above why"))
            time.sleep(AGAIN_SECONDS)


def lost(builder: Builder, platforms: Sequence[str]) -> str:
    """Which node of ``builder`` went away that built some of ``platforms``; "" for none."""
    node = builders.missing(builder, platforms)
    if node is None:
        return ""
    cached = ": what the other nodes did is cached" if len(builder.nodes) > 1 else ""
    mend = f"bring it back and run this again{cached}"
    rest = builders.still(builder, platforms)
    if rest:
        mend += f"; or build without it: --platform {','.join(rest)}"
    where = f"node {node.name} ({masking.hide(node.endpoint)}) of builder {builder.name}"
    return f"the build failed: {where} was lost during it: {node.reason}; {mend}"


def told(failed: Failure) -> str:
    """A failed step in one line that steers no terminal."""
    said = f" ({failed.log[-1].strip()})" if failed.log else ""
    step = _MOUNTS.sub("", failed.step)
    place = f" at {step}" if step else ""
    line = process.plain(f"the build failed{place}: {failed.reason}{said}")
    return " ".join(line.split())


def _engine_gone(session: Session) -> str:
    """Why the engine does not answer any more; "" when it does."""
    alive = process.read(
        (session.engine.docker, "version", "--format", "{{.Server.Version}}"),
        env=session.engine.environment,
        check=False,
        timeout=ANSWER_SECONDS,
    )
    return alive.reason() if alive.returncode != 0 else ""


def _dockerfiles(definition: Definition) -> Collection[str]:
    """What BuildKit may call the Dockerfiles of this build."""
    names = {"Dockerfile"}  # one that is inline
    for name in definition.targets:
        stated = str(definition.raw["target"][name].get("dockerfile", "Dockerfile"))
        names |= {stated, Path(stated).name}
    return names
