"""Which of the targets that a task would build are to be built for what changed."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.core import process
from tasks.core.affected import deciding
from tasks.core.bake import builds
from tasks.core.session import Session


def changed(
    session: Session, names: Sequence[str], patterns: Sequence[str], since: str
) -> tuple[str, ...] | None:
    """Of ``names`` (targets or groups), narrowed to ``patterns``, those affected since ``since``.

    None, with a notice, if there are none.
    """
    members = [member for name in names for member in builds.members(session, name)]
    whole = session.definition(members)
    asked = [name for name in whole.asked(members) if name in whole.narrowed(patterns).targets]
    found = deciding.find(session, since)
    kept = tuple(name for name in asked if name in found.targets)
    if not kept:
        process.note(f"nothing to build: none of {', '.join(asked)} changed since {since}")
        return None
    left = [name for name in asked if name not in kept]
    if left:
        process.note(f"unchanged since {since}, so not built: {', '.join(left)}")
    return kept
