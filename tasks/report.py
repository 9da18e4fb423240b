"""Measure images and builds."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import session
from tasks.core.asking import WRITTEN, Written
from tasks.core.command import command
from tasks.core.errors import UsageError
from tasks.core.render import formats, output

MOST_FILES = 1000
_OUTPUTS = ("output_",)
_HELP = {
    "image": "Image in the engine, by name or digest.",
    "archive": "Image archive (docker or OCI) or OCI folder, instead of an image.",
}


@command(repeatable=_OUTPUTS)
def sizes(
    c: Context,
    target: Sequence[str] = (),
    all_: bool = False,
    platform: str = "",
    asked: Written = WRITTEN,
) -> None:
    """Show image sizes, and how much smaller they became."""
    from tasks.core.images import sizes as measuring
    from tasks.core.layers import pictures

    sinks = formats.plan(asked.output_, asked.format_, measuring.FORMATS)
    wanted = pictures.platforms(platform)
    now = asked.session(c)
    measured = measuring.measure(now, now.everything(), target, every=all_, platforms=wanted)
    formats.write(sinks, lambda name: measuring.render(measured, name))


@command(
    repeatable=_OUTPUTS,
    help={**_HELP, "largest": "How many of the largest files are shown (default: 10)."},
)
def layers(
    c: Context,
    image: str = "",
    archive: str = "",
    target: Sequence[str] = (),
    platform: str = "",
    largest: str = "10",
    asked: Written = WRITTEN,
) -> None:
    """What each layer costs, what is wasted, what is large."""
    from tasks.core.layers import layerreport, pictures
    from tasks.core.render import layers as layer_tables

    sinks = formats.plan(asked.output_, asked.format_, layer_tables.FORMATS)
    wanted = pictures.asked(image, archive, target, platform)
    if not (largest.isascii() and largest.isdigit() and int(largest[:9]) <= MOST_FILES):
        raise UsageError(f"--largest {largest!r}: expected a number from 0 to {MOST_FILES}")
    now = asked.session(c)
    found = pictures.read(now, wanted)
    reports = [layerreport.analyse(name, each, int(largest)) for name, each in found]
    formats.write(sinks, lambda name: layer_tables.render(reports, name))


@command(repeatable=_OUTPUTS, help=_HELP)
def history(
    c: Context,
    image: str = "",
    archive: str = "",
    target: Sequence[str] = (),
    platform: str = "",
    asked: Written = WRITTEN,
) -> None:
    """Every instruction, and the bytes that it added."""
    from tasks.core.layers import pictures
    from tasks.core.render import layers as layer_tables

    sinks = formats.plan(asked.output_, asked.format_, layer_tables.FORMATS)
    wanted = pictures.asked(image, archive, target, platform)
    now = asked.session(c)
    images = [(name, each.image) for name, each in pictures.read(now, wanted)]
    formats.write(sinks, lambda name: layer_tables.history(images, name))


@command(repeatable=["output_"])
def records(c: Context, format_: str = "", output_: Sequence[str] = ()) -> None:
    """List the records of builds, the newest first."""
    from tasks.core.journal import recordstore
    from tasks.core.render import records as record_table

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
    from tasks.core.journal import cachereport, recordstore
    from tasks.core.render import cache as cache_table

    sinks = formats.plan(output_, format_, cache_table.FORMATS)
    now = session.begin(c)
    chosen = recordstore.find(now.root, record)
    older = recordstore.newest_first(now.root, before=chosen.id)
    report = cachereport.make(chosen, older, target)
    formats.write(sinks, lambda format_: cache_table.render(report, format_))


@command(repeatable=["output_"])
def timeline(c: Context, record: str = "", format_: str = "", output_: Sequence[str] = ()) -> None:
    """Show where the seconds of a build went."""
    from tasks.core.journal import recordstore
    from tasks.core.journal import timeline as timelines
    from tasks.core.render import timeline as timeline_table

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
    from tasks.core.page import drawing, gathering

    if output_:
        output.check(output_)
    now = session.begin(c, env_file, profile, set_)
    page = drawing.html(gathering.gather(now, target, verdicts, record))
    output.emit(page, output_ or str(drawing.place(now.root)))


@command(repeatable=_OUTPUTS, positional=["reference"], help={"reference": "Image, by name."})
def attestations(c: Context, reference: str, asked: Written = WRITTEN) -> None:
    """Read SBOM and provenance back from a registry."""
    from tasks.core.render import attached as attached_table
    from tasks.core.scanning import attached

    sinks = formats.plan(asked.output_, asked.format_, attached_table.FORMATS)
    found = attached.read(asked.session(c), reference)
    formats.write(sinks, lambda name: attached_table.render(reference, found, name))
