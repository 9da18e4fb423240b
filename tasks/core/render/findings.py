"""Findings of scans in every format that people and CI read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

from tasks.core import untrusted
from tasks.core.proofs.policy import Accepted
from tasks.core.render import findings_sarif, markdown, tables
from tasks.core.scanning.findings import Finding, Judged, Report, State, Subject

FORMATS = ("text", "json", "markdown", "sarif")
HEADERS = ("where", "severity", "rule", "what", "fixed in", "title")
#: Letters of a title that a table has room for.
TITLE = 60
#: The same where there is no package to tell of.
LONG_TITLE = 100
#: How the states are told of, after a number.
WORDS = {
    State.OPEN: "open",
    State.ACCEPTED: "accepted by exceptions",
    State.KNOWN: "known from the baseline",
    State.UNFIXED: "without a fix, ignored",
    State.MINOR: "less grave than asked for",
}


def render(report: Report, format_: str, places: Mapping[str, str] | None = None) -> str:
    """The report as one of FORMATS; ``places`` has each target's Dockerfile, for SARIF."""
    if format_ == "json":
        return tables.document(document(report))
    if format_ == "sarif":
        return findings_sarif.render(report, places or {})
    if format_ == "markdown":
        return "\n\n".join(_markdown(report))
    return "\n\n".join(_text(report))


def counted(report: Report) -> str:
    """How many findings are in which state, as a sentence; open ones even if there are none."""
    counts = report.counts()
    said = [
        f"{counts[state.value]} {word}"
        for state, word in WORDS.items()
        if counts[state.value] or state is State.OPEN
    ]
    return f"{', '.join(said)}."


def _text(report: Report) -> Iterator[str]:
    there = report.of(State.OPEN)
    if there:
        yield tables.table(*_filled([_row(*group) for group in _grouped(there)]))
    lines = [
        *(f"accepted: {_line(each)}" for each in report.of(State.ACCEPTED)),
        *(f"{_line(each)}" for each in there if each.note),
        *(f"not needed any more, take it out of invoke.yaml: {_told(e)}" for e in report.unused),
    ]
    if lines:
        yield "\n".join(lines)
    yield "\n".join(_scanned(report.subjects))
    yield "\n".join([*report.notes, counted(report)])


def _markdown(report: Report) -> Iterator[str]:
    yield f"### Scan: {counted(report)}"
    there = report.of(State.OPEN)
    if there:
        headers, rows = _filled([_row(*group) for group in _grouped(there)])
        yield markdown.table(headers, ([markdown.code(cell) for cell in row] for row in rows))
    accepted = [f"- {markdown.code(_line(each))}" for each in report.of(State.ACCEPTED)]
    if accepted:
        yield "Accepted for a while:\n\n" + "\n".join(accepted)
    if report.unused:
        idle = "\n".join(f"- {markdown.code(_told(each))}" for each in report.unused)
        yield f"Exceptions that are not needed any more:\n\n{idle}"
    said = [*_scanned(report.subjects), *report.notes]
    yield "\n".join(f"- {markdown.code(each)}" for each in said)


def document(report: Report) -> dict[str, Any]:
    """The fields of the JSON document, without its schema."""
    return {
        "findings": [_finding(each) for each in report.judged],
        "scanned": [asdict(each) for each in report.subjects],
        "unused_exceptions": [
            {**asdict(each), "expires": str(each.expires)} for each in report.unused
        ],
        "notes": list(report.notes),
        "summary": report.counts(),
    }


def _finding(judged: Judged) -> dict[str, Any]:
    return {
        **asdict(judged.finding),
        "fingerprint": judged.finding.fingerprint,
        "state": judged.state.value,
        "note": judged.note,
    }


def _grouped(judged: Sequence[Judged]) -> Iterator[tuple[Finding, list[str]]]:
    """Findings that differ only in their platform as one, with all of them."""

    def same(finding: Finding) -> tuple[object, ...]:
        rest = asdict(replace(finding, platform=""))
        return (-finding.severity.rank, *(str(value) for value in rest.values()))

    ordered = sorted((each.finding for each in judged), key=same)
    for _, group in groupby(ordered, same):
        found = list(group)
        yield found[0], sorted({each.platform for each in found} - {""})


def _filled(rows: Sequence[Sequence[str]]) -> tuple[Sequence[str], list[list[str]]]:
    """Headers and rows without the columns that are empty: not every scan has packages."""
    kept = [at for at in range(len(HEADERS)) if any(row[at] not in ("-", "") for row in rows)]
    return [HEADERS[at] for at in kept], [[row[at] for at in kept] for row in rows]


def _row(finding: Finding, platforms: Sequence[str]) -> list[str]:
    place = finding.place if finding.package or not finding.line else finding.subject
    where = f"{place} ({', '.join(platforms)})" if platforms else place
    what = finding.subject if finding.package else finding.path
    inside = f"{what} in {finding.path}" if finding.package and finding.path else what
    cells = (where, finding.severity, finding.rule, inside or "-", finding.fixed or "-")
    room = TITLE if finding.package else LONG_TITLE
    return [*map(_shown, cells), untrusted.shown(finding.title, room)]


def _line(judged: Judged) -> str:
    finding = judged.finding
    platform = f" ({finding.platform})" if finding.platform else ""
    place = f"{finding.place}{platform}: " if finding.package else ""
    return _shown(f"{place}{finding.line_of_text}: {judged.note}")


def _told(accepted: Accepted) -> str:
    return _shown(f"{accepted.proof} {accepted.match!r} ({accepted.reason})")


def _scanned(subjects: Sequence[Subject]) -> Iterator[str]:
    """What was scanned, by scan and scanner: a report that is silent of it could be of nothing."""
    for (scan, by), group in groupby(subjects, lambda each: (each.scan, each.by)):
        each = list(group)
        names = dict.fromkeys(
            f"{one.place} ({one.platform})" if one.platform else one.place for one in each
        )
        with_ = f" with {by}" if by else ""
        yield _shown(f"{scan}: scanned {', '.join(names)}{with_}")


def _shown(text: str) -> str:
    return text if text.isprintable() else untrusted.shown(text, 8 * len(text))
