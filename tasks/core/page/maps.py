"""An image as a treemap: a box for each layer, in it the largest files and what else it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.core.page.reading import Mapped, MappedLayer, Piece
from tasks.core.page.treemap import Box, squarified
from tasks.core.render import tables

#: The shape that boxes are made for; a phone shows it a little taller.
SHAPE = Box(0, 0, 160, 90)
COLOURS = 8
#: Below that share of the image's area a layer, or a file, has no box of its own.
LEAST_SHARE = 0.0004
#: A name is only written into a box that is wide and high enough, in percent of the whole.
NAMED = (7.0, 6.0)


@dataclass(frozen=True)
class Cell:
    """One box, in percent of the map's width and height. ``colour`` is the layer's."""

    box: Box
    name: str
    figure: str
    title: str
    colour: int


@dataclass(frozen=True)
class Map:
    """The boxes of one image, and those of its layers around them."""

    cells: tuple[Cell, ...]
    frames: tuple[Cell, ...]


def draw(image: Mapped) -> Map:
    """The map of ``image``; areas are as the sizes of files in the layers."""
    layers = [(layer, _bytes(layer)) for layer in image.layers]
    whole = sum(size for _, size in layers)
    kept = [(layer, size) for layer, size in layers if size > whole * LEAST_SHARE]
    kept.sort(key=lambda each: -each[1])
    boxes = squarified([size for _, size in kept], SHAPE)
    cells: list[Cell] = []
    frames: list[Cell] = []
    for (layer, size), box in zip(kept, boxes, strict=True):
        title = f"Layer {layer.number}: {layer.instruction}, {tables.scaled(size)}"
        frames.append(_cell(box, f"{layer.number}", tables.scaled(size), title, layer))
        cells += _files(layer, box, whole)
    return Map(tuple(cells), tuple(frames))


def _files(layer: MappedLayer, box: Box, whole: int) -> list[Cell]:
    shown: list[Piece] = [p for p in layer.pieces if p.size_bytes > whole * LEAST_SHARE]
    left: Sequence[Piece] = layer.pieces[len(shown) :]
    if left:
        rest = Piece("…", sum(p.size_bytes for p in left), sum(p.files for p in left))
        shown = sorted([*shown, rest], key=lambda p: -p.size_bytes)
    boxes = squarified([p.size_bytes for p in shown], box)
    made = []
    for piece, place in zip(shown, boxes, strict=True):
        size = tables.scaled(piece.size_bytes)
        name = piece.path if piece.files > 1 else piece.path.rpartition("/")[2]
        made.append(_cell(place, name, size, _title(piece, size), layer))
    return made


def _title(piece: Piece, size: str) -> str:
    several = f" in {piece.files} files" if piece.files > 1 else ""
    return f"/{piece.path}: {size}{several}"


def _cell(box: Box, name: str, figure: str, title: str, layer: MappedLayer) -> Cell:
    across, down = 100 / SHAPE.width, 100 / SHAPE.height
    placed = Box(
        round(box.x * across, 3),
        round(box.y * down, 3),
        round(box.width * across, 3),
        round(box.height * down, 3),
    )
    named = placed.width >= NAMED[0] and placed.height >= NAMED[1]
    return Cell(
        placed,
        name if named else "",
        figure if named and placed.height >= 2 * NAMED[1] else "",
        title,
        layer.number % COLOURS,
    )


def _bytes(layer: MappedLayer) -> int:
    return sum(piece.size_bytes for piece in layer.pieces)
