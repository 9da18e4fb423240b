"""One image for several platforms: built, proven on each of them, then pushed as it was proven."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from tasks.core import builds, daemon, indexes, process, pushing, runnable, verdicts
from tasks.core.builds import Build, Wish
from tasks.core.errors import OutOfReach
from tasks.core.indexes import Index
from tasks.core.session import Session
from tasks.core.verdicts import Verdict

GROUP = "multiarch"
DEBUG_GROUP = "multiarch-debug"


@dataclass(frozen=True)
class Proven:
    """What was built, what was found out about it, and the tags that it was pushed under."""

    build: Build
    verdicts: tuple[Verdict, ...]
    pushed: tuple[str, ...]


def build(
    session: Session, patterns: Sequence[str] = (), *, no_cache: bool = False, push: bool = False
) -> Proven | None:
    """Build the targets of the group multiarch, prove every platform, then push if asked to.

    Nothing is pushed unless every proof passed; the caller demands the verdicts. Returns None for
    a dry run. Raises OutOfReach where the engine cannot hold an image of several platforms.
    """
    demand_store(session)
    if push:
        pushing.check_group(session, GROUP, patterns)
    if not session.dry:
        # Now, not after minutes of building: a platform that cannot run here cannot be proven.
        runnable.ensure(session.engine, _platforms(session, patterns))
    wish = Wish(patterns, no_cache, archived=True, platforms=session.settings.platforms)
    made = builds.build(session, [GROUP], wish)
    if made is None:
        return None
    subjects = [
        Index(one.target, one.digest, one.platforms or session.settings.platforms)
        for one in made.targets
    ]
    found = indexes.prove(session, subjects)
    pushed: list[str] = []
    if push and not verdicts.failed(found):
        for one in made.targets:
            pushing.push(session, one.target, one.digest, one.tags)
            pushed += one.tags
    elif push:
        process.note("nothing is pushed: a proof failed")
    return Proven(made, found, tuple(pushed))


def _platforms(session: Session, patterns: Sequence[str]) -> list[str]:
    names = builds.members(session, GROUP)
    chosen = session.definition(names).narrowed(patterns).targets.values()
    return sorted({name for one in chosen for name in one.platforms or session.settings.platforms})


def demand_store(session: Session) -> None:
    """Raise OutOfReach unless the engine can hold an image of several platforms."""
    with closing(daemon.connect(session.engine)) as client:
        if not daemon.has_containerd_store(client):
            raise OutOfReach(
                "the engine's classic image store holds one platform of an image only: turn on "
                "its containerd image store (features.containerd-snapshotter), or use the "
                "embedded engine (ENGINE=embedded)"
            )
