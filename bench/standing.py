"""What each tool found -> caught, missed, not expressible; as a Markdown table with its sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.contenders import Findings
from tasks.core.render import tables
from tests.engine.gallery.exhibit import Exhibit

SLIPWAY = "Slipway"


class Outcome(StrEnum):
    """How a tool did on one exhibit; the last two are of sound ones."""

    CAUGHT = "caught"
    MISSED = "missed"
    INEXPRESSIBLE = "not expressible"
    QUIET = "quiet"
    ALARM = "false alarm"


@dataclass(frozen=True)
class Cell:
    """One tool on one exhibit; ``rules`` is what it said."""

    outcome: Outcome
    rules: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.outcome} ({', '.join(self.rules)})" if self.rules else self.outcome


@dataclass(frozen=True)
class Row:
    """One exhibit, and how each tool did on it, by the tool's name."""

    exhibit: Exhibit
    cells: Mapping[str, Cell]


def cell(
    exhibit: Exhibit, findings: Findings, *, usual: Sequence[str] = (), about: bool = True
) -> Cell:
    """How a tool with ``findings`` did on an exhibit.

    ``usual`` is what it says of sound images too, which tells nothing of a flaw; ``about`` whether
    it has a rule for this one. Where it could not be asked, there are no findings of it.
    """
    said = findings.get(exhibit.name)
    if exhibit.sound:
        return Cell(Outcome.ALARM, said) if said else Cell(Outcome.QUIET)
    news = tuple(rule for rule in said or () if rule not in usual)
    if news:
        return Cell(Outcome.CAUGHT, news)
    return Cell(Outcome.MISSED if about and said is not None else Outcome.INEXPRESSIBLE)


def slipway(exhibit: Exhibit, failed: Findings) -> Cell:
    """Only a failure of the exhibit's own proof counts as caught."""
    said = failed.get(exhibit.name, ())
    if exhibit.sound:
        return Cell(Outcome.ALARM, said) if said else Cell(Outcome.QUIET)
    if exhibit.proof in said:
        return Cell(Outcome.CAUGHT, (exhibit.proof,))
    return Cell(Outcome.MISSED)


def page(rows: Sequence[Row], tools: Sequence[str]) -> str:
    """The sums, then every exhibit."""
    headers = ("exhibit", "what is wrong", *tools)
    cells = [
        (row.exhibit.name, row.exhibit.flaw, *(str(row.cells[tool]) for tool in tools))
        for row in rows
    ]
    flawed = [row for row in cells if _is_flawed(rows, row[0])]
    sound = [row for row in cells if not _is_flawed(rows, row[0])]
    return "\n\n".join(
        (
            tables.table(("", *tools), sums(rows, tools), markdown=True),
            tables.table(headers, flawed, markdown=True),
            tables.table(("exhibit", "what is odd", *tools), sound, markdown=True),
        )
    )


def sums(rows: Sequence[Row], tools: Sequence[str]) -> list[tuple[str, ...]]:
    """A line for each outcome: of how many flawed or sound images each tool had it."""
    counts = {tool: Counter(row.cells[tool].outcome for row in rows) for tool in tools}
    flawed = sum(not row.exhibit.sound for row in rows)
    wanted = {
        Outcome.CAUGHT: f"caught, of {flawed} flawed",
        Outcome.MISSED: "missed",
        Outcome.INEXPRESSIBLE: "not expressible",
        Outcome.ALARM: f"false alarms, of {len(rows) - flawed} sound",
    }
    return [
        (title, *(str(counts[tool][outcome]) for tool in tools))
        for outcome, title in wanted.items()
    ]


def _is_flawed(rows: Sequence[Row], name: str) -> bool:
    return any(row.exhibit.name == name and not row.exhibit.sound for row in rows)
