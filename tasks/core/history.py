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

from tasks.core import builders, buildx, process
from tasks.core.endpoint import Engine

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

    @property
    def platform(self) -> str | None:
        """The platform that it was for, where BuildKit says one: "[linux/arm64 stage 2/3] …"."""
        found = _FOR.match(self.name)
        return self.only or (found["platform"] if found else None)


@dataclass(frozen=True)
class Trace:
    """What building one target took: its steps, and the seconds from its first to its last."""

    steps: tuple[Step, ...]
    seconds: float


@dataclass(frozen=True)
class Failure:
    """What broke a build: its step ("" if it was none), why, and the last lines it printed."""

    step: str
    reason: str
    log: tuple[str, ...]


def traces(engine: Engine, refs: Mapping[str, str]) -> dict[str, Trace]:
    """What building each target took, by target, from their build refs."""
    # "builder/node/id"
    places = {ref: (*ref.split("/")[:-1], "", "")[:2] for ref in refs.values()}
    builder = next((name for name, _ in places.values()), "")
    names = {node for _, node in places.values()}
    with builders.apart(engine, builder, names) as nodes, ThreadPoolExecutor(4) as pool:
        done = pool.map(lambda ref: _logs(nodes.get(places[ref][1], engine), ref), refs.values())
        return dict(zip(refs, done, strict=True))


def parse_trace(lines: Iterable[str]) -> Trace:
    """A trace from the JSON lines of ``history logs --progress=rawjson``.

    A vertex is reported many times as it goes on; the last word on each field counts.
    """
    vertexes: dict[str, dict[str, Any]] = {}
    for line in lines:
        if not line.startswith("{"):
            continue
        for vertex in json.loads(line).get("vertexes") or ():
            vertexes.setdefault(vertex["digest"], {}).update(vertex)
    done = {key: vertex for key, vertex in vertexes.items() if vertex.get("completed")}
    began = [_moment(vertex["started"]) for vertex in done.values() if vertex.get("started")]
    steps = tuple(
        Step(
            digest,
            vertex["name"],
            bool(vertex.get("cached")),
            _seconds(vertex),
            (_moment(vertex["completed"]) - min(began)).total_seconds() if began else 0.0,
        )
        for digest, vertex in done.items()
        if _STEP.match(vertex.get("name", ""))
    )
    ended = [_moment(vertex["completed"]) for vertex in done.values()]
    return Trace(steps, (max(ended) - min(began)).total_seconds() if began else 0.0)


def unique(groups: Iterable[Iterable[Step]]) -> tuple[Step, ...]:
    """Every step once; one that ran anywhere counts as run."""
    found: dict[str, Step] = {}
    for step in (step for group in groups for step in group):
        known = found.get(step.digest)
        if known is None or known.cached:
            found[step.digest] = step
    return tuple(found.values())


def made_for(platform: str | None, steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps of a build for one ``platform`` (None: for several, as their names say)."""
    return tuple(replace(step, only=platform) for step in steps)


def failure(
    engine: Engine, since: datetime, root: Path, dockerfiles: Collection[str]
) -> Failure | None:
    """What broke the build of the repository at ``root`` that started at ``since``, if known.

    The engine's history is everybody's: builds of other checkouts are told apart by the folder
    that buildx noted down for each of its builds.
    """
    listed = process.read(
        buildx.history_list(engine.docker), env=engine.environment, check=False, timeout=60
    )
    for line in listed.stdout.splitlines():
        record = json.loads(line)
        if record.get("status") != "Error" or _moment(record["created_at"]) < since:
            continue
        folder = _folder_of(record["ref"], process.merged(engine.environment))
        if folder is not None and not folder.is_relative_to(root.resolve()):
            continue
        inspected = process.read(
            buildx.history_inspect(engine.docker, record["ref"].rpartition("/")[2]),
            env=engine.environment,
            check=False,
            timeout=60,
        )
        if inspected.returncode == 0:
            found = parse_failure(json.loads(inspected.stdout), dockerfiles)
            if found:
                return found
    return None


def _folder_of(ref: str, environment: Mapping[str, str]) -> Path | None:
    """The build context of ``ref`` (builder/node/id) by buildx's own notes; None without any."""
    config = environment.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    notes = Path(environment.get("BUILDX_CONFIG") or f"{config}/buildx") / "refs"
    try:
        noted = json.loads((notes / ref).read_text())
    except (OSError, ValueError):
        return None
    path = noted.get("LocalPath") if isinstance(noted, dict) else None
    return Path(path).resolve() if isinstance(path, str) and path else None


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


def _logs(engine: Engine, ref: str) -> Trace:
    done = process.read(
        buildx.history_logs(engine.docker, ref.rpartition("/")[2]),
        env=engine.environment,
        timeout=60,
    )
    return parse_trace(done.stderr.splitlines() + done.stdout.splitlines())


def _seconds(vertex: Mapping[str, Any]) -> float:
    if not vertex.get("started"):
        return 0.0
    return (_moment(vertex["completed"]) - _moment(vertex["started"])).total_seconds()


def _moment(text: str) -> datetime:
    """An RFC 3339 time; Python knows microseconds, BuildKit gives nanoseconds."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
