"""Build every target in turn, in its copy, and take the time of each build."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from tasks.core import daemon, process
from tasks.core.bake import builds, loading
from tasks.core.bake.builds import Wish
from tasks.core.bake.definitions import Target
from tasks.core.errors import BuildFailed, SlipwayError, UsageError
from tasks.core.images import sizes
from tasks.core.proofs.policy import Policy
from tasks.core.rebuilds import edits, scratch
from tasks.core.rebuilds.plan import Job, plan, remaining_seconds
from tasks.core.rebuilds.results import COLD, DEPENDENCY, SOURCE, Measured, Run, Size, Subject
from tasks.core.render.progress import progress
from tasks.core.session import Session
from tasks.core.verifying import catalogue, policyfile

#: Their images travel as layouts, see ``exporting``; so they do here.
AS_LAYOUTS = ("multiarch", "optimized")
#: How often a build is made until the engine loses no layer on the way.
ATTEMPTS = 3
NOTHING_RAN = "no step ran anew: the change reaches none of them"


@dataclass
class Taken:
    """What is known of a target so far."""

    target: Target
    session: Session
    policy: Policy
    sizes: tuple[Size, ...] = ()
    platforms: tuple[str, ...] = ()
    runs: dict[str, list[Run]] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    failure: SlipwayError | None = None


@dataclass(frozen=True)
class Asked:
    """What is to be measured, the command that asks for it, and on which machine."""

    scenarios: Sequence[str]
    runs: int
    command: str
    machine: str


def measure(
    session: Session, targets: Sequence[Target], asked: Asked, found: dict[str, Subject]
) -> None:
    """Measure ``targets`` and put what was found into ``found``, by target, whatever happens.

    A target whose build fails is left out from then on; the first failure is raised at the end.
    The images and the copies are gone then, also after Ctrl-C.
    """
    with closing(daemon.connect(session.engine)) as client:
        as_layouts = daemon.has_containerd_store(client)
    with scratch.copies(session, targets) as sessions, _quiet():
        taken = {
            target.name: Taken(target, sessions[target.name], _policy(session, target))
            for target in targets
        }
        try:
            _run(taken, plan(tuple(taken), asked.scenarios, asked.runs), as_layouts)
        finally:
            for one in taken.values():
                if one.runs or one.reasons or one.sizes:
                    found[one.target.name] = _subject(one, asked)
    failures = [one.failure for one in taken.values() if one.failure]
    if failures:
        raise failures[0]


def _run(taken: Mapping[str, Taken], jobs: Sequence[Job], as_layouts: bool) -> None:
    done: list[tuple[Job, float]] = []
    with progress() as shown:
        for number, job in enumerate(jobs):
            one = taken[job.target]
            if one.failure or job.scenario in one.reasons:
                continue
            left = remaining_seconds(jobs[number:], done)
            shown.tell(number + 1, len(jobs), described(job), left)
            started = monotonic()
            try:
                _one(one, job, as_layouts and one.target.variant in AS_LAYOUTS)
            except (BuildFailed, UsageError) as error:
                _note(one, job, error)
            done.append((job, monotonic() - started))


def described(job: Job) -> str:
    """A job, for the person who waits."""
    return f"{job.target}: " + (
        "once beforehand" if job.run is None else f"{job.scenario}, run {job.run + 1}"
    )


def _one(one: Taken, job: Job, as_layouts: bool) -> None:
    """Make one build. What it is about is changed before the clock starts."""
    changes = job.run is not None and job.scenario in (SOURCE, DEPENDENCY)
    cold = job.scenario == COLD and job.run is not None
    for attempt in range(ATTEMPTS):
        if changes:
            _change(one, job, attempt)
            if job.scenario in one.reasons:
                return
        run = _timed(one, Wish(no_cache=cold, as_layouts=as_layouts, platforms=_platforms(one)))
        if job.run is None:
            one.sizes = _sizes(one)
            return
        if run is not None:
            one.runs.setdefault(job.scenario, []).append(run)
            return
        process.note(f"{described(job)} does not count: a part of it was done twice")
    raise BuildFailed(f"{job.target}: {loading.RACE}, {ATTEMPTS} times in a row")


def _timed(one: Taken, wish: Wish) -> Run | None:
    """From nothing known to the image in the engine, as its task goes about it.

    None where a part was done twice: the second time tells what a cache does, not the change.
    """
    started = monotonic()
    made = builds.build(one.session, [one.target.name], wish)
    seconds = monotonic() - started
    if made is None or not made.targets:
        raise BuildFailed(f"{one.target.name}: nothing was built")
    one.platforms = made.targets[-1].platforms
    if made.repeated:
        return None
    return Run(round(seconds, 3), len(made.steps), sum(step.cached for step in made.steps))


def _change(one: Taken, job: Job, attempt: int) -> None:
    """Change the copy; where nothing is known that could be changed, the reason is noted."""
    root, context = one.session.root, _context(one)
    source = job.scenario == SOURCE
    given = one.policy.source_file if source else one.policy.dependency_file
    found = edits.find_source if source else edits.find_dependencies
    path = Path(given) if given else found(context)
    if path is None:
        key = "source_file" if source else "dependency_file"
        what = "no source file" if source else "no file that names dependencies"
        one.reasons[job.scenario] = f"{what} was found; name one by {key} in the policy"
        return
    mark = f"{one.session.settings.project} {job.run}.{attempt}"
    if source:
        edits.change_source(context / path, one.policy.source_text or "", mark)
    else:
        edits.change_dependencies(context / path, job.run or 0, mark)
    one.changed[job.scenario] = (context / path).relative_to(root).as_posix()


def _context(one: Taken) -> Path:
    """The folder of the copy that the target is built from."""
    context = one.session.everything().targets[one.target.name].context
    assert context is not None  # noqa: S101 - scratch.copies takes no other
    return context


def _platforms(one: Taken) -> tuple[str, ...]:
    return one.session.settings.platforms if one.target.variant == "multiarch" else ()


def _sizes(one: Taken) -> tuple[Size, ...]:
    measured = sizes.measure(one.session, one.session.everything(), [one.target.name])
    return tuple(
        Size(
            each.platform,
            each.compressed_bytes,
            each.unpacked_bytes,
            each.layers,
            each.lookalike_bases,
        )
        for each in measured
    )


def _note(one: Taken, job: Job, error: SlipwayError) -> None:
    """A build that fails says so in its place; so does a file that cannot be changed."""
    line = " ".join(str(error).split())
    process.note(f"{job.target}: {line}")
    if isinstance(error, BuildFailed) or job.run is None:
        one.failure = one.failure or error
        one.reasons.setdefault(job.scenario, f"the build failed: {line}")
    else:
        one.reasons[job.scenario] = line


def _subject(one: Taken, asked: Asked) -> Subject:
    now = datetime.now(UTC).replace(microsecond=0)
    scenarios = []
    for name in asked.scenarios:
        runs = tuple(one.runs.get(name, ()))
        reason = one.reasons.get(name, "")
        if name in (SOURCE, DEPENDENCY) and runs and all(r.cached == r.steps for r in runs):
            reason = NOTHING_RAN
        if not runs and not reason:
            reason = f"the build failed: {one.failure}" if one.failure else "interrupted before it"
        scenarios.append(
            Measured(
                name,
                now,
                asked.command,
                asked.machine,
                runs,
                one.changed.get(name, ""),
                " ".join(reason.split()),
            )
        )
    return Subject(
        one.target.name,
        one.target.service,
        one.target.variant,
        one.platforms,
        one.sizes,
        asked.command,
        tuple(scenarios),
    )


def _policy(session: Session, target: Target) -> Policy:
    return policyfile.for_target(session.config, target.name, catalogue.IDS)


@contextmanager
def _quiet() -> Iterator[None]:
    """What is timed is the build, and a terminal full of steps would hide how far it all is."""
    before = os.environ.get("BUILDKIT_PROGRESS")
    os.environ.setdefault("BUILDKIT_PROGRESS", "quiet")
    try:
        yield
    finally:
        if before is None:
            del os.environ["BUILDKIT_PROGRESS"]
