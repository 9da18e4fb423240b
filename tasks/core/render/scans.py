"""Several scans as one table, one document, and as SARIF with a run for each of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from tasks.core.render import findings, findings_sarif, markdown, tables
from tasks.core.scanning.everything import Scans

FORMATS = findings.FORMATS


def render(
    found: Scans, format_: str, allowed: Collection[str], places: Mapping[str, str] | None = None
) -> str:
    """What the scans found as one of FORMATS; ``allowed`` are those that may be missing."""
    if format_ == "json":
        missing = [
            {"scan": name, "reason": reason, "allowed": name in allowed}
            for name, reason in found.missing.items()
        ]
        document = findings.document(found.joined)
        return tables.document({"scans": list(found.reports), "missing": missing, **document})
    if format_ == "sarif":
        return _sarif(found, places or {})
    shown = findings.render(found.joined, format_)
    lines = list(_missing(found, allowed, code=format_ == "markdown"))
    return "\n\n".join([shown, "\n".join(lines)]) if lines else shown


def _missing(found: Scans, allowed: Collection[str], *, code: bool) -> Iterator[str]:
    for name, reason in found.missing.items():
        may = ", which was allowed" if name in allowed else ""
        said = f"scan.{name} could not run{may}: {reason}"
        yield f"- {markdown.code(said)}" if code else said


def _sarif(found: Scans, places: Mapping[str, str]) -> str:
    """A run for each scan, told apart by its category; one that could not run says why."""
    runs = {name: findings_sarif.run(report, places) for name, report in found.reports.items()}
    runs |= {name: findings_sarif.broken(reason) for name, reason in found.missing.items()}
    return findings_sarif.written(
        [
            {**run, "automationDetails": {"id": f"slipway/scan.{name}/"}}
            for name, run in runs.items()
        ]
    )
