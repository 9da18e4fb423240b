"""Verdicts as Markdown, for a comment on a pull request: failures first, the rest folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.core.proofs.verdicts import Status, Verdict
from tasks.core.render import grouping, markdown
from tasks.core.render.grouping import MARKS, Failure
from tasks.core.render.terminal import FEW

#: What a comment may be long on the usual forges, less some room for what is put around it.
LIMIT = 60_000
#: The part of it that failures may take, and what is put around a table.
FAILURES = 40_000
FRAME = 300

Row = Sequence[str]


def render(verdicts: Sequence[Verdict], counts: str, *, everything: bool) -> str:
    """A heading, the failures, and folded the other verdicts; at most LIMIT letters.

    The rest has a row a verdict if they are few, or with ``everything``; else a row a family.
    """
    failures = grouping.failures(verdicts)
    rest = [verdict for verdict in verdicts if verdict.status is not Status.FAILED]
    parts = [f"### Slipway: {'FAILED' if failures else 'passed'} ({counts})"]
    if failures:
        headers = ("severity", "target", "platform", "proof", "what is wrong")
        parts.append(_fitting(headers, [_failure(one) for one in failures], FAILURES))
    if rest:
        each = everything or len(rest) <= FEW
        headers = ("target", "platform", "proof" if each else "family", "verdict", "measured")
        rows = [_verdict(one) for one in rest] if each else list(_families(rest))
        room = LIMIT - FRAME - sum(map(len, parts))
        parts.append(f"<details><summary>{_folded(rest)}</summary>")
        parts += [_fitting(headers, rows, room), "</details>"]
    return "\n\n".join(parts)


def _folded(rest: Sequence[Verdict]) -> str:
    skipped = sum(verdict.status is Status.SKIPPED for verdict in rest)
    return f"{len(rest) - skipped} passed, {skipped} skipped"


def _failure(failure: Failure) -> Row:
    verdict = failure.verdict
    where = ", ".join(name for name in failure.platforms if name)
    names = [markdown.code(name) for name in (verdict.target, where, verdict.proof)]
    return (f"**{verdict.severity}**", *names, markdown.code(verdict.message))


def _verdict(verdict: Verdict) -> Row:
    names = [markdown.code(name) for name in (verdict.target, verdict.platform, verdict.proof)]
    return (*names, MARKS[verdict.status], markdown.code(verdict.message))


def _families(verdicts: Sequence[Verdict]) -> Iterator[Row]:
    for one in grouping.families(verdicts):
        names = [markdown.code(name) for name in (one.target, one.platform, one.name)]
        yield (*names, one.outcome, markdown.code(one.measured))


def _fitting(headers: Row, rows: Sequence[Row], limit: int) -> str:
    """A table of as many rows as have room, and how many are left out."""
    kept, used = 0, FRAME
    for row in rows:
        used += len(markdown.table(row, ()))
        if used > limit:
            break
        kept += 1
    table = markdown.table(headers, rows[:kept])
    left = len(rows) - kept
    return f"{table}\n\n… and {left} rows more: `--format json` has all." if left else table
