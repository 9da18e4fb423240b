"""Layers -> efficiency and wasted bytes by dive's definition, to the byte.

Source: dive 0.13, ``dive/filetree/efficiency.go`` and ``file_tree.go``. Its definition has corners
that people who compare the figures would stumble over, so they are kept: folders that no layer has
an entry for have no size, opaque folders remove nothing, and a layer that removes what is not there
counts up to that point only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tasks.core.images.filetree import WHITEOUT, is_marker
from tasks.core.layers.finalpaths import repeats, upwards, within
from tasks.core.layers.layerfiles import LayerFiles


@dataclass(frozen=True, slots=True)
class Repeated:
    """A path that several layers have: how many, and the bytes of all of them together."""

    path: str
    count: int
    cumulative_bytes: int


@dataclass(frozen=True)
class Efficiency:
    """What dive says of an image.

    ``score`` is from 0 to 1; ``wasted_bytes`` is the sum over ``repeated``, most first.
    ``size_bytes`` are the files of all layers, ``user_bytes`` those above the first layer.
    """

    score: float
    wasted_bytes: int
    size_bytes: int
    user_bytes: int
    repeated: tuple[Repeated, ...]

    @property
    def wasted_user_percent(self) -> float | None:
        """The wasted bytes in percent of ``user_bytes``; None where there are none."""
        return 100 * self.wasted_bytes / self.user_bytes if self.user_bytes else None


#: What dive leaves out with all that is below it; the engine reserves more names than these.
DROPPED = ".wh..wh.."
#: A node's size in bytes times two, and one more for a folder that has an entry.
_Nodes = dict[str, int]


def measure(layers: Sequence[LayerFiles]) -> Efficiency:
    """Dive's figures for ``layers``, the lowest first.

    Efficiency is the sum of each path's smallest size over the sum of all its sizes; wasted are
    the sizes of paths that are in more than one layer. A removed file counts nothing, a removed
    folder what was in it.
    """
    tally = _Tally(repeats(_shown(_kept(path)) for layer in layers for path in layer.paths))
    stack: _Nodes = {}
    asked = {_target(path) for layer in layers for path in filter(is_marker, layer.paths)}
    for number, layer in enumerate(layers):
        nodes, parents = _tree(layer)
        whiteouts = {path: _target(path) for path in nodes if is_marker(path)}
        if number == 0:
            _put(stack, nodes, nodes, asked)  # dive looks into the first layer itself there
        sizes = _removed(stack, whiteouts.values())
        leaves = [path for path in nodes if path not in parents]
        if any(path in whiteouts and whiteouts[path] not in sizes for path in leaves):
            leaves.sort(key=_order)
        for path in leaves:
            if path not in whiteouts:
                tally.add(path, nodes[path] >> 1)
            elif whiteouts[path] in sizes:
                tally.add(_shown(path), sizes[whiteouts[path]])
            else:
                tally.fail(_shown(path))
                break
        _graft(stack, nodes, whiteouts, asked)
    return tally.result([sum(layer.sizes) for layer in layers])


class _Tally:
    """Adds up what is seen of each path; most paths are seen once."""

    def __init__(self, may_repeat: Callable[[str], bool]) -> None:
        self._may_repeat = may_repeat
        self._single_bytes = 0
        self._once: dict[str, int] = {}
        self._more: dict[str, tuple[int, int, int]] = {}
        self._failed: set[str] = set()

    def add(self, path: str, size_bytes: int) -> None:
        """The path is there once more."""
        if not self._may_repeat(path):
            self._single_bytes += size_bytes
        elif path in self._more:
            count, cumulative, least = self._more[path]
            self._more[path] = (count + 1, cumulative + size_bytes, min(least, size_bytes))
        elif path in self._once:
            before = self._once.pop(path)
            self._more[path] = (2, before + size_bytes, min(before, size_bytes))
        else:
            self._once[path] = size_bytes
        self._failed.discard(path)

    def fail(self, path: str) -> None:
        """What is removed is not there: dive's smallest size is then -1, unless there is one."""
        if path not in self._more and path not in self._once:
            self._failed.add(path)

    def result(self, layers_bytes: Sequence[int]) -> Efficiency:
        once = self._single_bytes + sum(self._once.values())
        least = once + sum(each[2] for each in self._more.values()) - len(self._failed)
        wasted = sum(each[1] for each in self._more.values())
        repeated = [Repeated(path, count, total) for path, (count, total, _) in self._more.items()]
        repeated.sort(key=lambda each: (-each.cumulative_bytes, each.path))
        return Efficiency(
            score=least / (once + wasted) if once + wasted else 1.0,
            wasted_bytes=wasted,
            size_bytes=sum(layers_bytes),
            user_bytes=sum(layers_bytes[1:]),
            repeated=tuple(repeated),
        )


def _tree(layer: LayerFiles) -> tuple[_Nodes, set[str]]:
    """The nodes of a layer, and those of them that have something below them."""
    nodes: _Nodes = {}
    parents: set[str] = set()
    for path, size, letter in zip(layer.paths, layer.sizes, layer.kinds, strict=True):
        folder = _kept(path)
        if folder != path and folder:
            nodes.setdefault(folder, 0)
        elif folder:
            nodes[path] = size * 2 + (letter == "d")
        else:
            continue
        while folder := folder.rpartition("/")[0]:
            if folder in parents:
                break
            parents.add(folder)
            nodes.setdefault(folder, 0)
    return nodes, parents


def _kept(path: str) -> str:
    """The path, or the folder where it goes on with a name that dive leaves out."""
    return path if DROPPED not in path else f"/{path}".partition(f"/{DROPPED}")[0][1:]


def _shown(path: str) -> str:
    """The path that a whiteout is about; any other path as it is."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{name.removeprefix(WHITEOUT)}"


def _target(path: str) -> str:
    return _shown(path).strip("/")


def _order(path: str) -> list[bytes]:
    """Dive visits a layer in the order of the bytes of names."""
    return [name.encode("utf-8", "surrogateescape") for name in path.split("/")]


def _removed(stack: Mapping[str, int], targets: Iterable[str]) -> dict[str, int]:
    """The bytes that each target that is there takes away, of all that is in a folder."""
    sizes = {target: 0 for target in targets if target in stack or not target}
    folders = {target for target in sizes if stack.get(target, 0) & 1}
    if folders:
        for path, value in stack.items():
            for at in upwards(path):
                if at in folders:
                    sizes[at] += value >> 1
    return sizes


def _graft(
    stack: _Nodes, nodes: _Nodes, whiteouts: Mapping[str, str], asked: Collection[str]
) -> None:
    """Put a layer on the stack, in dive's order: names before ".wh." come before what removes."""
    late = {
        target
        for path, target in whiteouts.items()
        if path.rpartition("/")[0] == target.rpartition("/")[0] and _order(target) < _order(path)
    }
    _remove(stack, set(whiteouts.values()) - late)
    _put(stack, nodes, (path for path in nodes if path not in whiteouts), asked)
    _remove(stack, late)


def _put(stack: _Nodes, nodes: _Nodes, paths: Iterable[str], asked: Collection[str]) -> None:
    """Put ``paths`` there, as far as one of ``asked`` is about them."""
    if asked:
        is_asked = within(asked)
        stack.update((path, nodes[path]) for path in paths if is_asked(path))


def _remove(stack: _Nodes, targets: set[str]) -> None:
    present = {target for target in targets if target in stack}
    if present:
        is_gone = within(present)
        for path in [path for path in stack if is_gone(path)]:
            del stack[path]
