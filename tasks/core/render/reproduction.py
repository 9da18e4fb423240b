"""How two builds of one commit compare, as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tasks.core import verdicts as outcomes
from tasks.core.render import tables
from tasks.core.render import verdicts as verdict_table
from tasks.core.reproducing import Difference
from tasks.core.verdicts import Verdict

HEADERS = ("target", "platform", "layer", "file", "difference")
#: Rows of the table; JSON has all of them.
SHOWN = 100


def render(verdicts: Sequence[Verdict], differences: Sequence[Difference], format_: str) -> str:
    """The verdicts, then every file that differs."""
    if format_ == "json":
        return tables.document(
            {
                "verdicts": [verdict.as_dict() for verdict in verdicts],
                "differences": [asdict(one) for one in differences],
                "summary": outcomes.summary(verdicts),
            }
        )
    parts = [verdict_table.render(verdicts, format_)]
    if differences:
        rows = [
            (one.target, one.platform, one.layer, one.path, one.how) for one in differences[:SHOWN]
        ]
        parts.append(tables.table(HEADERS, rows, markdown=format_ == "markdown"))
    if len(differences) > SHOWN:
        parts.append(f"… and {len(differences) - SHOWN} more: --format json")
    return "\n\n".join(parts)
