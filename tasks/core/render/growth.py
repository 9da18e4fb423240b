"""Images against the lock of sizes, as text, JSON, or Markdown for a pull request's comment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tasks.core.comparing import lock
from tasks.core.comparing.baseline import Checked
from tasks.core.comparing.growth import Cause, Growth, Status
from tasks.core.render import markdown, tables

FORMATS = ("text", "markdown", "json")
HEADERS = ("target", "platform", "was", "is", "difference", "percent", "limit")
CAUSES = ("what", "was", "is", "difference", "name")
#: Causes of each kind that are told; in Markdown, where they are folded, more of them.
FEW, MORE = 3, 8
#: Images whose growth is explained in one comment: all of it stays below what forges take.
EXPLAINED = 12
SHOWN = 100
WORDS = {"folders": "folder", "files": "file", "packages": "package"}


def render(checked: Checked, format_: str) -> str:
    """The sizes beside those of the lock, and what grew."""
    if format_ == "json":
        return tables.document(_document(checked))
    return "\n\n".join(_markdown(checked) if format_ == "markdown" else _text(checked))


def _text(checked: Checked) -> Iterator[str]:
    yield tables.table(HEADERS, [_row(row) for row in checked.rows])
    for row in checked.rows:
        if row.causes:
            yield f"{_name(row)} grew by {_difference(row)}; what grew in it:"
            yield tables.table(CAUSES, [_cause(one) for one in _first(row, FEW)])
    if checked.remarks:
        yield "\n".join(checked.remarks)
    if checked.broken:
        yield "\n".join(f"LIMIT  {line}" for line in checked.broken)


def _markdown(checked: Checked) -> Iterator[str]:
    yield f"### Image sizes: {_headline(checked)}"
    if checked.broken:
        yield "\n".join(f"- **{markdown.code(line)}**" for line in checked.broken[:SHOWN])
    rows = [list(map(_cell, _row(row))) for row in checked.rows[:SHOWN]]
    yield markdown.table(HEADERS, rows)
    if len(checked.rows) > SHOWN:
        yield f"… and {len(checked.rows) - SHOWN} more: `--format json` has all."
    explained = [row for row in checked.rows if row.causes]
    explained.sort(key=lambda row: (not row.broken, -(row.growth_bytes or 0)))
    for row in explained[:EXPLAINED]:
        title = f"{_name(row)} grew by {_difference(row)}: what grew in it"
        yield f"<details{' open' if row.broken else ''}><summary>{markdown.code(title)}</summary>"
        cells = [list(map(_cell, _cause(one))) for one in _first(row, MORE)]
        yield markdown.table(CAUSES, cells)
        yield "</details>"
    if checked.remarks:
        yield "\n".join(f"- {markdown.code(line)}" for line in checked.remarks[:SHOWN])


def _headline(checked: Checked) -> str:
    if checked.broken:
        return f"{len(checked.broken)} over the limit"
    grown = [row for row in checked.rows if row.status is Status.GREW]
    return f"{len(grown)} of {len(checked.rows)} grew" if grown else "nothing grew"


def _row(row: Growth) -> tuple[str | None, ...]:
    grown = row.growth_bytes
    percent = None if grown is None else tables.percent(grown, row.before_bytes or 0)
    return (
        row.target,
        row.platform,
        tables.mib(row.before_bytes),
        tables.mib(row.after_bytes),
        row.status.value if grown is None else _difference(row),
        percent,
        _limit(row),
    )


def _limit(row: Growth) -> str | None:
    """The limits, and whether they hold."""
    allowed = row.limits
    told = []
    if allowed.max_growth_percent is not None:
        told.append(f"+{allowed.max_growth_percent:g} %")
    if allowed.max_growth_mib is not None:
        told.append(f"+{allowed.max_growth_mib:g} MiB")
    if allowed.max_bytes is not None:
        told.append(f"{tables.mib(allowed.max_bytes)}")
    if not told:
        return None
    return f"{', '.join(told)}: {'BROKEN' if row.broken else 'kept'}"


def _cause(one: Cause) -> tuple[str | None, ...]:
    before = "not there" if one.before_bytes is None else tables.scaled(one.before_bytes)
    name = f"{one.name} (was {one.was})" if one.was else one.name
    return (
        WORDS[one.section],
        f"at most {before}" if one.at_least else before,
        tables.scaled(one.after_bytes),
        f"{'at least ' if one.at_least else ''}{tables.difference(one.growth_bytes)}",
        name,
    )


def _first(row: Growth, most: int) -> list[Cause]:
    """The first few of each section."""
    return [
        one
        for section in WORDS
        for one in [each for each in row.causes if each.section == section][:most]
    ]


def _name(row: Growth) -> str:
    return f"{row.target} {row.platform}"


def _difference(row: Growth) -> str:
    return tables.difference(row.growth_bytes or 0)


def _cell(text: str | None) -> str:
    return markdown.code(text or "-")


def _document(checked: Checked) -> dict[str, Any]:
    return {
        "against": checked.against,
        "images": [_image(row) for row in checked.rows],
        "broken": list(checked.broken),
        "remarks": list(checked.remarks),
    }


def _image(row: Growth) -> dict[str, Any]:
    return {
        "target": row.target,
        "platform": row.platform,
        "status": row.status.value,
        "size": row.size,
        "before": lock.figures(row.before) if row.before else None,
        "after": lock.figures(row.after) if row.after else None,
        "growth_bytes": row.growth_bytes,
        "growth_percent": row.growth_percent,
        "limits": asdict(row.limits),
        "broken": list(row.broken),
        "causes": [{**asdict(one), "growth_bytes": one.growth_bytes} for one in row.causes],
    }
