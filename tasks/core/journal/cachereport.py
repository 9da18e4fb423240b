"""How much of a build came from the cache, what that saved, and why the rest did not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tasks.core.errors import UsageError
from tasks.core.journal import misses
from tasks.core.journal.misses import Miss
from tasks.core.journal.records import CACHED, RUN, SHARED, STEP, Record, StepRecord

#: What was not run for the target itself.
HITS = (CACHED, SHARED)


@dataclass(frozen=True)
class Rate:
    """A count of steps: taken from an earlier build, run for somebody else, run.

    Somebody else is another target of this build, or another build at the same time.
    """

    name: str
    cached: int
    shared: int
    run: int

    @property
    def steps(self) -> int:
        """All of them."""
        return self.cached + self.shared + self.run

    @property
    def percent(self) -> float | None:
        """Hits of all, in percent; what somebody else ran is none. None without steps."""
        return 100 * self.cached / self.steps if self.steps else None


@dataclass(frozen=True)
class CacheReport:
    """The cache's part in one build.

    ``saved_seconds`` is what the cached steps took when they last ran, by older records; that many
    of them, ``unknown``, no record has seen run.
    """

    record: Record
    whole: Rate
    by_target: tuple[Rate, ...]
    by_stage: tuple[Rate, ...]
    saved_seconds: float
    unknown: int
    misses: tuple[Miss, ...]

    @property
    def first_misses(self) -> tuple[Miss, ...]:
        """Those whose parents were hits: where it began."""
        return tuple(miss for miss in self.misses if miss.first)


def make(record: Record, earlier: Iterable[Record], patterns: Sequence[str] = ()) -> CacheReport:
    """Report on ``record``; ``earlier`` are older ones, the newest first.

    Raises UsageError for a pattern that none of its targets matches.
    """
    names = chosen(record, patterns)
    older = tuple(earlier)
    steps = [s for s in record.steps if s.kind == STEP and set(s.targets) & set(names)]
    saved, unknown = _saved(unique(steps), older)
    return CacheReport(
        record=record,
        whole=_rate("all", unique(steps)),
        by_target=tuple(
            _of_target(name, [s for s in steps if name in s.targets], _owners(steps))
            for name in names
        ),
        by_stage=_grouped(unique(steps), lambda step: _stage(record, step)),
        saved_seconds=saved,
        unknown=unknown,
        misses=misses.explain(record, older, names),
    )


def rate(record: Record) -> Rate:
    """How much of the whole build came from the cache."""
    return _rate("all", unique(step for step in record.steps if step.kind == STEP))


def chosen(record: Record, patterns: Sequence[str]) -> tuple[str, ...]:
    """The targets of ``record`` that match one of ``patterns``; all without any."""
    names = tuple(target.name for target in record.targets)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(
                f"--target {pattern!r} matches no target of record {record.id}; "
                f"it has: {', '.join(names)}"
            )
    if not patterns:
        return names
    return tuple(name for name in names if any(fnmatchcase(name, p) for p in patterns))


def unique(steps: Iterable[StepRecord]) -> tuple[StepRecord, ...]:
    """Every step once, by its key: one that ran anywhere in this build counts as run."""
    found: dict[str, StepRecord] = {}
    for step in steps:
        known = found.get(step.key)
        if known is None or (known.state in (CACHED, SHARED) and step.state not in HITS):
            found[step.key] = step
    return tuple(found.values())


def _owners(steps: Iterable[StepRecord]) -> dict[str, str]:
    """The target that is said to have run each step, by key: the first one by name."""
    found: dict[str, str] = {}
    for step in steps:
        if step.state not in HITS:
            found.setdefault(step.key, step.targets[0])
    return found


def _of_target(name: str, steps: Sequence[StepRecord], owners: dict[str, str]) -> Rate:
    mine = unique(steps)
    cached = sum(step.state == CACHED for step in mine)
    shared = sum(
        step.state == SHARED or (step.state == RUN and owners[step.key] != name) for step in mine
    )
    return Rate(name, cached, shared, len(mine) - cached - shared)


def _rate(name: str, steps: Sequence[StepRecord]) -> Rate:
    cached = sum(step.state == CACHED for step in steps)
    shared = sum(step.state == SHARED for step in steps)
    return Rate(name, cached, shared, len(steps) - cached - shared)


def _grouped(steps: Iterable[StepRecord], name_of: Callable[[StepRecord], str]) -> tuple[Rate, ...]:
    groups: dict[str, list[StepRecord]] = {}
    for step in steps:
        groups.setdefault(name_of(step), []).append(step)
    return tuple(_rate(name, groups[name]) for name in sorted(groups))


def _stage(record: Record, step: StepRecord) -> str:
    target = record.target(step.targets[0])
    place = target.dockerfile if target else ""
    stage = f"{place}: {step.stage or '(one stage)'}"
    return f"{stage} {step.platform}" if step.platform else stage


def _saved(steps: Iterable[StepRecord], older: Sequence[Record]) -> tuple[float, int]:
    """Seconds that the cached ``steps`` took when they last ran, and how many never did so."""
    wanted = {step.key for step in steps if step.state == CACHED}
    saved = 0.0
    for record in older:
        for step in record.steps:
            if step.key in wanted and step.state == RUN:
                wanted.remove(step.key)
                saved += step.seconds
        if not wanted:
            break
    return saved, len(wanted)
