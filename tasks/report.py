"""Measure images."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import cachereport, recordstore, session
from tasks.core import sizes as measuring
from tasks.core import timeline as timelines
from tasks.core.command import command
from tasks.core.page import drawing, gathering
from tasks.core.render import cache as cache_table
from tasks.core.render import formats, output, tables
from tasks.core.render import records as record_table
from tasks.core.render import timeline as timeline_table


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


@command(repeatable=["output_"])
def records(c: Context, format_: str = "", output_: Sequence[str] = ()) -> None:
    """List the records of builds, the newest first."""
    sinks = formats.plan(output_, format_, record_table.FORMATS)
    now = session.begin(c)
    found = tuple(recordstore.newest_first(now.root))
    formats.write(sinks, lambda format_: record_table.render(found, format_))


@command(repeatable=["output_"])
def cache(
    c: Context,
    target: Sequence[str] = (),
    record: str = "",
    format_: str = "",
    output_: Sequence[str] = (),
) -> None:
    """Show what the cache gave a build, and why it missed."""
    sinks = formats.plan(output_, format_, cache_table.FORMATS)
    now = session.begin(c)
    chosen = recordstore.find(now.root, record)
    older = recordstore.newest_first(now.root, before=chosen.id)
    report = cachereport.make(chosen, older, target)
    formats.write(sinks, lambda format_: cache_table.render(report, format_))


@command(repeatable=["output_"])
def timeline(c: Context, record: str = "", format_: str = "", output_: Sequence[str] = ()) -> None:
    """Show where the seconds of a build went."""
    sinks = formats.plan(output_, format_, timeline_table.FORMATS)
    now = session.begin(c)
    made = timelines.make(recordstore.find(now.root, record))
    formats.write(sinks, lambda format_: timeline_table.render(made, format_))


@command(
    help={
        "output": "File to write; default: .slipway/report.html.",
        "verdicts": "Report of verify.*, as JSON; default: the verdicts that were kept.",
        "record": "Build to show, by the beginning of its id; default: the newest.",
    }
)
def html(
    c: Context,
    target: Sequence[str] = (),
    verdicts: str = "",
    record: str = "",
    output_: str = "",
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Write everything known to one page that works offline."""
    if output_:
        output.check(output_)
    now = session.begin(c, env_file, profile, set_)
    page = drawing.html(gathering.gather(now, target, verdicts, record))
    output.emit(page, output_ or str(drawing.place(now.root)))
