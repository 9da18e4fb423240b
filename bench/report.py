"""Timings -> medians and ratios, as a Markdown table, as JSON, and in docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cases import Case
from bench.measuring import Timing
from tasks.core import filling
from tasks.core.endpoint import Engine
from tasks.core.errors import UsageError
from tasks.core.rebuilds import machine
from tasks.core.render import tables
from tasks.core.session import ROOT

BOTH = "both"
HEADERS = ("compared (A / B)", "service", "runs", "A", "B", "ratio", "limit", "met")


@dataclass(frozen=True)
class Row:
    """One line: the seconds of each run of both sides. ``both`` adds the services up run by run."""

    case: Case
    service: str
    a_seconds: tuple[float, ...]
    b_seconds: tuple[float, ...]
    #: Builds of A were stopped: they would have taken longer, and the ratio would be larger.
    stopped: bool = False

    @property
    def ratio(self) -> float:
        """The median of A by the median of B."""
        return median(self.a_seconds) / median(self.b_seconds)

    @property
    def limit(self) -> str:
        """What the ratio is meant to be."""
        return f"{'≥' if self.case.at_least else '≤'} {self.case.limit:g}"


def rows(timings: Sequence[Timing]) -> tuple[Row, ...]:
    """The lines for every case of which all services have a whole run."""
    cases = dict.fromkeys(timing.job.case for timing in timings)
    return tuple(row for case in cases for row in _of_case(case, timings))


def _of_case(case: Case, timings: Sequence[Timing]) -> tuple[Row, ...]:
    seconds: dict[tuple[str, str], list[float]] = {}
    for timing in timings:
        if timing.job.case == case and timing.job.run is not None:
            seconds.setdefault((timing.job.service, timing.job.side), []).append(timing.seconds)
    services = dict.fromkeys(service for service, _ in seconds)
    sides = {(service, side) for service in services for side in ("a", "b")}
    if not sides or not sides <= set(seconds):
        return ()
    # An interrupted bench may have one run more of some: only whole runs count.
    whole = min(len(runs) for runs in seconds.values())
    stopped = {t.job.service for t in timings if t.job.case == case and t.stopped}

    def side(service: str, name: str) -> tuple[float, ...]:
        return tuple(seconds[service, name][:whole])

    found = [Row(case, one, side(one, "a"), side(one, "b"), one in stopped) for one in services]
    if len(found) > 1:
        a_seconds = tuple(map(sum, zip(*(side(one, "a") for one in services), strict=True)))
        b_seconds = tuple(map(sum, zip(*(side(one, "b") for one in services), strict=True)))
        found.append(Row(case, BOTH, a_seconds, b_seconds, bool(stopped)))
    return tuple(found)


def table(found: Sequence[Row]) -> str:
    """The lines as one Markdown table."""
    return tables.table(HEADERS, [_cells(row) for row in found], markdown=True)


def _cells(row: Row) -> list[str]:
    more = "> " if row.stopped else ""
    return [
        row.case.title,
        row.service,
        str(len(row.a_seconds)),
        more + tables.seconds(median(row.a_seconds)),
        tables.seconds(median(row.b_seconds)),
        f"{more}{row.ratio:.2f}",
        row.limit,
        "yes" if row.case.met(row.ratio) else "no",
    ]


def document(found: Sequence[Row], circumstances: str) -> str:
    """The lines as JSON, with every single run."""
    entries = [
        {
            "name": row.case.name,
            "title": row.case.title,
            "service": row.service,
            "a_seconds": [round(one, 3) for one in row.a_seconds],
            "b_seconds": [round(one, 3) for one in row.b_seconds],
            "a_stopped": row.stopped,
            "ratio": round(row.ratio, 4),
            "limit": row.limit,
            "met": row.case.met(row.ratio),
        }
        for row in found
    ]
    return tables.document({"circumstances": circumstances, "rows": entries})


def stored(path: Path, known: Sequence[Case]) -> tuple[tuple[Row, ...], str]:
    """The lines that `document` wrote to a file, and their circumstances."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        cases = {case.name: case for case in known}
        found = tuple(
            Row(
                cases[entry["name"]],
                entry["service"],
                tuple(entry["a_seconds"]),
                tuple(entry["b_seconds"]),
                bool(entry["a_stopped"]),
            )
            for entry in read["rows"]
        )
        return found, str(read["circumstances"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not what --output wrote: {error!r}") from None


def circumstances(used: Engine) -> str:
    """One line on where and when the figures arose."""
    return machine.circumstances(ROOT, used)


def update(path: Path, found: Sequence[Row], circumstances: str) -> None:
    """Put the table between the two markers of the page at ``path``; the rest of it stays."""
    filling.fill(path, "bench", f"{table(found)}\n\nMeasured on {circumstances}")
