"""Rows of bars, the one form that sizes, steps, hits and verdicts are drawn in.

Positions are percent of the chart's width: it fits every screen, and letters keep their size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.core.images.sizes import ImageSize
from tasks.core.journal.cachereport import Rate
from tasks.core.journal.records import CACHED, RUN, SHARED, STEP, StepRecord
from tasks.core.journal.timeline import Timeline
from tasks.core.proofs.verdicts import Status
from tasks.core.render import tables
from tasks.core.verifying.kept import Kept

#: A shorter step is in the table only.
SHORT_SECONDS = 0.05
MOST_STEPS = 60
#: Anything that is there can be seen.
LEAST_PERCENT = 0.4


@dataclass(frozen=True)
class Part:
    """A piece of a bar; ``kind`` is what it stands for, which the style sheet has a colour for."""

    start: float
    width: float
    kind: str
    title: str


@dataclass(frozen=True)
class Bar:
    """A row: what it is, a figure at its end, and its parts. ``strong``: it stands out."""

    label: str
    figure: str
    parts: tuple[Part, ...]
    strong: bool = False


def sizes(found: Sequence[ImageSize]) -> dict[str, tuple[Bar, ...]]:
    """By service: what is pulled, in front of what it unpacks to; all on one scale."""
    largest = max((one.unpacked_bytes for one in found), default=0) or 1
    groups: dict[str, list[Bar]] = {}
    for one in found:
        unpacked = tables.scaled(one.unpacked_bytes)
        parts = [
            _part(0, 100 * one.unpacked_bytes / largest, "unpacked", f"unpacked: {unpacked}"),
        ]
        figure = f"{unpacked} unpacked"
        if one.compressed_bytes is not None:
            pulled = tables.scaled(one.compressed_bytes)
            width = 100 * one.compressed_bytes / largest
            parts.append(_part(0, width, "pulled", f"pulled: {pulled}"))
            figure = f"{pulled} pulled"
        groups.setdefault(one.service, []).append(
            Bar(f"{one.target} · {one.platform}", figure, tuple(parts))
        )
    return {service: tuple(bars) for service, bars in sorted(groups.items())}


def steps(made: Timeline) -> tuple[Bar, ...]:
    """The steps that took long enough to be seen on one time axis; the others are in the table."""
    whole = made.seconds or 1.0
    critical = set(made.critical)
    least = max(SHORT_SECONDS, whole / 400)
    shown = [step for step in made.steps if step.seconds >= least]
    if len(shown) > MOST_STEPS:
        least = sorted((s.seconds for s in shown), reverse=True)[MOST_STEPS - 1]
        shown = [s for s in shown if s.seconds >= least or s.digest in critical]
    return tuple(
        Bar(
            step.name,
            f"{step.seconds:.2f} s",
            (
                _part(
                    100 * min(step.started_seconds / whole, 1.0),
                    100 * max(step.ended_seconds - step.started_seconds, 0.0) / whole,
                    "critical" if step.digest in critical else state(step),
                    f"{step.started_seconds:.2f} s to {step.ended_seconds:.2f} s, {state(step)}",
                ),
            ),
            strong=step.digest in critical,
        )
        for step in shown
    )


def state(step: StepRecord) -> str:
    """What became of a step; for what is no instruction, what it is."""
    known = (RUN, CACHED, SHARED)
    if step.kind != STEP:
        return "errand"
    return step.state if step.state in known else "failed"


def rates(found: Sequence[Rate]) -> tuple[Bar, ...]:
    """Steps of each target: from the cache, run for another target or build, run."""
    bars = []
    for rate in found:
        counts = {CACHED: rate.cached, SHARED: rate.shared, RUN: rate.run}
        hits = "no steps" if rate.percent is None else f"{rate.percent:.0f} % hits"
        bars.append(Bar(rate.name, f"{hits} of {rate.steps}", _stacked(counts)))
    return tuple(bars)


def verdicts(found: Sequence[Kept]) -> tuple[Bar, ...]:
    """Proofs of each target and platform: failed, passed, skipped."""
    places: dict[str, Counter[str]] = {}
    for one in found:
        verdict = one.verdict
        name = f"{verdict.target} · {verdict.platform}" if verdict.platform else verdict.target
        places.setdefault(name, Counter())[verdict.status.value] += 1
    bars = []
    for name, counts in places.items():
        failed, passed = counts[Status.FAILED.value], counts[Status.PASSED.value]
        ordered = {
            each.value: counts[each.value]
            for each in (Status.FAILED, Status.PASSED, Status.SKIPPED)
        }
        figure = f"{failed} failed" if failed else f"{passed} passed"
        bars.append(Bar(name, figure, _stacked(ordered), strong=failed > 0))
    return tuple(bars)


def _stacked(counts: dict[str, int]) -> tuple[Part, ...]:
    """Parts one after the other, that fill the width."""
    whole = sum(counts.values())
    parts, at = [], 0.0
    for kind, count in counts.items():
        if count:
            width = 100 * count / whole
            parts.append(_part(at, width, kind, f"{count} {kind}"))
            at += width
    return tuple(parts)


def _part(start: float, width: float, kind: str, title: str) -> Part:
    drawn = max(width, LEAST_PERCENT)
    return Part(round(min(start, 100 - LEAST_PERCENT), 3), round(drawn, 3), kind, title)
