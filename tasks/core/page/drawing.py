"""The report as one HTML file: no script, nothing to load, and a policy that forbids both.

Charts are SVG made here, in percent of the width: a plotting library in the page would be 4 MB of
script for every report, hidden from screen readers, and would need a policy that lets scripts run.
Every text of the page passes through `_shown`, and then through jinja2's escaping.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.core import untrusted
from tasks.core.journal import cachereport
from tasks.core.page import bars, maps, trends
from tasks.core.page.gathering import PARTS, Report
from tasks.core.page.reading import Mapped
from tasks.core.proofs import verdicts
from tasks.core.proofs.verdicts import Status, Verdict
from tasks.core.rebuilds.variants import FIGURES
from tasks.core.render import tables
from tasks.core.render import variants as variants_table

#: A text that is longer is cut.
LONGEST = 600
#: The same in the middle of a sentence.
BRIEF = 90
#: Largest files of an image in its table.
LARGEST = 40
_NUMBER = re.compile(r"-?[0-9][0-9.,]*( (B|MiB|KiB|s|%|of [0-9]+))?|-")


@dataclass(frozen=True)
class Tile:
    """One figure at the top; ``kind`` is good, bad, plain or none."""

    what: str
    value: str
    detail: str
    kind: str = "plain"


def html(report: Report) -> str:
    """The whole page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # late: 60 ms
    from markupsafe import Markup

    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_finalized,
    )
    environment.filters.update(
        size=_size,
        sec=lambda value: f"{value:.1f} s",
        moment=_moment,
        brief=lambda text: untrusted.shown(text, BRIEF),
        largest=_largest,
    )
    environment.tests["number_cell"] = lambda value: bool(_NUMBER.fullmatch(str(value)))
    style = (here / "page.css").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    notes = {name: report.notes.get(name, "") for name in PARTS}
    return environment.get_template("page.html").render(
        report=_with(report, notes),
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=Markup(f"sha256-{digest}"),  # noqa: S704 - a digest
        tiles=tiles(report),
        **_tables(report),
        **_charts(report),
    )


def place(root: Path) -> Path:
    """Where the page goes if nobody says; its folder is made."""
    folder = root / ".slipway"
    folder.mkdir(exist_ok=True)
    return folder / "report.html"


def tiles(report: Report) -> tuple[Tile, ...]:
    """What a reader wants to know first."""
    found = [_smallest(report), _proven(report), *_built(report)]
    return tuple(found)


def _smallest(report: Report) -> Tile:
    if not report.sizes:
        return Tile("Images", "-", "none measured", "none")
    reductions = [s.reduction_percent for s in report.sizes if s.reduction_percent is not None]
    least = report.sizes[0]
    detail = f"smallest: {least.target}"
    if reductions:
        detail = f"up to {max(reductions):.0f} % smaller than the baseline"
    return Tile("Images measured", str(len(report.sizes)), detail)


def _proven(report: Report) -> Tile:
    counts = verdicts.summary(one.verdict for one in report.verdicts)
    failed, passed = counts[Status.FAILED.value], counts[Status.PASSED.value]
    if not failed + passed:
        return Tile("Proofs", "-", "nothing was proven", "none")
    if failed:
        return Tile("Proofs failed", str(failed), f"{passed} passed", "bad")
    return Tile("Proofs passed", str(passed), "none failed", "good")


def _built(report: Report) -> list[Tile]:
    if report.timeline is None or report.cache is None:
        return [Tile("Last build", "-", "no record", "none")]
    record = report.timeline.record
    percent = report.cache.whole.percent
    hits = "-" if percent is None else f"{percent:.0f} %"
    kind = "plain" if record.status == "done" else "bad"
    whole = report.cache.whole
    return [
        Tile("Build shown", f"{record.seconds:.1f} s", f"{record.task}, {record.status}", kind),
        Tile("From the cache", hits, f"{whole.cached} of {whole.steps} steps"),
    ]


def _charts(report: Report) -> dict[str, Any]:
    return {
        "size_bars": bars.sizes(report.sizes),
        "step_bars": bars.steps(report.timeline) if report.timeline else (),
        "rate_bars": bars.rates(report.cache.by_target) if report.cache else (),
        "verdict_bars": bars.verdicts(report.verdicts),
        "maps": [(image, maps.draw(image)) for image in report.images],
        "charts": trends.charts(report.trend),
    }


def _tables(report: Report) -> dict[str, Any]:
    found = [one.verdict for one in report.verdicts]
    machines = dict.fromkeys(
        figure.machine for row in report.variants for figure in row.figures.values()
    )
    return {
        "size_rows": _size_rows(report),
        "variant_headers": (
            *("service", "variant"),
            *(variants_table.TITLES.get(name, name) for name in FIGURES),
        ),
        "variant_rows": [
            [row.service, row.variant, *(variants_table.shown(n, row.figures[n]) for n in FIGURES)]
            for row in report.variants
        ],
        "variant_machines": [machine for machine in machines if machine],
        "step_rows": _step_rows(report),
        "rate_rows": _rate_rows(report),
        "miss_rows": _miss_rows(report),
        "failures": _failures(found),
        "verdict_rows": [
            [
                *(one.verdict.target, one.verdict.platform, one.verdict.proof),
                *(one.verdict.status.value, one.verdict.measured, one.verdict.allowed),
                _moment(one.at) if one.at else "-",
            ]
            for one in report.verdicts
        ],
        "trend_rows": _trend_rows(report),
    }


def _size_rows(report: Report) -> list[list[str]]:
    return [
        [
            *(one.target, one.variant, one.platform),
            *(_size(one.compressed_bytes), tables.scaled(one.unpacked_bytes)),
            str(one.layers),
            "-" if one.reduction_percent is None else f"{one.reduction_percent:.1f} %",
        ]
        for one in report.sizes
    ]


def _step_rows(report: Report) -> list[list[str]]:
    if report.timeline is None:
        return []
    critical = set(report.timeline.critical)
    return [
        [
            step.name,
            "yes" if step.digest in critical else "",
            bars.state(step),
            f"{step.started_seconds:.2f} s",
            f"{step.ended_seconds:.2f} s",
            f"{step.seconds:.2f} s",
        ]
        for step in report.timeline.steps
    ]


def _rate_rows(report: Report) -> list[list[str]]:
    if report.cache is None:
        return []
    return [
        [
            rate.name,
            "-" if rate.percent is None else f"{rate.percent:.0f} %",
            *(str(rate.cached), str(rate.shared), str(rate.run)),
        ]
        for rate in (*report.cache.by_target, *report.cache.by_stage)
    ]


def _miss_rows(report: Report) -> list[list[str]]:
    if report.cache is None:
        return []
    return [
        [
            miss.step.name,
            miss.target,
            f"{miss.step.seconds:.1f} s",
            "; ".join(reason.text for reason in miss.reasons),
        ]
        for miss in report.cache.first_misses
    ]


def _trend_rows(report: Report) -> list[list[str]]:
    rows = []
    for record in reversed(report.trend):
        percent = cachereport.rate(record).percent
        rows.append(
            [
                _moment(record.started),
                record.task,
                record.status,
                ", ".join(target.name for target in record.targets),
                f"{record.seconds:.1f} s",
                "-" if percent is None else f"{percent:.0f} %",
            ]
        )
    return rows


def _failures(found: Sequence[Verdict]) -> list[Verdict]:
    failed = [one for one in found if one.status is Status.FAILED]
    return sorted(failed, key=lambda one: -one.severity.rank)


def _largest(image: Mapped) -> list[list[str]]:
    every = [(piece, layer.number) for layer in image.layers for piece in layer.pieces]
    every.sort(key=lambda each: -each[0].size_bytes)
    return [
        [str(number), _path(piece.path, piece.files), tables.scaled(piece.size_bytes)]
        for piece, number in every[:LARGEST]
    ]


def _path(path: str, files: int) -> str:
    return f"/{path}" if files == 1 else f"/{path} ({files} files)"


def _size(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else tables.scaled(size_bytes)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _with(report: Report, notes: dict[str, str]) -> Report:
    return replace(report, notes=notes)


def _finalized(value: Any) -> Any:
    """Text fit to be shown, whoever wrote it; jinja2 escapes it afterwards."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return untrusted.shown(value, LONGEST)
    return value
