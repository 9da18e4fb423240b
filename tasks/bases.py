"""Base images: which ones the targets build on, and whether they can be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.core import process, session
from tasks.core.asking import WRITTEN, Written
from tasks.core.command import command
from tasks.core.render import formats, output, tables

if TYPE_CHECKING:
    from tasks.core.pins.renewing import Wanted
    from tasks.core.provision.bases import BaseNeed, BaseState

_REPEATABLE = ("base", "output_")
_HELP = {
    "base": "Only base images that match this name or glob (repeatable).",
    "look-alikes": "Also look-alikes, which only this machine has.",
}


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
    output.emit(_render(now, states, format_), output_)


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
    output.emit(_render(now, bases.base_states(now.engine, wanted), format_), output_)


@command(repeatable=_REPEATABLE, help=_HELP)
def pin(
    c: Context,
    target: Sequence[str] = (),
    base: Sequence[str] = (),
    look_alikes: bool = False,
    asked: Written = WRITTEN,
) -> None:
    """Lock the bases that are not locked, by digest."""
    from tasks.core.pins.renewing import Wanted

    _renew(c, asked, Wanted(target, base, look_alikes), again=False)


@command(repeatable=_REPEATABLE, help=_HELP)
def update(
    c: Context,
    target: Sequence[str] = (),
    base: Sequence[str] = (),
    look_alikes: bool = False,
    asked: Written = WRITTEN,
) -> None:
    """Lock all bases, or some, by their digests of now."""
    from tasks.core.pins.renewing import Wanted

    _renew(c, asked, Wanted(target, base, look_alikes), again=True)


@command(
    repeatable=_REPEATABLE,
    help={**_HELP, "exit-code": "Exit with 1 if a base is outdated or past its end."},
)
def outdated(
    c: Context,
    target: Sequence[str] = (),
    base: Sequence[str] = (),
    exit_code: bool = False,
    asked: Written = WRITTEN,
) -> None:
    """Which locked bases moved on, and when support ends."""
    from tasks.core.pins import aging
    from tasks.core.pins.renewing import Wanted
    from tasks.core.render import pins as page

    sinks = formats.plan(asked.output_, asked.format_, page.FORMATS)
    rows = aging.check(asked.session(c), Wanted(target, base))
    formats.write(sinks, lambda name: page.aged(rows, name))
    aging.demand(rows, exit_code=exit_code)


@command(
    repeatable=_REPEATABLE,
    positional=["registry"],
    help={**_HELP, "registry": "Where the copies go: host[:port][/path]."},
)
def mirror(
    c: Context,
    registry: str,
    target: Sequence[str] = (),
    base: Sequence[str] = (),
    look_alikes: bool = False,
    asked: Written = WRITTEN,
) -> None:
    """Copy the bases, whole, into another registry."""
    from tasks.core.pins import mirroring
    from tasks.core.pins.renewing import Wanted
    from tasks.core.render import pins as page

    sinks = formats.plan(asked.output_, asked.format_, page.FORMATS)
    now = asked.session(c)
    found = mirroring.mirror(now, registry, Wanted(target, base, look_alikes))
    if now.dry:
        return
    formats.write(sinks, lambda name: page.mirrored(found, name))
    mirroring.demand(found)


def _renew(c: Context, asked: Written, wanted: Wanted, *, again: bool) -> None:
    from tasks.core.pins import renewing
    from tasks.core.render import pins as page

    sinks = formats.plan(asked.output_, asked.format_, page.FORMATS)
    changes = renewing.renew(asked.session(c), wanted, again=again)
    formats.write(sinks, lambda name: page.changes(changes, name))


def _needs(now: session.Session, patterns: Sequence[str], platform: str) -> list[BaseNeed]:
    """What the targets need; with ``platform``, for those platforms instead of the targets' own."""
    from tasks.core import schema
    from tasks.core.bake import needs
    from tasks.core.provision.bases import BaseNeed

    definition = now.everything().narrowed(patterns)
    wanted = needs.known(now, definition)
    asked = schema.platforms(platform)
    return [BaseNeed(need.reference, asked or need.platforms) for need in wanted]


def _render(now: session.Session, states: Sequence[BaseState], form: str) -> str:
    from tasks.core.pins import lock
    from tasks.core.render import pins

    known = lock.load(now.root) or {}
    locked = {state.reference: lock.find(known, state.reference) for state in states}
    if form == "json":
        entries = [
            {**asdict(state), "locked": held.digest if (held := locked[state.reference]) else None}
            for state in states
        ]
        return tables.document({"bases": entries})
    rows = [
        (
            state.reference,
            ", ".join(state.platforms),
            _status(state),
            tables.short_digest(state.digest) if state.digest else None,
            pins.shown(locked[state.reference]),
        )
        for state in states
    ]
    return tables.table(("base image", "platforms", "status", "digest", "locked"), rows)


def _status(state: BaseState) -> str:
    if state.missing and set(state.missing) != set(state.platforms):
        return f"{state.status} ({', '.join(state.missing)} missing)"
    return f"{state.status}: {state.reason}" if state.reason else state.status
