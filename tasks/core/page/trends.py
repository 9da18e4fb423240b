"""Records -> lines over time: seconds of builds, hits of the cache, sizes of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tasks.core.journal import cachereport
from tasks.core.journal.records import DONE, Record
from tasks.core.render import tables

#: So many lines can be told apart.
MOST_LINES = 6
#: A value as people read it.
Show = Callable[[float], str]


@dataclass(frozen=True)
class Point:
    """Where it lies, in percent from the left and from the top, and what it says."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Line:
    """One line with its name and the newest value."""

    name: str
    last: str
    points: tuple[Point, ...]
    colour: int


@dataclass(frozen=True)
class Chart:
    """Lines on one scale that begins at 0 and ends with ``top``."""

    title: str
    top: str
    lines: tuple[Line, ...]


def charts(records: Sequence[Record]) -> tuple[Chart, ...]:
    """The charts of ``records``, which go from old to new."""
    seconds: dict[str, dict[int, float]] = {}
    hits: dict[str, dict[int, float]] = {}
    sizes: dict[str, dict[int, float]] = {}
    for number, record in enumerate(records):
        if record.status != DONE:
            continue
        seconds.setdefault(record.task, {})[number] = record.seconds
        percent = cachereport.rate(record).percent
        if percent is not None:
            hits.setdefault(record.task, {})[number] = percent
        for name, size in _sizes(record).items():
            sizes.setdefault(name, {})[number] = size
    made = (
        _chart("Seconds of each build", seconds, records, tables.seconds),
        _chart("Steps from the cache", hits, records, lambda value: f"{value:.0f} %"),
        _chart("Bytes that are pulled", sizes, records, lambda value: tables.scaled(int(value))),
    )
    return tuple(chart for chart in made if chart.lines)


def _sizes(record: Record) -> dict[str, float]:
    return {
        f"{target.name} · {image.platform}": float(image.compressed_bytes)
        for target in record.targets
        for image in target.images
        if image.compressed_bytes is not None
    }


def _chart(
    title: str,
    values: Mapping[str, Mapping[int, float]],
    records: Sequence[Record],
    show: Show,
) -> Chart:
    # Those that were there most often; a line for everything could not be read.
    names = sorted(values, key=lambda name: (-len(values[name]), name))[:MOST_LINES]
    top = max((value for name in names for value in values[name].values()), default=0.0) or 1.0
    last = max(len(records) - 1, 1)
    lines = tuple(
        Line(
            name,
            show(list(values[name].values())[-1]),
            tuple(
                Point(
                    round(2 + 96 * number / last, 2),
                    round(94 - 88 * value / top, 2),
                    f"{records[number].started:%Y-%m-%d %H:%M} {name}: {show(value)}",
                )
                for number, value in values[name].items()
            ),
            colour,
        )
        for colour, name in enumerate(sorted(names))
    )
    return Chart(title, show(top), lines)
