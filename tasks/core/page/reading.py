"""Images -> their layers with the files in them, as far as a treemap shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tasks.core import process
from tasks.core.images.sizes import ImageSize
from tasks.core.layers import layering, layerreport
from tasks.core.layers.layerfiles import LayerFiles
from tasks.core.layers.layering import Layered
from tasks.core.session import Session

#: The largest files of a layer that are shown one by one; the others by their folder.
SHOWN = 60


@dataclass(frozen=True)
class Piece:
    """A file, or what is left of a folder: ``files`` of them, with their bytes together."""

    path: str
    size_bytes: int
    files: int = 1


@dataclass(frozen=True)
class MappedLayer:
    """One layer: who made it, its sizes in bytes, how many files, and the largest of them."""

    number: int
    instruction: str
    compressed_bytes: int | None
    unpacked_bytes: int
    files: int
    pieces: tuple[Piece, ...]
    #: What of it later layers replaced or removed.
    wasted_bytes: int = 0


@dataclass(frozen=True)
class Mapped:
    """One image for one platform, its layers from the lowest on.

    ``efficiency`` is dive's, from 0 to 1; ``wasted_bytes`` are stored and seen by no container.
    """

    target: str
    platform: str
    layers: tuple[MappedLayer, ...]
    wasted_bytes: int = 0
    efficiency: float = 1.0


def images(session: Session, sizes: Sequence[ImageSize]) -> tuple[Mapped, ...]:
    """What is in the images that were measured: one platform of each, the engine's own if it can.

    The same image under several names is read once.
    """
    found: list[Mapped] = []
    known: dict[str, tuple[Layered, ...]] = {}
    for size in _one_platform(sizes, session.engine.native_platform):
        if size.tag not in known:
            process.note(f"reading the files of {size.target} …")
            known[size.tag] = layering.from_engine(session.root, session.engine, size.tag)
        held = next((one for one in known[size.tag] if one.image.platform == size.platform), None)
        if held is not None:
            found.append(mapped(size.target, held))
    return tuple(found)


def mapped(target: str, held: Layered) -> Mapped:
    """The layers of an image that was read, with what is wasted in it."""
    report = layerreport.analyse(target, held, 0)
    layers = tuple(
        MappedLayer(
            row.layer,
            row.instruction,
            row.compressed_bytes,
            row.unpacked_bytes,
            row.files,
            pieces(_files(files)),
            row.wasted_bytes,
        )
        for row, files in zip(report.rows, held.layers, strict=True)
    )
    return Mapped(
        target,
        held.image.platform,
        layers,
        report.waste.wasted_bytes,
        report.efficiency.score,
    )


def pieces(files: Iterable[tuple[str, int]], shown: int = SHOWN) -> tuple[Piece, ...]:
    """The largest of ``files`` (path, bytes), the others by folder, three deep; largest first."""
    ordered = sorted((one for one in files if one[1] > 0), key=lambda one: (-one[1], one[0]))
    found = [Piece(path, size) for path, size in ordered[:shown]]
    rest: dict[str, list[int]] = {}
    for path, size in ordered[shown:]:
        folder = "/".join(path.split("/")[:-1][:3]) or path
        rest.setdefault(folder, []).append(size)
    found += [Piece(f"{folder}/…", sum(each), len(each)) for folder, each in rest.items()]
    return tuple(sorted(found, key=lambda one: (-one.size_bytes, one.path)))


def _one_platform(sizes: Sequence[ImageSize], native: str) -> list[ImageSize]:
    chosen: dict[str, ImageSize] = {}
    for size in sizes:
        if size.target not in chosen or size.platform == native:
            chosen[size.target] = size
    return list(chosen.values())


def _files(layer: LayerFiles) -> Iterator[tuple[str, int]]:
    """Path and bytes of every regular file."""
    for path, size, letter in zip(layer.paths, layer.sizes, layer.kinds, strict=True):
        if letter == "f":
            yield path, size
