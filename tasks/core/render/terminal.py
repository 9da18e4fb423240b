"""Verdicts as text: what was measured, then what was skipped, and last what failed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from tasks.core import untrusted
from tasks.core.proofs.verdicts import Status, Verdict
from tasks.core.render import grouping, tables
from tasks.core.render.grouping import MARKS, Failure

#: More verdicts than these are put together by family.
FEW = 20
#: Letters of a line of prose, and of the table's last column.
WIDTH = 100
COLUMN = 64
#: Findings of a failure that are shown, and letters of what a family measured.
SHOWN = 10
MEASURED = 300


def render(verdicts: Sequence[Verdict], *, everything: bool) -> str:
    """The table, and below it what a reader has to act on, next to the prompt.

    A row a verdict if they are few, or with ``everything``; else a row a family.
    """
    each = everything or len(verdicts) <= FEW
    parts = [_each(verdicts) if each else _by_family(verdicts)]
    if not each:
        parts += [_skipped(why, ids) for why, ids in grouping.skipped(verdicts).items()]
    parts += [f"\n{_failure(failure)}" for failure in grouping.failures(verdicts)]
    gap = "\n" if any(verdict.status is Status.FAILED for verdict in verdicts) else ""
    return "\n".join(parts) + gap


def _each(verdicts: Sequence[Verdict]) -> str:
    rows = [
        (one.target, one.platform, one.proof, MARKS[one.status], _wrapped(_said(one)))
        for one in verdicts
    ]
    return _table(("target", "platform", "proof", "verdict", "measured"), rows, verdicts)


def _said(verdict: Verdict) -> str:
    """A failure is told in full below the table."""
    return verdict.measured if verdict.status is Status.FAILED else verdict.message


def _by_family(verdicts: Sequence[Verdict]) -> str:
    rows = [
        (
            *(one.target, one.platform, one.name, one.outcome),
            _wrapped(untrusted.shown(one.measured, MEASURED)) or "-",
        )
        for one in grouping.families(verdicts)
    ]
    return _table(("target", "platform", "family", "verdicts", "measured"), rows, verdicts)


def _table(
    headers: Sequence[str], rows: Sequence[tuple[str, ...]], verdicts: Sequence[Verdict]
) -> str:
    """The table; a platform that is always the same has no column."""
    if len(grouping.platforms(verdicts)) > 1:
        return tables.table(headers, rows)
    return tables.table((headers[0], *headers[2:]), [(row[0], *row[2:]) for row in rows])


def _wrapped(text: str) -> str:
    return "\n".join(_lines(text, COLUMN))


def _lines(text: str, width: int, indent: str = "") -> list[str]:
    """Lines to read; paths are not torn apart, so that they can be copied."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _skipped(reason: str, proofs: Sequence[str]) -> str:
    return "\n".join(_lines(f"skipped, {reason}: {', '.join(proofs)}", WIDTH))


def _failure(failure: Failure) -> str:
    verdict = failure.verdict
    where = ", ".join(name for name in failure.platforms if name)
    words = ["FAILED", f"{verdict.severity:<8}", verdict.proof, verdict.target]
    return "\n".join(["  ".join([*words, where]).rstrip(), *_details(failure)])


def _details(failure: Failure) -> Iterator[str]:
    texts = [*failure.findings[:SHOWN], failure.remark]
    left = len(failure.findings) - SHOWN
    texts += [f"… and {left} more: --format json"] if left > 0 else []
    for text in (*texts, failure.figures):
        yield from _lines(text, WIDTH, "  ")
