"""The optimized images: the same bits from the same commit, and a way to see that it is so."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from tasks.core import daemon, process
from tasks.core.bake import builds
from tasks.core.bake.baking import Build
from tasks.core.bake.builds import Wish
from tasks.core.session import Session
from tasks.core.shipping import pushing

GROUP = "optimized"
DEBUG_GROUP = "optimized-debug"


def build(
    session: Session, patterns: Sequence[str] = (), *, no_cache: bool = False, push: bool = False
) -> Build | None:
    """Build the targets of the group optimized. Returns None for a dry run.

    They travel as layouts, in which no file is dated after the commit. An engine with the
    classic image store takes none: there the dates are those of the build.
    """
    with closing(daemon.connect(session.engine)) as client:
        as_layouts = daemon.has_containerd_store(client)
    if not as_layouts:
        process.note(
            "the engine's classic image store keeps no dates as they were built: building this "
            "commit again will give other digests"
        )
        return builds.build(session, [GROUP], Wish(patterns, no_cache, push))
    if push:
        pushing.check_group(session, GROUP, patterns)
    made = builds.build(session, [GROUP], Wish(patterns, no_cache, as_layouts=True))
    if made is not None and push:
        for one in made.targets:
            for tag in one.tags:
                pushing.push(session, one.target, one.digest, tag)
    return made
