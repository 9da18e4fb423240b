"""How two builds of one commit compare, in every format of verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tasks.core.proofs import verdicts as outcomes
from tasks.core.proofs.verdicts import Verdict
from tasks.core.render import markdown, tables
from tasks.core.render import verdicts as verdict_table
from tasks.core.shipping.reproducing import PROOF, Difference

FORMATS = verdict_table.FORMATS
HEADERS = ("target", "platform", "layer", "file", "difference")
#: Rows of the table; JSON has all of them.
SHOWN = 100


def render(verdicts: Sequence[Verdict], differences: Sequence[Difference], format_: str) -> str:
    """The verdicts, then every file that differs; JUnit and SARIF hold the verdicts alone."""
    if format_ == "json":
        return tables.document(
            {
                "verdicts": [verdict.as_dict() for verdict in verdicts],
                "differences": [asdict(one) for one in differences],
                "summary": outcomes.summary(verdicts),
            }
        )
    parts = [verdict_table.render(verdicts, format_, proofs=(PROOF,))]
    if format_ in ("junit", "sarif"):
        return parts[0]
    if differences:
        rows = [
            (one.target, one.platform, one.layer, one.path, one.how) for one in differences[:SHOWN]
        ]
        parts.append(_table(rows, format_))
    if len(differences) > SHOWN:
        parts.append(f"… and {len(differences) - SHOWN} more: --format json")
    return "\n\n".join(parts)


def _table(rows: Sequence[tuple[str, ...]], format_: str) -> str:
    if format_ != "markdown":
        return tables.table(HEADERS, rows)
    return markdown.table(HEADERS, [list(map(markdown.code, row)) for row in rows])
