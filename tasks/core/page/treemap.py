"""Sizes -> rectangles whose areas are as the sizes: squarified, so that names fit in.

Source: Bruls, Huizing, van Wijk: Squarified Treemaps (2000).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle, in whatever unit the outer one has."""

    x: float
    y: float
    width: float
    height: float


def squarified(sizes: Sequence[float], outer: Box) -> tuple[Box, ...]:
    """A box for each of ``sizes`` (above 0, the largest first), which together fill ``outer``."""
    total = sum(sizes)
    if not sizes or total <= 0:
        return ()
    scale = outer.width * outer.height / total
    return tuple(_boxes([size * scale for size in sizes], outer))


def _boxes(areas: Sequence[float], free: Box) -> Iterator[Box]:
    at = 0
    while at < len(areas):
        side = min(free.width, free.height)
        count = _row(areas, at, side)
        row = areas[at : at + count]
        thick = sum(row) / side if side else 0.0
        yield from _placed(row, free, thick)
        free = _rest(free, thick)
        at += count


def _row(areas: Sequence[float], at: int, side: float) -> int:
    """How many of the next areas stand in one row: as long as they become no longer and thinner."""
    count, total = 1, areas[at]
    while at + count < len(areas):
        wider = total + areas[at + count]
        now = _worst(areas[at], areas[at + count - 1], total, side)
        if _worst(areas[at], areas[at + count], wider, side) > now:
            break
        count, total = count + 1, wider
    return count


def _worst(largest: float, smallest: float, total: float, side: float) -> float:
    square = side * side
    if not square or not total or not smallest:
        return float("inf")
    return max(square * largest / total**2, total**2 / (square * smallest))


def _placed(row: Sequence[float], free: Box, thick: float) -> Iterator[Box]:
    along = 0.0
    for area in row:
        length = area / thick if thick else 0.0
        if free.width >= free.height:
            yield Box(free.x, free.y + along, thick, length)
        else:
            yield Box(free.x + along, free.y, length, thick)
        along += length


def _rest(free: Box, thick: float) -> Box:
    if free.width >= free.height:
        return Box(free.x + thick, free.y, max(free.width - thick, 0.0), free.height)
    return Box(free.x, free.y + thick, free.width, max(free.height - thick, 0.0))
