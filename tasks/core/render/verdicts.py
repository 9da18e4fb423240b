"""Verdicts as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.core import verdicts as outcomes
from tasks.core.render import tables
from tasks.core.verdicts import Status, Verdict

MARKS = {Status.PASSED: "ok", Status.FAILED: "FAILED", Status.SKIPPED: "skipped"}
FORMATS = ("text", "json", "markdown")


def render(verdicts: Sequence[Verdict], format_: str) -> str:
    """Every verdict, then how many passed, failed and were skipped."""
    counts = outcomes.summary(verdicts)
    if format_ == "json":
        return tables.document(
            {"verdicts": [verdict.as_dict() for verdict in verdicts], "summary": counts}
        )
    platforms = sorted({verdict.platform for verdict in verdicts})
    headers = ["target", "proof", "verdict", "measured"]
    rows = [
        [verdict.target, verdict.proof, MARKS[verdict.status], verdict.message]
        for verdict in verdicts
    ]
    if len(platforms) > 1:
        headers.insert(1, "platform")
        rows = [
            [row[0], verdict.platform, *row[1:]]
            for row, verdict in zip(rows, verdicts, strict=True)
        ]
    table = tables.table(headers, rows, markdown=format_ == "markdown")
    gap = "\n\n" if format_ == "markdown" else "\n"
    place = f" on {platforms[0]}" if len(platforms) == 1 else ""
    return f"{table}{gap}{counted(verdicts)}{place}."


def counted(verdicts: Sequence[Verdict]) -> str:
    """How many passed, failed and were skipped, as a phrase."""
    counts = outcomes.summary(verdicts)
    return ", ".join(f"{count} {name}" for name, count in counts.items())
