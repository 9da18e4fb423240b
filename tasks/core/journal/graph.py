"""BuildKit's graph of one build: ``history logs --progress=rawjson`` -> vertexes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.core import untrusted
from tasks.core.untrusted import Malformed

#: "[linux/arm64 builder 2/5] RUN …", "[stage-1 1/3] FROM …", "[1/1] COPY …".
_NUMBERED = re.compile(
    r"\[(?:(?P<on>[a-z0-9]+/[a-z0-9/]+)(?:->(?P<platform>[a-z0-9]+/[a-z0-9/]+))? )?"
    r"(?:(?P<stage>[^\]\s]+) +)?(?P<number>[0-9]{1,6})/(?P<of>[0-9]{1,6})\] (?P<rest>.*)",
    re.DOTALL,
)
_EXPORT = ("exporting ", "importing ", "sending tarball", "pushing ", "preparing build cache")
_TRANSFER = ("transferring ", "sha256:")
_DEFINITION = "[internal] load build definition"
_FRACTION = re.compile(r"(\.\d{6})\d+")


@dataclass(frozen=True)
class Vertex:
    """One vertex that was done, or stopped. ``seconds`` leaves out the pauses between its parts.

    ``foreign``: another build, at work when this one began, had run it or was running it.
    """

    digest: str
    name: str
    inputs: tuple[str, ...]
    cached: bool
    started: datetime
    ended: datetime
    seconds: float
    transferred_bytes: int | None
    error: str
    foreign: bool = False


@dataclass(frozen=True)
class Place:
    """Where a vertex stands in a Dockerfile: its stage ("" if it has no name), the number there.

    ``platform`` is what it is for, where BuildKit says one, ``on`` what it runs on.
    """

    stage: str
    number: int
    of: int
    platform: str | None
    instruction: str


def place(name: str) -> Place | None:
    """What the name of a vertex says; None for an errand of BuildKit's own."""
    found = _NUMBERED.match(name)
    if found is None or name.startswith("[internal]"):
        return None
    platform = found["platform"] or found["on"]
    numbers = int(found["number"]), int(found["of"])
    return Place(found["stage"] or "", *numbers, platform, found["rest"])


def is_export(name: str) -> bool:
    """Whether a vertex is about what was built, and no step of it."""
    return name.startswith(_EXPORT)


def parse(lines: Iterable[str], since: datetime | None = None) -> tuple[Vertex, ...]:
    """Every vertex that was done, in the order in which they began.

    A vertex is reported many times as it goes on, and may work in several parts. Where builds side
    by side share a step, BuildKit tells each of them when the first one began it; what was before
    this build does not count. It begins when it loads its Dockerfile, which it shares with nobody,
    or at ``since``, when bake was called: a target that it is made from was built before.

    Lines that are no JSON object are somebody's notices. Raises Malformed for an object that is not
    BuildKit's.
    """
    told: dict[str, dict[str, Any]] = {}
    parts: dict[str, dict[datetime, datetime]] = {}
    moved: dict[str, dict[str, int]] = {}
    for line in lines:
        if not line.startswith("{"):
            continue
        event = untrusted.mapping(untrusted.parse(line.encode(), "the history"), "the history")
        for vertex in _objects(event, "vertexes"):
            digest = untrusted.text(vertex.get("digest"), "a vertex's digest")
            told.setdefault(digest, {}).update(vertex)
            if vertex.get("started") and vertex.get("completed"):
                began, ended = moment(vertex["started"]), moment(vertex["completed"])
                parts.setdefault(digest, {})[began] = ended
        for status in _objects(event, "statuses"):
            _count(status, moved)
    loads = [d for d in parts if str(told[d].get("name")).startswith(_DEFINITION)]
    starts = [min(parts[digest]) for digest in loads]
    build = min([*starts, *([since] if since else [])]) if starts else None
    made = [
        _vertex(digest, vertex, parts[digest], moved.get(digest, {}), build)
        for digest, vertex in told.items()
        if digest in parts
    ]
    return tuple(sorted(made, key=lambda vertex: vertex.started))


def moment(text: Any) -> datetime:
    """An RFC 3339 time; Python knows microseconds, BuildKit gives nanoseconds."""
    try:
        found = datetime.fromisoformat(_FRACTION.sub(r"\1", untrusted.text(text, "a time")))
    except ValueError:
        raise Malformed(f"no time: {str(text)[:40]!r}") from None
    if found.tzinfo is None:
        raise Malformed(f"a time without its zone: {str(text)[:40]!r}")
    return found


def _vertex(
    digest: str,
    told: Mapping[str, Any],
    parts: Mapping[datetime, datetime],
    moved: Mapping[str, int],
    build: datetime | None,
) -> Vertex:
    """One vertex; ``build`` is when its build began, None where that is not known."""
    first = min(parts)
    if build:
        parts = {max(a, build): max(b, build) for a, b in parts.items()}
    inputs = untrusted.sequence(told.get("inputs") or [], "a vertex's inputs")
    return Vertex(
        digest=digest,
        name=untrusted.text(told.get("name") or "", "a vertex's name"),
        inputs=tuple(untrusted.text(each, "an input") for each in inputs),
        cached=bool(told.get("cached")),
        started=min(parts),
        ended=max(parts.values()),
        seconds=sum(max((b - a).total_seconds(), 0.0) for a, b in parts.items()),
        transferred_bytes=sum(moved.values()) if moved else None,
        error=untrusted.text(told.get("error") or "", "a vertex's error"),
        foreign=min(parts) > first and not told.get("cached"),
    )


def _count(status: Mapping[str, Any], moved: dict[str, dict[str, int]]) -> None:
    """Note what one status line says was transferred: contexts, and layers of bases."""
    name, vertex, current = status.get("id"), status.get("vertex"), status.get("current")
    if not isinstance(name, str) or not isinstance(vertex, str) or not name.startswith(_TRANSFER):
        return
    if isinstance(current, int) and current > 0:
        known = moved.setdefault(vertex, {})
        known[name] = max(known.get(name, 0), current)


def _objects(event: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    for each in untrusted.sequence(event.get(key) or [], key):
        yield untrusted.mapping(each, key)
