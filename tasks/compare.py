"""Compare images, variants and builds."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import session
from tasks.core.command import command
from tasks.core.rebuilds import running
from tasks.core.render import formats
from tasks.core.render import variants as variants_table


@command(
    help={
        "runs": "Builds of each scenario; the median counts (default: 3).",
        "scenario": "Some of: cold,warm,source,dependency; default: all.",
    }
)
def builds(
    c: Context,
    target: Sequence[str] = (),
    runs: str = "3",
    scenario: str = "",
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build in a copy, again and again, and take the time."""
    wish = running.wish(target, runs, scenario, set_)
    now = session.begin(c, env_file, profile, [*set_, *wish.settings])
    running.builds(now, wish)


@command(
    repeatable=("output_",),
    help={
        "verdicts": "Report of verify.*, as JSON; default: the verdicts that were kept.",
        "update": "Put the table into the pages of docs/ that have a place for it.",
    },
)
def variants(
    c: Context,
    target: Sequence[str] = (),
    verdicts: str = "",
    update: bool = False,
    format_: str = "",
    output_: Sequence[str] = (),
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Show sizes, seconds, cache and proofs of every variant."""
    sinks = formats.plan(output_, format_, variants_table.FORMATS)
    now = session.begin(c, env_file, profile, set_)
    found = running.variants(now, target, verdicts)
    formats.write(sinks, lambda name: variants_table.render(found, name))
    if update:
        running.update(now, found)
