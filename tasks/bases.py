"""Base images: which ones the targets build on, and whether they can be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.core import process, session
from tasks.core.command import command
from tasks.core.render import output, tables

if TYPE_CHECKING:
    from tasks.core.provision.bases import BaseNeed, BaseState


@command(name="list")
def list_(
    c: Context,
    target: Sequence[str] = (),
    platform: str = "",
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Show the base images needed, and their source."""
    from tasks.core.provision import bases

    tables.choose(format_, ("text", "json"))
    now = session.begin(c, env_file, profile, set_)
    states = bases.base_states(now.engine, _needs(now, target, platform))
    output.emit(_render(states, format_), output_)


@command(help={"again": "Also make those anew that are there, or that a registry has."})
def make(
    c: Context,
    target: Sequence[str] = (),
    platform: str = "",
    again: bool = False,
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Make look-alikes of bases that no registry gives."""
    from tasks.core.provision import bases

    tables.choose(format_, ("text", "json"))
    now = session.begin(c, env_file, profile, set_)
    wanted = _needs(now, target, platform)
    if now.dry:
        process.note("dry run: nothing is made")
    elif again:
        bases.look_alikes(now.engine, wanted, process.note, again=True)
    else:
        bases.reconsider(now.engine, wanted, process.note)
    output.emit(_render(bases.base_states(now.engine, wanted), format_), output_)


def _needs(now: session.Session, patterns: Sequence[str], platform: str) -> list[BaseNeed]:
    """What the targets need; with ``platform``, for those platforms instead of the targets' own."""
    from tasks.core import needs, schema
    from tasks.core.provision.bases import BaseNeed

    definition = now.everything().narrowed(patterns)
    wanted = needs.known(now, definition)
    asked = schema.platforms(platform)
    return [BaseNeed(need.reference, asked or need.platforms) for need in wanted]


def _render(states: Sequence[BaseState], form: str) -> str:
    if form == "json":
        return tables.document({"bases": [asdict(state) for state in states]})
    rows = [
        (
            state.reference,
            ", ".join(state.platforms),
            _status(state),
            tables.short_digest(state.digest) if state.digest else None,
        )
        for state in states
    ]
    return tables.table(("base image", "platforms", "status", "digest"), rows)


def _status(state: BaseState) -> str:
    if state.missing and set(state.missing) != set(state.platforms):
        return f"{state.status} ({', '.join(state.missing)} missing)"
    return f"{state.status}: {state.reason}" if state.reason else state.status
