"""From nothing to proven images: every stage in order, and one summary at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.core import process, testing
from tasks.core.bake import builds, needs
from tasks.core.bake.definitions import TESTING
from tasks.core.command import translated
from tasks.core.errors import SlipwayError
from tasks.core.images import sizes
from tasks.core.proofs import verdicts
from tasks.core.proofs.verdicts import Verdict
from tasks.core.render import build as build_table
from tasks.core.render import output, tables
from tasks.core.render import verdicts as verdict_table
from tasks.core.session import Session
from tasks.core.verifying import verification

#: A stage does its work, prints its result, and returns one line for the summary.
Stage = Callable[[Session], str]


#: The groups that it builds, in this order.
BUILT = ("baseline", "multistage")
NOT_RUN = "dry run: nothing done"


@dataclass(frozen=True)
class Outcome:
    """How one stage ended: "ok", "FAILED" or "not run"; seconds it took; one line."""

    stage: str
    status: str
    seconds: float
    message: str


def run(session: Session) -> None:
    """Run the stages up to the first that fails, then print the summary and raise its error."""
    outcomes: list[Outcome] = []
    failure: SlipwayError | None = None
    for name, stage in STAGES:
        if failure is not None:
            outcomes.append(Outcome(name, "not run", 0.0, "-"))
            continue
        process.note(f"=== {name}")
        began = time.monotonic()
        try:
            with translated():
                status, message = "ok", stage(session)
        except SlipwayError as error:
            failure, status, message = error, "FAILED", str(error)
        outcomes.append(Outcome(name, status, time.monotonic() - began, message))
    output.emit(_summary(outcomes))
    if failure is not None:
        raise failure


def _summary(outcomes: Sequence[Outcome]) -> str:
    rows = [
        [outcome.stage, outcome.status, tables.seconds(outcome.seconds), outcome.message]
        for outcome in outcomes
    ]
    total = tables.seconds(sum(outcome.seconds for outcome in outcomes))
    return "\n" + tables.table(["stage", "", "took", "result"], rows) + f"\nTotal: {total}."


def _settings(session: Session) -> str:
    values = session.settings
    return f"{values.project} {values['VERSION']}, commit {values['GIT_COMMIT'][:12]}"


def _engine(session: Session) -> str:
    engine = session.engine
    return f"{engine.kind} engine at {engine.host}"


def _bases(session: Session) -> str:
    known = session.everything()
    names = [found for group in BUILT for found in builds.members(session, group)]
    there = [name for name in names if name in known.targets or name in known.groups]
    definition = session.definition(there) if there else known
    contexts = {} if session.dry else needs.provide(session, definition).contexts
    count = len(needs.known(session, definition))
    return f"{count} base images at hand" + (f", {len(contexts)} by context" if contexts else "")


def _build(group: str) -> Stage:
    def stage(session: Session) -> str:
        known = session.everything()
        names = builds.members(session, group)
        if not set(names) & {*known.targets, *known.groups}:
            return f"nothing to do: no group and no Dockerfile is called {group}"
        made = builds.build(session, names)
        if made is None:
            return NOT_RUN
        output.emit(build_table.render(made))
        return build_table.summary(made)

    return stage


def _tests(session: Session) -> str:
    if session.dry:
        return NOT_RUN
    if not any(target.stage == TESTING for target in session.everything().targets.values()):
        return "nothing to do: no target has the stage testing"
    return _demand(testing.run(session))


def _verify(session: Session) -> str:
    if session.dry:
        return NOT_RUN
    known = session.everything().targets.values()
    built = [one.name for one in known if one.released and one.variant == BUILT[-1]]
    return _demand(verification.production(session, built))


def _demand(found: Sequence[Verdict]) -> str:
    output.emit(verdict_table.render(found, "text"))
    verdicts.demand(found)
    return verdict_table.counted(found)


def _sizes(session: Session) -> str:
    if session.dry:
        return NOT_RUN
    measured = sizes.measure(session, session.everything())
    output.emit(sizes.render(measured, "text"))
    return sizes.summary(measured)


STAGES: tuple[tuple[str, Stage], ...] = (
    ("settings", _settings),
    ("engine", _engine),
    ("bases", _bases),
    ("baseline", _build("baseline")),
    ("multistage", _build("multistage")),
    ("tests", _tests),
    ("verify", _verify),
    ("sizes", _sizes),
)
