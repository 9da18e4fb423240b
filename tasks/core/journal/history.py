"""What a build did, from BuildKit's own history."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.core import process
from tasks.core.bake import buildx
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.journal import graph
from tasks.core.journal.graph import Vertex
from tasks.core.machines import builders
from tasks.core.untrusted import Malformed

#: BuildKit names what a Dockerfile asked for "[stage 3/7] RUN …", its own errands "[internal] …".
#: FROM is left out: it resolves a name, each time anew, and is neither run nor cached.
_FOR = re.compile(r"\[(?:[a-z0-9/]+->)?(?P<platform>[a-z]+/[a-z0-9]+(?:/[a-z0-9]+)?) ")
_STEP = re.compile(r"\[(?!internal\])[^\]]*?\d+/\d+\] (?!FROM )")


@dataclass(frozen=True)
class Step:
    """One instruction of a Dockerfile as it was run, or taken from the cache."""

    digest: str
    name: str
    cached: bool
    seconds: float
    #: When it was done, in seconds from the start of the build.
    ended_seconds: float = 0.0
    #: The platform that the whole build was for, if it was one: BuildKit names none then.
    only: str | None = None
    #: Another build ran it, see `Vertex`.
    foreign: bool = False

    @property
    def platform(self) -> str | None:
        """The platform that it was for, where BuildKit says one: "[linux/arm64 stage 2/3] …"."""
        found = _FOR.match(self.name)
        return self.only or (found["platform"] if found else None)


@dataclass(frozen=True)
class Trace:
    """What building one target took: its steps, and the seconds from its first to its last.

    ``vertexes`` is all that BuildKit did for it, its own errands included.
    """

    steps: tuple[Step, ...]
    seconds: float
    vertexes: tuple[Vertex, ...] = ()


@dataclass(frozen=True)
class Failure:
    """What broke a build: its step ("" if it was none), why, and the last lines it printed."""

    step: str
    reason: str
    log: tuple[str, ...]


@dataclass(frozen=True)
class Past:
    """A build that BuildKit remembers; ``target`` is bake's, "" where buildx notes none."""

    ref: str
    target: str
    failed: bool


def traces(
    engine: Engine, refs: Mapping[str, str], since: datetime | None = None
) -> dict[str, Trace]:
    """What building each target took, by target, from their build refs; ``since``: see `graph`."""
    # "builder/node/id"
    places = {ref: (*ref.split("/")[:-1], "", "")[:2] for ref in refs.values()}
    builder = next((name for name, _ in places.values()), "")
    names = {node for _, node in places.values()}
    with builders.apart(engine, builder, names) as nodes, ThreadPoolExecutor(4) as pool:
        done = pool.map(
            lambda ref: _logs(nodes.get(places[ref][1], engine), ref, since), refs.values()
        )
        return dict(zip(refs, done, strict=True))


def parse_trace(lines: Iterable[str], since: datetime | None = None) -> Trace:
    """A trace from the JSON lines of ``history logs --progress=rawjson``."""
    vertexes = graph.parse(lines, since)
    if not vertexes:
        return Trace((), 0.0)
    began = min(vertex.started for vertex in vertexes)
    # Two targets that share a stage but take other files of the context have two digests for one
    # step: BuildKit runs one, and shows the other as cached beside it.
    ran = {vertex.name for vertex in vertexes if not vertex.cached}
    steps = tuple(
        Step(
            vertex.digest,
            vertex.name,
            vertex.cached,
            vertex.seconds,
            (vertex.ended - began).total_seconds(),
            foreign=vertex.foreign,
        )
        for vertex in vertexes
        if _STEP.match(vertex.name) and not (vertex.cached and vertex.name in ran)
    )
    ended = max(vertex.ended for vertex in vertexes)
    return Trace(steps, (ended - began).total_seconds(), vertexes)


def unique(groups: Iterable[Iterable[Step]]) -> tuple[Step, ...]:
    """Every step once; one that ran anywhere counts as run."""
    found: dict[str, Step] = {}
    for step in (step for group in groups for step in group):
        known = found.get(step.digest)
        if known is None or (step.cached, step.foreign) < (known.cached, known.foreign):
            found[step.digest] = step
    return tuple(found.values())


def made_for(platform: str | None, steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps of a build for one ``platform`` (None: for several, as their names say)."""
    return tuple(replace(step, only=platform) for step in steps)


def failure(
    engine: Engine, since: datetime, root: Path, dockerfiles: Collection[str]
) -> Failure | None:
    """What broke the build of the repository at ``root`` that started at ``since``, if known."""
    for past in since_then(engine, since, root):
        if not past.failed:
            continue
        inspected = process.read(
            buildx.history_inspect(engine.docker, past.ref.rpartition("/")[2]),
            env=engine.environment,
            check=False,
            timeout=60,
        )
        if inspected.returncode == 0:
            found = parse_failure(json.loads(inspected.stdout), dockerfiles)
            if found:
                return found
    return None


def since_then(engine: Engine, since: datetime, root: Path) -> tuple[Past, ...]:
    """The builds of the repository at ``root`` since then, the newest first.

    The engine's history is everybody's: builds of other checkouts are told apart by the folder
    that buildx noted down for each of its builds.
    """
    listed = process.read(
        buildx.history_list(engine.docker), env=engine.environment, check=False, timeout=60
    )
    found = []
    for line in listed.stdout.splitlines():
        record = json.loads(line)
        if graph.moment(record["created_at"]) < since:
            continue
        folder, target = _noted(record["ref"], process.merged(engine.environment))
        if folder is None or folder.is_relative_to(root.resolve()):
            found.append(Past(record["ref"], target, record.get("status") == "Error"))
    return tuple(found)


def _noted(ref: str, environment: Mapping[str, str]) -> tuple[Path | None, str]:
    """The context and the target of ``ref`` (builder/node/id) by buildx's notes, where known."""
    config = environment.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    notes = Path(environment.get("BUILDX_CONFIG") or f"{config}/buildx") / "refs"
    try:
        noted = json.loads((notes / ref).read_text())
    except (OSError, ValueError):
        return None, ""
    path, target = (
        noted.get(n) if isinstance(noted, dict) else None for n in ("LocalPath", "Target")
    )
    folder = Path(path).resolve() if isinstance(path, str) and path else None
    return folder, target if isinstance(target, str) else ""


def parse_failure(record: Mapping[str, Any], dockerfiles: Collection[str]) -> Failure | None:
    """What failed, from the JSON of ``history inspect``; None when another build was at fault.

    Targets of one bake call are stopped together: one that was only stopped says "canceled".
    """
    error = record.get("Error") or {}
    # "process <the whole script> did not complete successfully: exit code: 1": the end says it.
    message = str(error.get("Message") or "").rpartition("did not complete successfully: ")[2]
    lines = message.strip().splitlines()
    stopped = not lines or "context canceled" in message
    # One that was written for this build is known by its whole path.
    name = Path(str(record.get("Dockerfile") or "Dockerfile")).name
    if stopped or not {name, record.get("Dockerfile")} & set(dockerfiles):
        return None
    return Failure(str(error.get("Name") or ""), lines[0], tuple(error.get("Logs") or ()))


def _logs(engine: Engine, ref: str, since: datetime | None) -> Trace:
    done = process.read(
        buildx.history_logs(engine.docker, ref.rpartition("/")[2]),
        env=engine.environment,
        timeout=60,
    )
    try:
        return parse_trace(done.stderr.splitlines() + done.stdout.splitlines(), since)
    except Malformed as problem:
        raise OutOfReach(f"{process.shown(done.argv)}: {problem}") from None
