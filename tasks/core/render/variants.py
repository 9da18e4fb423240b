"""Variants side by side, as text, JSON and Markdown; and what one is to another, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tasks.core import untrusted
from tasks.core.rebuilds import variants
from tasks.core.rebuilds.variants import CACHED, COMPRESSED, FIGURES, PROOFS, UNPACKED, Figure, Row
from tasks.core.render import markdown, tables

FORMATS = ("text", "json", "markdown")
#: What the columns mean.
SCENARIOS = (
    "Cold: every step anew, downloads and bases at hand. Warm: nothing changed. Source, "
    "dependency: after such a change. Cached: the share of steps that did not run again after a "
    "source change."
)
#: What a column is called; seconds are medians.
TITLES = {CACHED: "cached", PROOFS: "proofs passed"}


def render(rows: Sequence[Row], format_: str) -> str:
    """The variants in a format of FORMATS."""
    if format_ == "json":
        entries = [{**asdict(row), "figures": _document(row)} for row in rows]
        return tables.document({"variants": entries})
    written = format_ == "markdown"
    cells = [_cells(row, written) for row in rows]
    headers = ("service", "variant", "for", *(TITLES.get(name, name) for name in FIGURES))
    table = tables.table(headers, cells, markdown=written)
    remarks = [*_unmeasured(rows), *_remarks(rows), *_origins(rows)]
    if written:
        return "\n".join([table, "", *(f"- {markdown.prose(line)}" for line in remarks)])
    return "\n".join([table, *remarks])


def shown(name: str, figure: Figure) -> str:
    """A figure of the column ``name`` with its unit; "-" for one that was not measured."""
    if figure.value is None:
        return "-"
    if name in (COMPRESSED, UNPACKED):
        return tables.mib(int(figure.value)) or "-"
    if name == CACHED:
        return f"{figure.value:.0f} %"
    if name == PROOFS:
        return f"{figure.value:.0f} of {figure.of}"
    return tables.seconds(figure.value)


def effect(rows: Sequence[Row], words: str) -> str:
    """What ``A/B column`` is for each service, "backend: 400.1 MiB to 60.0 MiB (-85 %)".

    A and B are variants; the other words of columns are those of FIGURES.
    """
    pair, _, column = words.partition(" ")
    after, _, before = pair.partition("/")
    said = []
    for service in dict.fromkeys(row.service for row in rows):
        new, old = (variants.best(rows, service, name) for name in (after, before))
        a = new.figures.get(column) if new else None
        b = old.figures.get(column) if old else None
        if a is None or b is None or a.value is None or not b.value:
            said.append(f"{service}: not measured")
            continue
        percent = 100 * (a.value / b.value - 1)
        said.append(f"{service}: {shown(column, b)} to {shown(column, a)} ({percent:+.0f} %)")
    title = TITLES.get(column, column)
    return f"{title[:1].upper()}{title[1:]}, {before} to {after}: {'; '.join(said)}."


def _cells(row: Row, written: bool) -> list[str]:
    platforms = row.platforms or ((row.platform,) if row.platform else ())
    count = len(platforms)
    built_for = f"{count} platforms" if count > 1 else "".join(platforms) or "-"
    text = untrusted.shown(row.service), untrusted.shown(row.variant), built_for
    names = [markdown.prose(one) for one in text] if written else list(text)
    return [*names, *(shown(name, row.figures[name]) for name in FIGURES)]


def _unmeasured(rows: Sequence[Row]) -> list[str]:
    """Why there is a dash, or what to know of a number; one line a reason."""
    found: dict[tuple[bool, str], dict[tuple[str, ...], list[str]]] = {}
    for row in rows:
        reasons: dict[tuple[bool, str], list[str]] = {}
        for name, figure in row.figures.items():
            if figure.value is None or figure.reason:
                reasons.setdefault((figure.value is None, figure.reason), []).append(name)
        for why, names in reasons.items():
            found.setdefault(why, {}).setdefault(tuple(names), []).append(row.target)
    lines = []
    for (absent, reason), groups in found.items():
        told = "; ".join(f"{_titles(each)} of {', '.join(of)}" for each, of in groups.items())
        lines.append(untrusted.shown(f"{'No figure, ' if absent else ''}{reason}: {told}.", 2000))
    return lines


def _titles(names: Sequence[str]) -> str:
    return ", ".join(TITLES.get(name, name) for name in names)


def _remarks(rows: Sequence[Row]) -> list[str]:
    lines = []
    if any(row.lookalike for row in rows):
        lines.append("Measured on look-alike base images: on the originals the images are smaller.")
    several = [row for row in rows if len(row.platforms) > 1]
    if several:
        platforms = ", ".join(dict.fromkeys(p for row in several for p in row.platforms))
        lines.append(
            f"Seconds of a variant for several platforms are of all together ({platforms}); "
            f"its size is the one for {several[0].platform or 'this machine'}."
        )
    return lines


def _origins(rows: Sequence[Row]) -> list[str]:
    """The command that makes each number, and where those that are there were made."""
    commands: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, figure in row.figures.items():
            commands.setdefault(_general(figure, row), {})[TITLES.get(name, name)] = None
    lines = [f"By `{command}`: {', '.join(names)}." for command, names in commands.items()]
    figures = [figure for row in rows for figure in row.figures.values()]
    if any(figure.runs for figure in figures):
        lines.append(SCENARIOS)
        counts = [len(figure.runs) for figure in figures if figure.runs]
        several = f"{min(counts)}" + (f" to {max(counts)}" if min(counts) != max(counts) else "")
        lines.append(f"Seconds are medians; runs of each: {several}.")
    machines = dict.fromkeys(figure.machine for figure in figures if figure.machine)
    return [*(untrusted.shown(line, 2000) for line in lines), *map(_measured_on, machines)]


def _general(figure: Figure, row: Row) -> str:
    """A command for all targets where it differs by the target only."""
    return figure.command.replace(f" --target {row.target}", " --target TARGET")


def _measured_on(machine: str) -> str:
    return untrusted.shown(f"Measured on {machine}", 400)


def _document(row: Row) -> dict[str, dict[str, object]]:
    return {
        name: {**asdict(figure), "at": figure.at.isoformat() if figure.at else None}
        for name, figure in row.figures.items()
    }
