"""Measure images."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import session
from tasks.core import sizes as measuring
from tasks.core.command import command
from tasks.core.render import output, tables


@command()
def sizes(
    c: Context,
    target: Sequence[str] = (),
    all_: bool = False,
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Show image sizes, and how much smaller they became."""
    tables.choose(format_, measuring.FORMATS)
    now = session.begin(c, env_file, profile, set_)
    measured = measuring.measure(now, now.everything(), target, every=all_)
    output.emit(measuring.render(measured, format_), output_)
