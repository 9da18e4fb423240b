"""Scan what ships, and what is sent to be built, for what must not ship."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.core import session
from tasks.core.asking import WRITTEN, Written
from tasks.core.command import command
from tasks.core.errors import UsageError
from tasks.core.render import formats

if TYPE_CHECKING:
    from tasks.core.scanning.findings import Report, Rules
    from tasks.core.session import Session

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


@command(repeatable=_OUTPUTS, help=_HELP)
def dockerfiles(
    c: Context,
    target: Sequence[str] = (),
    severity: str = "low",
    baseline: str = "",
    asked: Written = WRITTEN,
) -> None:
    """Check the Dockerfiles: hadolint, and BuildKit's own."""
    from tasks.core.scanning import dockerfiles as scanning

    _scan(c, asked, severity, baseline, lambda now, rules: scanning.scan(now, target, rules))


@command(repeatable=_OUTPUTS, help=_HELP)
def secrets(
    c: Context,
    target: Sequence[str] = (),
    severity: str = "low",
    baseline: str = "",
    asked: Written = WRITTEN,
) -> None:
    """Search what builds send, and the tree, for secrets."""
    from tasks.core.scanning import secrets as scanning

    _scan(c, asked, severity, baseline, lambda now, rules: scanning.scan(now, target, rules))


@command(
    help={
        "image": "Image to list instead of targets: of the engine, or an archive.",
        "output": "File, or folder for several; default: standard output.",
        "platform": "Platforms to list; default: every one that the image has.",
        "sbom-format": "spdx-json (default) or cyclonedx-json.",
    }
)
def sbom(
    c: Context,
    target: Sequence[str] = (),
    image: str = "",
    platform: str = "",
    sbom_format: str = "spdx-json",
    output_: str = "",
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """List what is in the images that ship, by syft."""
    from tasks.core.scanning import boms

    wish = boms.wish(target, image, platform, sbom_format)
    boms.check(output_)
    now = session.begin(c, env_file, profile, set_)
    made = boms.make(now, wish)
    boms.write(made, wish.format, output_)


@command(
    name="all",
    repeatable=(*_OUTPUTS, "allow_missing"),
    help={
        **_HELP,
        "allow-missing": "Scan that may be missing: vulnerabilities, … (repeatable).",
        "severity": "Least grave finding that counts; default: as each scan has it.",
    },
)
def all_(
    c: Context,
    target: Sequence[str] = (),
    severity: str = "",
    baseline: str = "",
    allow_missing: Sequence[str] = (),
    asked: Written = WRITTEN,
) -> None:
    """Every scan that can run; exit 3 for one that cannot."""
    from tasks.core.render import scans as table
    from tasks.core.scanning import baseline as known
    from tasks.core.scanning import everything, vulnerabilities

    everything.check(allow_missing, severity)
    sinks = formats.plan(asked.output_, asked.format_, table.FORMATS)
    before = known.read(baseline)
    now = asked.session(c)
    found = everything.scan(now, everything.Wish(tuple(target), severity, before))
    if now.dry:
        return
    formats.write(
        sinks,
        lambda name: table.render(found, name, allow_missing, vulnerabilities.places(now, name)),
    )
    everything.demand(found, allow_missing)


def _scan(
    context: Context,
    asked: Written,
    severity: str,
    baseline: str,
    scan: Callable[[Session, Rules], Report | None],
) -> None:
    """Check the options, scan, write the result everywhere it is wanted, fail if it failed."""
    from tasks.core.render import findings as table
    from tasks.core.scanning import baseline as known
    from tasks.core.scanning import findings

    sinks = formats.plan(asked.output_, asked.format_, table.FORMATS)
    least = findings.Severity.named(severity, "--severity")
    before = known.read(baseline)
    report = scan(asked.session(context), findings.Rules(least, known=before))
    if report is None:
        return
    formats.write(sinks, lambda name: table.render(report, name))
    findings.demand(report)
