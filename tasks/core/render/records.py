"""The records that there are: text, Markdown, JSON."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.core.journal import cachereport
from tasks.core.journal.records import Record
from tasks.core.render import markdown, tables
from tasks.core.untrusted import shown

FORMATS = ("text", "json", "markdown")


def render(records: Sequence[Record], format_: str) -> str:
    """One row a record, the newest first."""
    rates = [cachereport.rate(record) for record in records]
    if format_ == "json":
        listed = [
            {
                "id": record.id,
                "task": record.task,
                "status": record.status,
                "started": record.started.isoformat(),
                "seconds": record.seconds,
                "targets": [target.name for target in record.targets],
                "steps": rate.steps,
                "cached": rate.cached,
                "failed_step": record.failure.step if record.failure else None,
            }
            for record, rate in zip(records, rates, strict=True)
        ]
        return tables.document({"records": listed})
    say = markdown.code if format_ == "markdown" else shown
    rows = [
        [
            record.id,
            say(record.task),
            say(record.status),
            tables.seconds(record.seconds),
            f"{rate.cached} of {rate.steps}",
            say(shown(", ".join(target.name for target in record.targets), 60)),
        ]
        for record, rate in zip(records, rates, strict=True)
    ]
    headers = ["record", "task", "", "took", "steps cached", "targets"]
    if not rows:
        return "There is no record yet: every build writes one."
    return tables.table(headers, rows, markdown=format_ == "markdown")
