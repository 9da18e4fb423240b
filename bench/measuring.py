"""Build the sides of every case in turn, in a copy of the repository, and take the time of each."""

from __future__ import annotations

import secrets
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

from bench import edits
from bench.cases import Case, Side
from tasks.core import process, settings
from tasks.core.bake import builds, loading
from tasks.core.bake.builds import Wish
from tasks.core.errors import BuildFailed
from tasks.core.rebuilds import scratch
from tasks.core.rebuilds.measure import ATTEMPTS
from tasks.core.render.progress import minutes
from tasks.core.session import ROOT, Session

PROJECT = "slipway-bench"
#: What the settings of the person who measures must not change.
FIXED = (
    f"PROJECT={PROJECT}",
    "REGISTRY=slipway.bench",
    "VERSION=0.0.0",
    f"GIT_COMMIT={'0' * 40}",
    "BUILD_DATE=2026-01-01T00:00:00Z",
    "CACHE=off",
    "PROVENANCE=off",
    "SBOM=off",
)
#: What the copy is made of.
SOURCES = ("docker-bake.hcl", "backend", "frontend")


@dataclass(frozen=True)
class Job:
    """One build: ``side`` ("a" or "b") of a case. ``run`` counts from 0; None is to warm up."""

    case: Case
    service: str
    side: str
    run: int | None

    @property
    def built(self) -> Side:
        """How it is built."""
        return self.case.a if self.side == "a" else self.case.b

    @property
    def kind(self) -> tuple[str, str, str, bool]:
        """Jobs of one kind take about the same time."""
        return self.case.name, self.service, self.side, self.run is None


@dataclass(frozen=True)
class Timing:
    """What a job took, in seconds; where it was ``stopped`` it would have taken longer."""

    job: Job
    seconds: float
    stopped: bool = False


def plan(cases: Sequence[Case], services: Sequence[str], runs: int) -> tuple[Job, ...]:
    """Every build in its order: both sides of one service always follow each other."""
    jobs: list[Job] = []
    for case in cases:
        jobs += [Job(case, one, side, None) for one in services for side in case.warmed]
        for run in range(runs):
            jobs += [Job(case, one, side, run) for one in services for side in case.sides]
    return tuple(jobs)


def remaining_seconds(jobs: Sequence[Job], done: Sequence[Timing]) -> float:
    """What ``jobs`` will take: by those of their kind that are done, else by the first guess."""
    known: dict[tuple[str, str, str, bool], list[float]] = {}
    for timing in done:
        known.setdefault(timing.job.kind, []).append(timing.seconds)
    return sum(
        median(known[job.kind]) if job.kind in known else job.built.guess_seconds for job in jobs
    )


def measure(jobs: Sequence[Job], done: list[Timing]) -> None:
    """Build ``jobs`` one after the other; each timing goes to ``done`` as soon as it is known.

    Whatever happens, the images and the copy are removed. Raises what ``builds.build`` raises.
    """
    mark = secrets.token_hex(3)
    with _copy() as root, scratch.images_removed(session(root).engine, PROJECT):
        for number, job in enumerate(jobs):
            if job.side == "a":
                _change(root, job, mark)
            left = remaining_seconds(jobs[number:], done)
            process.note(
                f"[{number + 1}/{len(jobs)}] {described(job)} … about {minutes(left)} left"
            )
            done.append(_counting(root, job, _enough_seconds(job, done), mark))
            stopped = ", and was stopped" if done[-1].stopped else ""
            process.note(f"    {done[-1].seconds:.1f} s{stopped}")


def described(job: Job) -> str:
    """A job, for the person who waits."""
    run = "warming up" if job.run is None else f"run {job.run + 1}"
    platforms = f" for {', '.join(job.built.platforms)}" if job.built.platforms else ""
    return f"{job.case.name}: {job.built.target(job.service)}{platforms}, {run}"


def _change(root: Path, job: Job, mark: str) -> None:
    """Make the change that the case is about, in a way that no build has seen."""
    if job.run is not None and job.case.edit is not None:
        job.case.edit(root, job.service, job.run, mark)


def _counting(root: Path, job: Job, enough_seconds: float, mark: str) -> Timing:
    """A build of which no part was done twice. Raises BuildFailed where each one was."""
    for attempt in range(ATTEMPTS):
        if attempt:
            process.note("    does not count, a part of it was done twice: once more …")
            _change(root, job, f"{mark}.{attempt}")
        timing = _timed(root, job, enough_seconds)
        if timing is not None:
            return timing
    raise BuildFailed(f"{described(job)}: {loading.RACE}, {ATTEMPTS} times in a row")


class _Enough(KeyboardInterrupt):
    """Stops a build in the way that Ctrl-C does: it ends what it started."""


def _enough_seconds(job: Job, done: Sequence[Timing]) -> float:
    """After how long a build is stopped; 0 for one that is built to its end."""
    if job.case.enough is None or job.side == "b" or job.run is None:
        return 0.0
    return job.case.enough * done[-1].seconds


def _timed(root: Path, job: Job, enough_seconds: float) -> Timing | None:
    def stop(*_: object) -> None:
        raise _Enough

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, enough_seconds)
    try:
        seconds = _build(root, job)
    except _Enough:
        return Timing(job, enough_seconds, stopped=True)  # to stop it takes seconds, too
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return None if seconds is None else Timing(job, seconds)


def _build(root: Path, job: Job) -> float | None:
    """The seconds from nothing known to the image in the engine, as a task goes about it.

    None where a part was done twice.
    """
    wish = Wish(
        no_cache=job.case.cold and job.run is not None,
        as_layouts=job.built.as_layouts,
        platforms=job.built.platforms,
    )
    started = monotonic()
    made = builds.build(session(root, job.built.platforms), [job.built.target(job.service)], wish)
    seconds = monotonic() - started
    if made is None or not made.targets:
        raise BuildFailed(f"{job.built.target(job.service)}: nothing was built")
    return None if made.repeated else seconds


def session(root: Path, platforms: Sequence[str] = ()) -> Session:
    """A session in the copy at ``root``, with the settings of the repository it is a copy of."""
    chosen = [f"PLATFORMS={','.join(platforms)}"] if platforms else []
    loaded = settings.load(ROOT, overrides=[*FIXED, *chosen])
    config: Mapping[str, object] = {}
    return Session(root, loaded, (), False, config)


@contextmanager
def _copy() -> Iterator[Path]:
    """What of the repository is built, and not committed changes too, prepared for measuring."""
    with tempfile.TemporaryDirectory(prefix=f"{PROJECT}-") as name:
        root = Path(name)
        scratch.copy_tree(ROOT, root, SOURCES)
        edits.prepare(root)
        yield root
