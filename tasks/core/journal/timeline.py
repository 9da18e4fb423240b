"""Where the seconds of a build went: the longest chain of waits through BuildKit's graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.core.journal.records import RUN, STEP, Record, StepRecord


@dataclass(frozen=True)
class Timeline:
    """The steps of a build in the order in which they began, and what the whole waited for.

    ``critical`` are the digests on the critical path, the first one first: each step's latest input
    before it. ``longest`` is the longest step that ran on it, ``saved_seconds`` what would be saved
    if that took no time: the next path is then the longest. ``seconds`` is from the first start to
    the last end.
    """

    record: Record
    steps: tuple[StepRecord, ...]
    critical: tuple[str, ...]
    seconds: float
    longest: StepRecord | None
    saved_seconds: float


def make(record: Record) -> Timeline:
    """The timeline of ``record``."""
    steps = {step.digest: step for step in record.steps}
    seconds = max((step.ended_seconds for step in record.steps), default=0.0)
    critical = _critical(record.steps, steps)
    on_path = [steps[digest] for digest in critical]
    longest = max(
        (step for step in on_path if step.kind == STEP and step.state == RUN),
        key=lambda step: step.seconds,
        default=None,
    )
    saved = _saved(record.steps, steps, longest) if longest else 0.0
    return Timeline(record, record.steps, critical, seconds, longest, saved)


def _critical(ordered: Sequence[StepRecord], steps: Mapping[str, StepRecord]) -> tuple[str, ...]:
    """From the step that ended last back over whatever each one waited for last.

    BuildKit's exports name no inputs: they wait for the last step of their target. It stamps steps
    from the cache after the last that ran, all alike: of those the one counts that work led to.
    """
    if not ordered:
        return ()
    worked = _worked(ordered, steps)
    at: StepRecord | None = max(
        reversed(ordered), key=lambda step: (step.ended_seconds, worked[step.digest])
    )
    path: list[str] = []
    while at is not None and at.digest not in path:
        path.insert(0, at.digest)
        waited = waits_for(at, ordered, steps)
        at = max(waited, key=lambda step: (step.ended_seconds, worked[step.digest]), default=None)
    return tuple(path)


def _worked(ordered: Sequence[StepRecord], steps: Mapping[str, StepRecord]) -> dict[str, float]:
    """When the last step ended that ran, among each step and what it waited for; 0.0 for none."""
    found: dict[str, float] = {}
    for step in ordered:
        if step.kind == STEP and step.state == RUN:
            found[step.digest] = step.ended_seconds
            continue
        waited = waits_for(step, ordered, steps)
        found[step.digest] = max((found.get(each.digest, 0.0) for each in waited), default=0.0)
    return found


def waits_for(
    step: StepRecord, ordered: Sequence[StepRecord], steps: Mapping[str, StepRecord]
) -> list[StepRecord]:
    """What ``step`` could not begin without.

    By its inputs; what has none, by time: BuildKit reads the Dockerfile before it asks for bases,
    and has every step of a target before it exports.
    """
    known = [steps[digest] for digest in step.inputs if digest in steps]
    if known:
        return known
    return [
        each
        for each in ordered
        if each.digest != step.digest
        and set(each.targets) & set(step.targets)
        and each.ended_seconds <= step.started_seconds
    ]


def _saved(
    ordered: Sequence[StepRecord], steps: Mapping[str, StepRecord], without: StepRecord
) -> float:
    """How much sooner the last step would end, if ``without`` took no time and all else as long.

    Every step is put as early as what it waited for allows; what it waited beyond that (for a
    processor, for the network) is kept.
    """

    def last_end(skipped: str) -> float:
        ends: dict[str, float] = {}
        for step in ordered:
            waited = waits_for(step, ordered, steps)
            real = max((each.ended_seconds for each in waited), default=0.0)
            begin = max((ends.get(each.digest, each.ended_seconds) for each in waited), default=0.0)
            idle = max(step.started_seconds - real, 0.0)
            took = 0.0 if step.digest == skipped else step.ended_seconds - step.started_seconds
            ends[step.digest] = begin + idle + took
        return max(ends.values(), default=0.0)

    return max(last_end("") - last_end(without.digest), 0.0)
