"""Layers -> true waste: bytes of files that are stored and pulled, and that no container sees.

It is the bytes of all regular files in all layers, without those in the file system that the layers
make; a file of several names counts once. Removed folders and opaque ones are in it, which dive's
figures leave out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tasks.core import filetree
from tasks.core.entries import FileEntry, Kind
from tasks.core.filetree import OPAQUE, RESERVED, WHITEOUT
from tasks.core.layerfiles import LayerFiles


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
    kept: set[tuple[int, int]] = set()
    final_bytes = 0
    seen: list[FoundFile] = []
    for entry in filetree.stacked(_marked(n, layer) for n, layer in enumerate(layers)).values():
        origin = entry.finding(_Origin)
        if origin is None or (origin.layer, origin.number) in kept:
            continue
        kept.add((origin.layer, origin.number))
        final_bytes += entry.size_bytes
        seen.append(FoundFile(entry.path, origin.layer, entry.size_bytes))
    seen.sort(key=lambda each: (-each.size_bytes, each.path))
    stored_bytes = sum(layer.content_bytes for layer in layers)
    return Waste(
        stored_bytes,
        final_bytes,
        stored_bytes - final_bytes,
        _losses(layers, kept),
        tuple(seen[:largest]),
    )


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a file was written: the layer, and the number of its entry there."""

    layer: int
    number: int


def _marked(layer: int, files: LayerFiles) -> Iterator[FileEntry]:
    """Entries that say where they come from, also under other names and in other places."""
    for number, entry in enumerate(files.entries()):
        written = entry.kind is Kind.FILE
        yield replace(entry, found=(_Origin(layer, number),)) if written else entry


def _losses(layers: Sequence[LayerFiles], kept: set[tuple[int, int]]) -> tuple[Loss, ...]:
    changes = _Changes(layers)
    sums: dict[tuple[int, int | None, str], list[int]] = defaultdict(lambda: [0, 0])
    for number, layer in enumerate(layers):
        for at, (path, size, letter) in enumerate(
            zip(layer.paths, layer.sizes, layer.kinds, strict=True)
        ):
            nothing = not size and filetree.is_marker(path)
            if letter == "f" and not nothing and (number, at) not in kept:
                gone_in, cause = changes.first(path, number, at)
                total = sums[number, gone_in, cause]
                total[0] += 1
                total[1] += size
    found = [Loss(*key, files=files, wasted_bytes=size) for key, (files, size) in sums.items()]
    found.sort(key=lambda each: (-each.wasted_bytes, each.layer, each.path))
    return tuple(found)


class _Changes:
    """Which layers replaced or removed which path; those above a file took it away."""

    def __init__(self, layers: Sequence[LayerFiles]) -> None:
        #: By path, the layers that removed it or put something other than a folder there.
        self._gone: dict[str, list[int]] = defaultdict(list)
        #: By folder, the layers that emptied it.
        self._emptied: dict[str, list[int]] = defaultdict(list)
        self._written: dict[str, list[int]] = defaultdict(list)
        self._last: dict[tuple[int, str], int] = {}
        for number, layer in enumerate(layers):
            for at, (path, letter) in enumerate(zip(layer.paths, layer.kinds, strict=True)):
                self._note(number, at, path, letter)

    def _note(self, layer: int, at: int, path: str, letter: str) -> None:
        folder, slash, name = path.rpartition("/")
        if name == OPAQUE:
            self._emptied[folder].append(layer)
        elif name.startswith(RESERVED):
            return
        elif name.startswith(WHITEOUT):
            self._gone[f"{folder}{slash}{name.removeprefix(WHITEOUT)}"].append(layer)
        elif letter == "d":
            self._written[path].append(layer)
        else:
            self._gone[path].append(layer)
            self._written[path].append(layer)
            self._last[layer, path] = at

    def first(self, path: str, layer: int, at: int) -> tuple[int | None, str]:
        """The first change that took ``path``, written by ``layer``, away: its layer and path."""
        if self._last.get((layer, path), at) != at:
            return layer, path
        found = [(each, path) for each in _above(self._written.get(path, ()), layer)]
        folder = path
        while folder:
            found += [(each, folder) for each in _above(self._gone.get(folder, ()), layer)]
            folder = folder.rpartition("/")[0]
            found += [(each, folder) for each in _above(self._emptied.get(folder, ()), layer)]
        return min(found, key=lambda each: (each[0], len(each[1]))) if found else (None, path)


def _above(layers: Sequence[int], layer: int) -> Sequence[int]:
    """The first of ``layers``, which ascend, that is above ``layer``."""
    at = bisect_right(layers, layer)
    return layers[at : at + 1]
