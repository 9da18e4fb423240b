"""Compare images, variants and builds, and sizes with what they were."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import process, session
from tasks.core.asking import WRITTEN, Written
from tasks.core.command import command
from tasks.core.errors import ProofFailed, UsageError
from tasks.core.render import formats

#: Every task here may write its result several times.
_OUTPUTS = ("output_",)


@command(
    repeatable=_OUTPUTS,
    positional=["from_", "to"],
    help={
        "from": "Image: a target, an image of the engine, or an archive.",
        "to": "Image to compare it with, likewise.",
        "platform": "Platform to compare, or all; default: the engine's own.",
        "limit": "Rows of each table; default: 20. JSON always has all.",
        "exit-code": "Exit with 1 if there is any difference.",
    },
)
def images(
    c: Context,
    from_: str,
    to: str,
    platform: str = "",
    limit: str = "",
    exit_code: bool = False,
    asked: Written = WRITTEN,
) -> None:
    """What differs between two images, A and B."""
    from tasks.core.comparing import pairs
    from tasks.core.render import comparison

    sinks = formats.plan(asked.output_, asked.format_, comparison.FORMATS)
    rows = _limit(limit)
    pairs.check_platform(platform)
    now = asked.session(c)
    if now.dry:
        process.note(f"dry run: {from_} and {to} would be read and compared")
        return
    found = pairs.compare(now, from_, to, platform)
    formats.write(sinks, lambda name: comparison.render(found, name, rows))
    if exit_code and found.differs:
        raise ProofFailed(f"{from_} and {to} differ: {comparison.summary(found)}")


@command(
    repeatable=_OUTPUTS,
    help={"to": "Variant, target, image or archive to measure against; default: baseline."},
)
def sizes(
    c: Context,
    target: Sequence[str] = (),
    to: str = "",
    all_: bool = False,
    asked: Written = WRITTEN,
) -> None:
    """Sizes by service and variant, side by side."""
    from tasks.core.comparing import beside
    from tasks.core.render import beside as beside_table

    sinks = formats.plan(asked.output_, asked.format_, beside_table.FORMATS)
    now = asked.session(c)
    if now.dry:
        process.note("dry run: the images would be measured and compared")
        return
    found = beside.compare(now, target, to, every=all_)
    formats.write(sinks, lambda name: beside_table.render(found, name))


@command(
    repeatable=_OUTPUTS,
    help={
        "against": "Other lock, build record, or image of one target; default: sizes.lock.json.",
        "update": "Write the sizes of today into sizes.lock.json.",
    },
)
def baseline(
    c: Context,
    target: Sequence[str] = (),
    against: str = "",
    update: bool = False,
    asked: Written = WRITTEN,
) -> None:
    """Compare sizes with sizes.lock.json; demand the limits."""
    from tasks.core.comparing import baseline as sizebase
    from tasks.core.comparing import lock, renewing
    from tasks.core.render import growth

    sinks = formats.plan(asked.output_, asked.format_, growth.FORMATS)
    if update and against:
        raise UsageError("compare.baseline takes either --update or --against")
    now = asked.session(c)
    if now.dry:
        what = f"{lock.NAME} would be written" if update else "sizes would be compared"
        process.note(f"dry run: {what}")
        return
    found = renewing.update(now, target) if update else sizebase.check(now, target, against)
    formats.write(sinks, lambda name: growth.render(found, name))
    sizebase.demand(found)


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
    from tasks.core.rebuilds import running

    wish = running.wish(target, runs, scenario, set_)
    now = session.begin(c, env_file, profile, [*set_, *wish.settings])
    running.builds(now, wish)


@command(
    repeatable=_OUTPUTS,
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
    asked: Written = WRITTEN,
) -> None:
    """Show sizes, seconds, cache, proofs of each variant."""
    from tasks.core.rebuilds import running
    from tasks.core.render import variants as variants_table

    sinks = formats.plan(asked.output_, asked.format_, variants_table.FORMATS)
    now = asked.session(c)
    found = running.variants(now, target, verdicts)
    formats.write(sinks, lambda name: variants_table.render(found, name))
    if update:
        running.update(now, found)


def _limit(text: str) -> int:
    """What `--limit` says. Raises UsageError for no such number."""
    from tasks.core.render import comparison

    if not text:
        return comparison.LIMIT
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 8 and int(text)):
        raise UsageError(f"--limit {text!r}: expected a number of rows from 1 on")
    return int(text)
