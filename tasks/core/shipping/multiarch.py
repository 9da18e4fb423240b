"""One image for several platforms: built, proven on each of them, then pushed as it was proven."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from tasks.core import daemon, process, schema
from tasks.core.bake import builds, runnable
from tasks.core.bake.baking import Build
from tasks.core.bake.builds import Wish
from tasks.core.bake.definitions import Target
from tasks.core.errors import SlipwayError, UsageError
from tasks.core.proofs import verdicts
from tasks.core.proofs.verdicts import Verdict
from tasks.core.session import Session
from tasks.core.shipping import pushing
from tasks.core.verifying import catalogue, policyfile, proving, verification

GROUP = "multiarch"
DEBUG_GROUP = "multiarch-debug"


@dataclass(frozen=True)
class Proven:
    """What was built, what was found out about it, and the tags that it was pushed under."""

    build: Build
    verdicts: tuple[Verdict, ...]
    pushed: tuple[str, ...]
    #: What ended the pushing before its time.
    failure: SlipwayError | None = None


def build(
    session: Session, patterns: Sequence[str] = (), *, no_cache: bool = False, push: bool = False
) -> Proven | None:
    """Build the targets of the group multiarch, prove every platform, then push if asked to.

    Nothing is pushed unless every proof passed; the caller demands the verdicts. Returns None for
    a dry run. Raises OutOfReach where the engine cannot hold an image of several platforms.
    """
    with closing(daemon.connect(session.engine)) as client:
        daemon.demand_containerd_store(client)
    if push:
        pushing.check_group(session, GROUP, patterns)
    # Now, not after minutes of building: what would fail the proof for its own reasons.
    chosen = _chosen(session, patterns)
    _check(session, chosen)
    if not session.dry:
        runnable.ensure(session.engine, _platforms(session, chosen))
    wish = Wish(patterns, no_cache, as_layouts=True, platforms=session.settings.platforms)
    made = builds.build(session, [GROUP], wish)
    if made is None:
        return None
    found = _prove(session, chosen, made)
    if push and verdicts.failed(found):
        process.note("nothing is pushed: a proof failed")
        push = False
    pushed: list[str] = []
    failure: SlipwayError | None = None
    try:
        for one in made.targets if push else ():
            for tag in one.tags:
                pushing.push(session, one.target, one.digest, tag)
                pushed.append(tag)
    except SlipwayError as error:
        # What was done up to here is told all the same.
        failure = error
    return Proven(made, found, tuple(pushed), failure)


def _prove(session: Session, chosen: Sequence[Target], made: Build) -> tuple[Verdict, ...]:
    """Every proof on what was built, by its digest; secrets too, before anybody else has it."""
    known = {target.name: target for target in chosen}
    cases = [
        replace(
            verification.case(session, known[one.target], one.digest),
            promised=one.platforms or session.settings.platforms,
        )
        for one in made.targets
    ]
    return proving.prove(session, cases, proving.EVERYTHING)


def _chosen(session: Session, patterns: Sequence[str]) -> tuple[Target, ...]:
    names = builds.members(session, GROUP)
    return tuple(session.definition(names).narrowed(patterns).targets.values())


def _check(session: Session, chosen: Sequence[Target]) -> None:
    """Raise UsageError for a policy or a choice of platforms that would be passed over."""
    policyfile.check(session.config, session.everything().targets, catalogue.IDS)
    asked = session.settings.entries["PLATFORMS"]
    for target in chosen:
        policyfile.for_target(session.config, target.name, catalogue.IDS)
        fixed = schema.platforms(",".join(target.platforms))
        if fixed and asked.origin == "--set" and set(fixed) != set(session.settings.platforms):
            raise UsageError(
                f"{target.name}: its platforms stand in the bake file ({', '.join(fixed)}): take "
                "them from the variable PLATFORMS there, or leave --platform out"
            )


def _platforms(session: Session, chosen: Sequence[Target]) -> list[str]:
    return sorted({name for one in chosen for name in one.platforms or session.settings.platforms})
