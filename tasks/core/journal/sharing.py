"""Steps that two builds share which are at work at the same time, and what that costs.

BuildKit runs such a step once. For the build that comes second it then looks for no cache behind
it, until the first one is over: https://github.com/moby/buildkit/issues/4674.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from tasks.core.journal.differences import BESIDE, Reason, shown
from tasks.core.journal.records import CACHED, RUN, SHARED, Record, StepRecord


def foreign(record: Record) -> set[str]:
    """The keys of the steps of ``record`` that another build ran."""
    mine = {step.key for step in record.steps if step.state == RUN}
    return {step.key for step in record.steps if step.state == SHARED} - mine


def reasons(
    step: StepRecord, by_digest: Mapping[str, StepRecord], shared: Collection[str]
) -> tuple[Reason, ...]:
    """Why ``step`` ran though nothing differs: the nearest step before it of `foreign`, or ()."""
    for above in _missed(step, by_digest):
        if above.key in shared:
            behind = f"another build, still at work, had run {shown(above.name, 60)}"
            return (Reason(BESIDE, f"beside: {behind}; BuildKit looks for no cache behind that"),)
    return ()


def _missed(step: StepRecord, by_digest: Mapping[str, StepRecord]) -> Iterator[StepRecord]:
    """What ``step`` waits for, the nearest first; nothing behind what the cache was asked for."""
    waiting, seen = list(step.inputs), set(step.inputs)
    for digest in waiting:
        if digest in by_digest and by_digest[digest].state != CACHED:
            yield by_digest[digest]
            new = [one for one in by_digest[digest].inputs if one not in seen]
            waiting.extend(new)
            seen.update(new)
