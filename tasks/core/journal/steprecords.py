"""BuildKit's graphs of one bake call -> every step once, with its state and its key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tasks.core.journal import graph, recipe
from tasks.core.journal.graph import Place, Vertex
from tasks.core.journal.recipe import Given, Line
from tasks.core.journal.records import (
    BASE,
    BROKE,
    CACHED,
    EXPORT,
    INTERNAL,
    RUN,
    SHARED,
    STEP,
    STOPPED,
    BaseRecord,
    StepRecord,
    TargetRecord,
)

_BASE = re.compile(
    r"(?:\[[^]]*\] FROM (?P<reference>\S+?)|\[context (?P<context>[^]]+)\] (?!load )\S+?)"
    r"@(?P<digest>sha256:[0-9a-f]{64})"
)
_CONTEXT = "[internal] load build context"


@dataclass(frozen=True)
class Seen:
    """One vertex, the targets that needed it, and the platform where the build had only one."""

    vertex: Vertex
    targets: tuple[str, ...]
    only: str | None


def gather(
    traced: Mapping[str, Sequence[Vertex]],
    owners: Mapping[str, str],
    only: Mapping[str, str],
) -> dict[str, Seen]:
    """Every vertex once, by digest; one that ran anywhere counts as run.

    ``traced`` is by bake target; ``owners`` has the target that each is a part of, and ``only`` its
    platform, if it was built for one.
    """
    found: dict[str, Seen] = {}
    for name, vertexes in traced.items():
        for vertex in vertexes:
            known = found.get(vertex.digest)
            owner = owners.get(name, name)
            if known is None:
                found[vertex.digest] = Seen(vertex, (owner,), only.get(name))
                continue
            ran = min(known.vertex, vertex, key=lambda one: (one.cached, one.foreign))
            found[vertex.digest] = Seen(
                ran, tuple(dict.fromkeys((*known.targets, owner))), known.only
            )
    return found


def make(
    seen: Mapping[str, Seen], targets: Mapping[str, TargetRecord], hide: Callable[[str], str]
) -> tuple[StepRecord, ...]:
    """The steps in the order in which they began. ``hide`` masks secrets in what is kept."""
    if not seen:
        return ()
    began = min(each.vertex.started for each in seen.values())
    places = _places(seen, targets)
    keys = _keys(seen, places, targets)
    made = [
        _step(each, places[digest], keys[digest], began, hide)
        for digest, each in sorted(seen.items(), key=lambda pair: pair[1].vertex.started)
    ]
    ran = {step.key for step in made if step.kind == STEP and step.state == RUN}
    return tuple(
        replace(step, state=SHARED) if step.state == CACHED and step.key in ran else step
        for step in made
    )


def bases(seen: Iterable[Seen], target: str) -> tuple[BaseRecord, ...]:
    """The base images of ``target`` by what BuildKit resolved."""
    found: dict[BaseRecord, None] = {}
    for each in seen:
        match = _BASE.match(each.vertex.name) if target in each.targets else None
        if match:
            place = graph.place(each.vertex.name)
            platform = (place.platform if place else None) or each.only
            name = match["reference"] or match["context"].split()[-1]
            found[BaseRecord(name, match["digest"], platform)] = None
    return tuple(found)


def _places(
    seen: Mapping[str, Seen], targets: Mapping[str, TargetRecord]
) -> dict[str, Place | None]:
    """Where every vertex stands.

    BuildKit counts a base image as its stage's first step, but gives that number to the step behind
    it where the base is a named context: such stages are counted on by one.
    """
    found = {digest: graph.place(each.vertex.name) for digest, each in seen.items()}
    early = {
        (place.stage, place.of, name)
        for place, each in zip(found.values(), seen.values(), strict=True)
        for name in each.targets
        if place and place.number == 1 and not place.instruction.startswith("FROM ")
    }
    for digest, place in found.items():
        for name in seen[digest].targets if place else ():
            target = targets.get(name)
            if place is None or target is None or (place.stage, place.of, name) not in early:
                continue
            if _steps_in(target, place.stage) == place.of - 1:
                found[digest] = replace(place, number=place.number + 1)
                break
    return found


def _steps_in(target: TargetRecord, stage: str) -> int:
    at = recipe.position(target.stages, stage)
    if at is None:
        return 0
    return sum(each.name in recipe.STEPS for each in target.stages[at].instructions)


def _step(
    each: Seen, place: Place | None, key: str, began: datetime, hide: Callable[[str], str]
) -> StepRecord:
    vertex = each.vertex
    from_ = place is not None and place.instruction.startswith("FROM ")
    base = from_ or _BASE.match(vertex.name) is not None
    numbered = place is not None and not from_
    return StepRecord(
        digest=vertex.digest,
        name=hide(vertex.name),
        kind=BASE if base else STEP if numbered else _errand(vertex.name),
        state=_state(vertex),
        targets=tuple(sorted(each.targets)),
        inputs=vertex.inputs,
        key=key,
        instruction=hide(place.instruction) if place else "",
        stage=place.stage if place else "",
        number=place.number if place else 0,
        of=place.of if place else 0,
        platform=(place.platform if place else None) or each.only,
        started_seconds=round((vertex.started - began).total_seconds(), 6),
        ended_seconds=round((vertex.ended - began).total_seconds(), 6),
        seconds=round(vertex.seconds, 6),
        transferred_bytes=vertex.transferred_bytes,
        error=hide(vertex.error),
    )


def _errand(name: str) -> str:
    return EXPORT if graph.is_export(name) else INTERNAL


def _state(vertex: Vertex) -> str:
    if vertex.error:
        return STOPPED if "context canceled" in vertex.error else BROKE
    if vertex.foreign:
        return SHARED
    return CACHED if vertex.cached else RUN


def _keys(
    seen: Mapping[str, Seen],
    places: Mapping[str, Place | None],
    targets: Mapping[str, TargetRecord],
) -> dict[str, str]:
    """The key of every vertex, those that it waits for first.

    It is made of what the step says, what it is given, and its inputs' keys: of everything that
    BuildKit's own cache keys are made of but the content of files.
    """
    keys: dict[str, str] = {}
    begun: set[str] = set()
    for start in seen:
        waiting = [start]
        while waiting:
            digest = waiting[-1]
            open_ones = [
                one
                for one in seen[digest].vertex.inputs
                if one in seen and one not in keys and one not in begun
            ]
            begun.add(digest)
            if open_ones and digest not in keys:
                waiting.extend(open_ones)
                continue
            waiting.pop()
            if digest not in keys:
                above = [keys.get(one, one) for one in seen[digest].vertex.inputs]
                keys[digest] = _key(seen[digest], places[digest], targets, above)
    return keys


def _key(
    each: Seen, place: Place | None, targets: Mapping[str, TargetRecord], above: Sequence[str]
) -> str:
    target = next((targets[name] for name in each.targets if name in targets), None)
    says: list[object] = [place.instruction if place else each.vertex.name]
    base = _BASE.match(each.vertex.name)
    if base:  # wherever it comes from, and whatever it is called: BuildKit knows it by its digest
        return hashlib.sha256(base["digest"].encode()).hexdigest()[:32]
    if place is None and each.vertex.name == _CONTEXT and target and target.context:
        says.append(target.context.path)
    platform = (place.platform if place else None) or each.only
    known = _given(place, target, platform) if place and target else None
    if known is not None:
        text, given = known
        says += [text, given.args, given.env, given.user, given.shell]
    content = json.dumps([*says, platform, list(above)], sort_keys=True, default=dict)
    return hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()[:32]


def _given(place: Place, target: TargetRecord, platform: str | None) -> tuple[str, Given] | None:
    """The whole text of a step, which BuildKit shortens, and what it is given."""
    at = recipe.position(target.stages, place.stage)
    if at is None:
        return None
    upto = recipe.index(target.stages, at, place.number, place.of)
    if upto is None:
        return None
    every = recipe.lines(target.stages, at)
    outer = [Line("", each.name, each.value) for each in target.globals]
    given = recipe.given(every, upto, arguments(target, platform), outer)
    return every[upto].text, given


def arguments(target: TargetRecord, platform: str | None) -> dict[str, str | None]:
    """The build arguments of a target, those that BuildKit sets by itself included.

    The value of one that looks secret is its keyed hash.
    """
    found: dict[str, str | None] = {}
    if platform:
        os_, _, rest = platform.partition("/")
        arch, _, variant = rest.partition("/")
        found = {
            "TARGETPLATFORM": platform,
            "TARGETOS": os_,
            "TARGETARCH": arch,
            "TARGETVARIANT": variant,
        }
    for name, each in target.args.items():
        found[name] = each.value if each.value is not None else each.hash
    return found
