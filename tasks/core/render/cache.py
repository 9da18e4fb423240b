"""The cache's part in a build: text, Markdown, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.core.journal.cachereport import CacheReport, Rate
from tasks.core.journal.misses import Miss
from tasks.core.render import markdown as marked
from tasks.core.render import tables
from tasks.core.untrusted import shown

FORMATS = ("text", "json", "markdown")


def render(report: CacheReport, format_: str) -> str:
    """The whole report in one of FORMATS."""
    if format_ == "json":
        return _json(report)
    markdown = format_ == "markdown"
    parts = [
        summary(report),
        _rates("target", report.by_target, markdown),
        _rates("stage", report.by_stage, markdown),
        _misses(report, markdown),
    ]
    return "\n\n".join(part for part in parts if part)


def summary(report: CacheReport) -> str:
    """One line: which build, the hit rate, what it saved."""
    whole = report.whole
    rate = "no steps" if whole.percent is None else f"{whole.percent:.0f} %"
    line = (
        f"Record {report.record.id} ({shown(report.record.task)}, {shown(report.record.status)}): "
    )
    line += f"{rate}: {whole.cached} of {whole.steps} steps came from the cache"
    if whole.cached:
        line += f", which saved {tables.seconds(report.saved_seconds)} of work"
    if report.unknown:
        line += f" and what {report.unknown} of them take, which no record tells"
    return line + "."


def _rates(what: str, rates: Sequence[Rate], markdown: bool) -> str:
    rows = [
        [_name(rate.name, markdown), _percent(rate), rate.cached, rate.shared, rate.run]
        for rate in rates
    ]
    headers = [what, "hits", "cached", "shared", "run"]
    return tables.table(headers, rows, markdown=markdown) if rows else ""


def _name(text: str, markdown: bool, limit: int = 300) -> str:
    """A name from a Dockerfile or a record: nothing of it is markup, or moves the cursor."""
    return marked.code(shown(text, limit)) if markdown else shown(text, limit)


def _percent(rate: Rate) -> str | None:
    return None if rate.percent is None else f"{rate.percent:.0f} %"


def _misses(report: CacheReport, markdown: bool) -> str:
    first = report.first_misses
    if not report.misses:
        return "Nothing was missed."
    rows = [
        [
            _name(miss.step.name, markdown, 60),
            _name(miss.target, markdown),
            tables.seconds(miss.step.seconds),
            _reasons(miss, markdown),
        ]
        for miss in first
    ]
    table = tables.table(["missed", "target", "took", "why"], rows, markdown=markdown)
    behind = len(report.misses) - len(first)
    if not behind:
        return table
    took = sum(miss.step.seconds for miss in report.misses if not miss.first)
    return f"{table}\n{behind} more ran because a parent did ({tables.seconds(took)})."


def _reasons(miss: Miss, markdown: bool) -> str:
    lines = [_name(reason.text, markdown) for reason in miss.reasons]
    return ("<br>" if markdown else "\n").join(lines)


def _json(report: CacheReport) -> str:
    return tables.document(
        {
            "record": report.record.id,
            "task": report.record.task,
            "status": report.record.status,
            **_rate(report.whole),
            "saved_seconds": round(report.saved_seconds, 3),
            "cached_without_seconds": report.unknown,
            "targets": [{"target": rate.name, **_rate(rate)} for rate in report.by_target],
            "stages": [{"stage": rate.name, **_rate(rate)} for rate in report.by_stage],
            "misses": [_miss(miss) for miss in report.misses],
        }
    )


def _rate(rate: Rate) -> dict[str, Any]:
    percent = rate.percent
    return {
        "hit_percent": None if percent is None else round(percent, 1),
        "steps": rate.steps,
        "cached": rate.cached,
        "shared": rate.shared,
        "run": rate.run,
    }


def _miss(miss: Miss) -> dict[str, Any]:
    return {
        "target": miss.target,
        "step": miss.step.name,
        "stage": miss.step.stage,
        "platform": miss.step.platform,
        "digest": miss.step.digest,
        "seconds": miss.step.seconds,
        "first": miss.first,
        "compared_with": miss.compared or None,
        "reasons": [
            {
                "kind": reason.kind,
                "text": reason.text,
                "files": [{"path": path, "change": how} for path, how in reason.files],
            }
            for reason in miss.reasons
        ],
    }
