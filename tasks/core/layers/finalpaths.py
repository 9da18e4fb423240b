"""Layers, one upon the other -> the regular files that are left, and where each was written.

The same as `filetree`, for layers in columns and in little memory: almost no image has a path that
is a folder in one layer and something else in another, and then no tree is needed. Where one has,
or where links lead to folders that are written to, `filetree` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tasks.core.images import filetree
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.images.filetree import OPAQUE, RESERVED, WHITEOUT, is_marker
from tasks.core.layers.layerfiles import LayerFiles

#: What has no content of its own: folders, symbolic links, devices, links that lead nowhere.
_NOTHING = -1
_SLOTS = 2**20


def final(layers: Sequence[LayerFiles]) -> Iterator[tuple[str, int]]:
    """The regular files by path, names of one file each by itself.

    With each goes where it was written: the number of its entry among all entries of all layers.
    Raises Malformed for layers that no engine could put in place.
    """
    if _is_simple(layers):
        return _flat(layers)
    return _of_tree(layers)


def upwards(path: str) -> Iterator[str]:
    """The path and the folders it is in, without the root."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def within(paths: Collection[str], folders: Collection[str] = ()) -> Callable[[str], bool]:
    """Whether a path is one of ``paths`` or below it, or is below one of ``folders``.

    What is asked of one file holds for its folder's other files too, so it is found out once.
    """
    known: dict[str, bool] = {"": "" in folders}

    def is_below(folder: str) -> bool:
        new = []
        while folder not in known:
            new.append(folder)
            folder = folder.rpartition("/")[0]
        found = known[folder]
        for each in reversed(new):
            found = known[each] = found or each in paths or each in folders
        return found

    return lambda path: path in paths or is_below(path.rpartition("/")[0])


def repeats(paths: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path is among ``paths`` more than once: sure where it says no.

    They are counted by their hash, in a megabyte whatever their number.
    """
    counts = bytearray(_SLOTS)
    for path in paths:
        slot = hash(path) % _SLOTS
        if counts[slot] < 2:
            counts[slot] += 1
    return lambda path: counts[hash(path) % _SLOTS] > 1


def _is_simple(layers: Sequence[LayerFiles]) -> bool:
    """Whether no path is a folder here and something else there."""
    folders: set[str] = set()
    for layer in layers:
        for path in (*layer.paths, *_hard_links(layer)):
            folder = path
            while folder := folder.rpartition("/")[0]:
                if folder in folders:
                    break
                folders.add(folder)
    return not any(
        letter != "d" and path in folders
        for layer in layers
        for path, letter in zip(layer.paths, layer.kinds, strict=True)
    )


def _hard_links(layer: LayerFiles) -> list[str]:
    return [link for number, link in layer.links.items() if layer.kinds[number] == "h"]


def _flat(layers: Sequence[LayerFiles]) -> Iterator[tuple[str, int]]:
    """Most files are in one layer, and no other is about them: they need not be remembered."""
    may_change = _changing(layers)
    stack: dict[str, int] = {}
    start = 0
    for layer in layers:
        _take_away(stack, layer)
        for number, (path, letter) in enumerate(zip(layer.paths, layer.kinds, strict=True)):
            if letter == "h":
                stack[path] = stack.get(layer.links.get(number, ""), _NOTHING)
            elif not path or is_marker(path):
                continue
            elif may_change(path):
                stack[path] = start + number if letter == "f" else _NOTHING
            elif letter == "f":
                yield path, start + number
        start += len(layer.kinds)
    yield from ((path, origin) for path, origin in stack.items() if origin != _NOTHING)


def _take_away(stack: dict[str, int], layer: LayerFiles) -> None:
    gone, emptied = _removed(layer)
    if gone or emptied:
        is_gone = within(gone, emptied)
        for path in [path for path in stack if is_gone(path)]:
            del stack[path]


def _changing(layers: Sequence[LayerFiles]) -> Callable[[str], bool]:
    """Whether a path is written again, removed, or another name of a file; or only may be."""
    gone: set[str] = set()
    emptied: set[str] = set()
    linked: set[str] = set()
    for layer in layers:
        removed = _removed(layer)
        gone |= removed[0]
        emptied |= removed[1]
        linked.update(_hard_links(layer))
    is_repeated = repeats(path for layer in layers for path in layer.paths)
    is_removed = within(gone, emptied)
    return lambda path: is_repeated(path) or path in linked or is_removed(path)


def _removed(layer: LayerFiles) -> tuple[set[str], set[str]]:
    """The paths that a layer removes, and the folders that it empties."""
    gone, emptied = set(), set()
    for path in filter(is_marker, layer.paths):
        folder, slash, name = path.rpartition("/")
        if name == OPAQUE:
            emptied.add(folder)
        elif not name.startswith(RESERVED):
            gone.add(f"{folder}{slash}{name.removeprefix(WHITEOUT)}")
    return gone, emptied


def _of_tree(layers: Sequence[LayerFiles]) -> Iterator[tuple[str, int]]:
    starts = accumulate((len(layer.kinds) for layer in layers), initial=0)
    marked = (_marked(start, layer) for start, layer in zip(starts, layers, strict=False))
    for path, entry in filetree.stacked(marked).items():
        origin = entry.finding(_Origin)
        if origin is not None:
            yield path, origin.number


@dataclass(frozen=True, slots=True)
class _Origin:
    """The number of the entry that a file was written by."""

    number: int


def _marked(start: int, layer: LayerFiles) -> Iterator[FileEntry]:
    """Entries that say where they come from, also under other names and in other places."""
    for number, entry in enumerate(layer.entries(), start):
        yield entry._replace(found=(_Origin(number),)) if entry.kind is Kind.FILE else entry
