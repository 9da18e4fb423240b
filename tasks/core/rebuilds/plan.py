"""Which builds are made, in which order, and how long they will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tasks.core.errors import UsageError
from tasks.core.rebuilds.results import COLD, SCENARIOS

#: How long one build takes as long as nothing is known; only the announced time hangs on it.
GUESS_SECONDS = 25.0
MOST_RUNS = 100


@dataclass(frozen=True)
class Job:
    """One build of a target. ``run`` counts from 0; None: it warms up and is not timed."""

    target: str
    scenario: str
    run: int | None

    @property
    def kind(self) -> tuple[str, str]:
        """Jobs of one kind take about the same time."""
        return self.target, self.scenario if self.run is not None else ""


def plan(targets: Sequence[str], scenarios: Sequence[str], runs: int) -> tuple[Job, ...]:
    """Every build in its order: first all once, untimed, then run after run.

    In a run the targets take turns, so that whatever else happens on the machine hits all alike.
    """
    chosen = [one for one in SCENARIOS if one in scenarios]
    jobs = [Job(target, COLD, None) for target in targets]
    for run in range(runs):
        jobs += [Job(target, one, run) for target in targets for one in chosen]
    return tuple(jobs)


def remaining_seconds(jobs: Sequence[Job], done: Sequence[tuple[Job, float]]) -> float:
    """What ``jobs`` will take: by those of their kind that are done, else as all did so far."""
    known: dict[tuple[str, str], list[float]] = {}
    for job, seconds in done:
        known.setdefault(job.kind, []).append(seconds)
    guess = median([seconds for _, seconds in done]) if done else GUESS_SECONDS
    return sum(_likely(known, job, guess) for job in jobs)


def scenarios_of(given: str) -> tuple[str, ...]:
    """What ``--scenario`` says, all of them for "". Raises UsageError for one that is not known."""
    words = [word.strip() for word in given.split(",") if word.strip()]
    for word in words:
        if word not in SCENARIOS:
            raise UsageError(f"--scenario {word!r}: expected some of {', '.join(SCENARIOS)}")
    return tuple(one for one in SCENARIOS if not words or one in words)


def runs_of(given: str) -> int:
    """What ``--runs`` says. Raises UsageError for no such number."""
    if not given.isdecimal() or not 1 <= int(given) <= MOST_RUNS:
        raise UsageError(f"--runs {given!r}: expected a number from 1 to {MOST_RUNS}")
    return int(given)


def _likely(known: Mapping[tuple[str, str], list[float]], job: Job, guess: float) -> float:
    return median(known[job.kind]) if job.kind in known else guess
