"""Layers -> true waste: bytes of files that are stored and pulled, and that no container sees.

It is the bytes of all regular files in all layers, without those in the file system that the layers
make; a file of several names counts once. Removed folders and opaque ones are in it, which dive's
figures leave out.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tasks.core.images import filetree
from tasks.core.images.filetree import OPAQUE, RESERVED, WHITEOUT
from tasks.core.layers import finalpaths
from tasks.core.layers.layerfiles import LayerFiles


@dataclass(frozen=True, slots=True)
class Loss:
    """Files that ``layer`` wrote for nothing, because of one path that a later layer changed.

    ``path`` is the file that was replaced or removed, or the folder that was; ``gone_in`` the layer
    that did it, None where that cannot be told: where a link led to another place.
    """

    layer: int
    gone_in: int | None
    path: str
    files: int
    wasted_bytes: int


@dataclass(frozen=True)
class FoundFile:
    """A file that a container sees, and the layer that it came with."""

    path: str
    layer: int
    size_bytes: int


@dataclass(frozen=True)
class Waste:
    """What is wasted, most first; ``stored_bytes`` = ``final_bytes`` + ``wasted_bytes``.

    ``largest`` are the largest files that a container sees.
    """

    stored_bytes: int
    final_bytes: int
    wasted_bytes: int
    losses: tuple[Loss, ...]
    largest: tuple[FoundFile, ...]


def measure(layers: Sequence[LayerFiles], largest: int = 20) -> Waste:
    """The waste of ``layers``, the lowest first, and the ``largest`` files that are left.

    Raises Malformed for layers that no engine could put in place.
    """
    numbers = _Numbers(layers)
    kept = bytearray(numbers.entries)
    found = _largest_first(layers, numbers, kept)
    first = heapq.nsmallest(max(largest, 1), found)[:largest]  # none of 0 would look at nothing
    final_bytes = sum(
        size
        for start, (_, layer) in _starts(layers)
        for at, size in enumerate(layer.sizes)
        if kept[start + at]
    )
    stored_bytes = sum(layer.content_bytes for layer in layers)
    return Waste(
        stored_bytes,
        final_bytes,
        stored_bytes - final_bytes,
        _losses(layers, kept),
        tuple(FoundFile(path, numbers.layer(origin), -size) for size, path, origin in first),
    )


def _largest_first(
    layers: Sequence[LayerFiles], numbers: _Numbers, kept: bytearray
) -> Iterator[tuple[int, str, int]]:
    """Each file that is left as it sorts: its size below 0, path and origin; marks it as kept."""
    for path, origin in finalpaths.final(layers):
        if not kept[origin]:
            kept[origin] = 1
            yield -numbers.size_bytes(origin), path, origin


class _Numbers:
    """Entries of all layers, counted through: which layer and size each has."""

    def __init__(self, layers: Sequence[LayerFiles]) -> None:
        self._layers = layers
        counts = [len(layer.kinds) for layer in layers]
        self._starts = [0, *accumulate(counts)]
        self.entries = self._starts[-1]

    def layer(self, origin: int) -> int:
        return bisect_right(self._starts, origin) - 1

    def size_bytes(self, origin: int) -> int:
        layer = self.layer(origin)
        return self._layers[layer].sizes[origin - self._starts[layer]]


def _losses(layers: Sequence[LayerFiles], kept: bytearray) -> tuple[Loss, ...]:
    lost = []
    for start, (number, layer) in _starts(layers):
        paths = layer.paths
        for at, letter in enumerate(layer.kinds):
            nothing = not layer.sizes[at] and filetree.is_marker(paths[at])
            if letter == "f" and not kept[start + at] and not nothing:
                lost.append((number, at, paths[at], layer.sizes[at]))
    changes = _Changes(layers, {path for _, _, path, _ in lost})
    sums: dict[tuple[int, int | None, str], list[int]] = defaultdict(lambda: [0, 0])
    for number, at, path, size in lost:
        gone_in, cause = changes.first(path, number, at)
        total = sums[number, gone_in, cause]
        total[0] += 1
        total[1] += size
    found = [Loss(*key, files=files, wasted_bytes=size) for key, (files, size) in sums.items()]
    found.sort(key=lambda each: (-each.wasted_bytes, each.layer, each.path))
    return tuple(found)


def _starts(layers: Sequence[LayerFiles]) -> Iterator[tuple[int, tuple[int, LayerFiles]]]:
    """Each layer with its number, and the number of its first entry among all entries."""
    starts = accumulate((len(layer.kinds) for layer in layers), initial=0)
    return zip(starts, enumerate(layers), strict=False)


class _Changes:
    """Which layers replaced or removed the paths that matter, or folders that they are in."""

    def __init__(self, layers: Sequence[LayerFiles], paths: set[str]) -> None:
        self._paths = paths
        self._wanted = {above for path in paths for above in finalpaths.upwards(path)} | {""}
        #: By path, the layers that removed it or put something other than a folder there.
        self._gone: dict[str, list[int]] = defaultdict(list)
        #: By folder, the layers that emptied it; by path, those that have an entry for it.
        self._emptied: dict[str, list[int]] = defaultdict(list)
        self._written: dict[str, list[int]] = defaultdict(list)
        self._last: dict[tuple[int, str], int] = {}
        for number, layer in enumerate(layers):
            for at, (path, letter) in enumerate(zip(layer.paths, layer.kinds, strict=True)):
                self._note(number, at, path, letter)

    def _note(self, layer: int, at: int, path: str, letter: str) -> None:
        if filetree.is_marker(path):
            folder, slash, name = path.rpartition("/")
            if name == OPAQUE and folder in self._wanted:
                self._emptied[folder].append(layer)
            removed = f"{folder}{slash}{name.removeprefix(WHITEOUT)}"
            if not name.startswith(RESERVED) and removed in self._wanted:
                self._gone[removed].append(layer)
        elif path in self._wanted:
            if letter != "d":
                self._gone[path].append(layer)
            if path in self._paths:
                self._written[path].append(layer)
                self._last[layer, path] = at

    def first(self, path: str, layer: int, at: int) -> tuple[int | None, str]:
        """The first change that took ``path``, written by ``layer``, away: its layer and path."""
        if self._last.get((layer, path), at) != at:
            return layer, path
        found = [(each, path) for each in _above(self._written.get(path, ()), layer)]
        for folder in finalpaths.upwards(path):
            found += [(each, folder) for each in _above(self._gone.get(folder, ()), layer)]
            above = folder.rpartition("/")[0]
            found += [(each, above) for each in _above(self._emptied.get(above, ()), layer)]
        return min(found, key=lambda each: (each[0], len(each[1]))) if found else (None, path)


def _above(layers: Sequence[int], layer: int) -> Sequence[int]:
    """The first of ``layers``, which ascend, that is above ``layer``."""
    at = bisect_right(layers, layer)
    return layers[at : at + 1]
