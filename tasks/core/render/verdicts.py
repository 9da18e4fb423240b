"""Verdicts in every format that people and CI read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tasks.core import untrusted
from tasks.core.proofs import verdicts as outcomes
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Verdict
from tasks.core.render import comment, grouping, junit, sarif, tables, terminal

FORMATS = ("text", "json", "markdown", "junit", "sarif")


def render(
    verdicts: Sequence[Verdict],
    format_: str,
    *,
    everything: bool = False,
    proofs: Sequence[Proof] = (),
    places: Mapping[str, str] | None = None,
) -> str:
    """The verdicts as one of FORMATS.

    Text and Markdown put many verdicts together unless ``everything`` is asked for. SARIF takes
    its rules from ``proofs``, and the file that each target is made by from ``places``.
    """
    printable = [_printable(verdict) for verdict in verdicts]
    if format_ == "json":
        return tables.document(
            {
                "verdicts": [verdict.as_dict() for verdict in printable],
                "summary": outcomes.summary(verdicts),
            }
        )
    if format_ == "junit":
        return junit.render(printable)
    if format_ == "sarif":
        return sarif.render(printable, proofs, places or {})
    if format_ == "markdown":
        return comment.render(printable, counted(verdicts), everything=everything)
    there = grouping.platforms(printable)
    place = f" on {there[0]}" if len(there) == 1 else ""
    text = terminal.render(printable, everything=everything)
    return f"{text}\n{counted(verdicts)}{place}."


def counted(verdicts: Sequence[Verdict]) -> str:
    """How many passed, failed and were skipped, as a phrase."""
    counts = outcomes.summary(verdicts)
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _printable(verdict: Verdict) -> Verdict:
    """Without control characters, which neither terminals nor XML should get; nothing is cut."""
    return replace(
        verdict,
        target=_shown(verdict.target),
        platform=_shown(verdict.platform),
        measured=_shown(verdict.measured),
        allowed=_shown(verdict.allowed),
        message=_shown(verdict.message),
        findings=tuple(map(_shown, verdict.findings)),
    )


def _shown(text: str) -> str:
    return text if text.isprintable() else untrusted.shown(text, 8 * len(text))
