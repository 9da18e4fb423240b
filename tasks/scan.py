"""Scan what ships, and what is sent to be built, for what must not ship."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core.asking import WRITTEN, Written
from tasks.core.command import command
from tasks.core.errors import UsageError
from tasks.core.render import formats

#: Every task here may write its result several times.
_OUTPUTS = ("output_",)
_HELP = {
    "baseline": "Report of an earlier scan, as JSON: only what is new counts.",
    "severity": "Least grave finding that counts: unknown, low, medium, high, critical.",
}


@command(
    repeatable=_OUTPUTS,
    help={
        **_HELP,
        "image": "Image to scan instead of targets: of the engine, or an archive.",
        "ignore-unfixed": "Leave out what no newer package mends yet.",
        "offline": "Ask for nothing: the database has to be here.",
        "platform": "Platforms to scan; default: every one that the image has.",
    },
)
def vulnerabilities(
    c: Context,
    target: Sequence[str] = (),
    image: str = "",
    platform: str = "",
    severity: str = "",
    ignore_unfixed: bool = False,
    baseline: str = "",
    offline: bool = False,
    asked: Written = WRITTEN,
) -> None:
    """Scan the images that ship for vulnerable packages."""
    from tasks.core.render import findings as table
    from tasks.core.scanning import baseline as known
    from tasks.core.scanning import findings
    from tasks.core.scanning import vulnerabilities as scanning

    if image and target:
        raise UsageError("scan.vulnerabilities takes either --target or --image")
    sinks = formats.plan(asked.output_, asked.format_, table.FORMATS)
    before = known.read(baseline)
    now = asked.session(c)
    wish = scanning.wish(target, image, platform, offline=offline)
    rules = scanning.rules(now, severity, before, ignore_unfixed=ignore_unfixed)
    report = scanning.scan(now, wish, rules)
    if now.dry:
        return
    formats.write(sinks, lambda name: table.render(report, name, scanning.places(now, name)))
    findings.demand(report)
