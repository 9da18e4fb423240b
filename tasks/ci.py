"""What a workflow asks before it builds."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import process
from tasks.core.asking import WRITTEN, Written
from tasks.core.command import command
from tasks.core.errors import UsageError
from tasks.core.render import formats


@command(repeatable=("output_",))
def affected(
    c: Context,
    since: str = "",
    target: Sequence[str] = (),
    file: Sequence[str] = (),
    asked: Written = WRITTEN,
) -> None:
    """Targets that something changed for since a commit."""
    from tasks.core.affected import deciding
    from tasks.core.render import affected as page

    sinks = formats.plan(asked.output_, asked.format_, page.FORMATS)
    if not since:
        raise UsageError("ci.affected needs --since REF: a branch, a tag or a commit")
    now = asked.session(c, file)
    chosen = now.everything().narrowed(target)
    found = deciding.find(now, since)
    for place in found.asides:
        process.note(f"{place}: what changed in it makes no difference to any target")
    if found.removed:
        process.note(f"no targets any more: {', '.join(found.removed)}")
    formats.write(sinks, lambda name: page.render(found, chosen, name))
