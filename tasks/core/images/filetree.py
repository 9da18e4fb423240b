"""Layers, one upon the other -> the file system that a container sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tasks.core.images.entries import FileEntry, Kind
from tasks.core.untrusted import Malformed

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
RESERVED = ".wh..wh."
#: As many links as the kernel follows, and how many folders they may lead through together.
MAX_LINKS = 40
MAX_STEPS = 400
#: What folders without entries, and paths that links make longer, may take up.
MAX_IMPLIED_BYTES = 64 * 2**20
NODE_BYTES = 128
#: Folders that are remembered: their entries come in order, and names may be long.
MAX_KNOWN = 1000
#: What a folder is that no layer has an entry for.
_IMPLIED = FileEntry("", Kind.DIRECTORY, 0o755, 0, 0, 0)


@dataclass(slots=True)
class _Node:
    entry: FileEntry
    children: dict[str, _Node] = field(default_factory=dict)


def stacked(layers: Iterable[Iterable[FileEntry]]) -> Mapping[str, FileEntry]:
    """The entries that are left when all layers are in place, by path, folders before content.

    A hard link is the file that it leads to, under its own path and with ``link`` set; one that
    leads nowhere stays a hard link. A folder without an entry of its own is root's, with 0755.
    Raises Malformed where a layer writes through links that lead in circles.
    """
    tree = _Tree()
    for number, entries in enumerate(layers):
        tree.apply(number, tuple(entries))
    return dict(tree.flat())


def follow(files: Mapping[str, FileEntry], path: str) -> FileEntry | None:
    """What ``path`` leads to with all links followed inside the image; None if to nothing."""
    waiting, at, steps = path.split("/")[::-1], "", _Steps()
    while waiting:
        word = waiting.pop()
        if word in ("", "."):
            continue
        if word == "..":
            at = at.rpartition("/")[0]
            continue
        below = f"{at}/{word}" if at else word
        entry = files.get(below)
        if entry is None or (entry.kind is not Kind.LINK and waiting and not _is_folder(entry)):
            return None
        if entry.kind is not Kind.LINK:
            at = below
            continue
        if not steps.take(entry.link):
            return None
        waiting += entry.link.split("/")[::-1]
        at = "" if entry.link.startswith("/") else at
    return files.get(at) if at else _IMPLIED


def is_whiteout(entry: FileEntry) -> bool:
    """Whether an entry only says that something below is gone."""
    return is_marker(entry.path)


def is_marker(path: str) -> bool:
    """Whether a path is that of a whiteout."""
    return path.startswith(WHITEOUT, path.rfind("/") + 1)


def _is_folder(entry: FileEntry) -> bool:
    return entry.kind is Kind.DIRECTORY


class _Steps:
    """What one path may demand: links lead through links, and a few make a long way."""

    def __init__(self) -> None:
        self._links = self._steps = 0

    def take(self, link: str) -> bool:
        """Whether one more link may be followed."""
        self._links += 1
        self._steps += link.count("/") + 1
        return self._links <= MAX_LINKS and self._steps <= MAX_STEPS


class _Tree:
    """Folders as the layers leave them, one after the other."""

    def __init__(self) -> None:
        self._root = _Node(_IMPLIED)
        self._implied_bytes = 0
        #: Folders by the paths that led to them, until one of those may lead elsewhere.
        self._known: dict[str, _Node] = {}

    def apply(self, number: int, entries: tuple[FileEntry, ...]) -> None:
        """Whiteouts come first: they are about the layers below, wherever they stand."""
        for entry in entries:
            if is_whiteout(entry):
                self._remove(entry)
        for entry in entries:
            if entry.path and not is_whiteout(entry):
                self._put(entry._replace(layer=number))

    def flat(self) -> Iterator[tuple[str, FileEntry]]:
        """All entries by path, folders before what is in them."""
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            if node is not self._root:
                yield node.entry.path, node.entry
            waiting += node.children.values()

    def _remove(self, whiteout: FileEntry) -> None:
        folder, _, name = whiteout.path.rpartition("/")
        node = self._find(folder)
        if node is None:
            return
        self._known.clear()
        if name == OPAQUE:
            node.children.clear()
        elif not name.startswith(RESERVED):
            node.children.pop(name.removeprefix(WHITEOUT), None)

    def _put(self, entry: FileEntry) -> None:
        folder, _, name = entry.path.rpartition("/")
        parent = self._folder(folder, entry.layer)
        path = f"{parent.entry.path}/{name}" if parent.entry.path else name
        if entry.kind is Kind.HARD_LINK:
            entry = self._linked(entry)
        if entry.path != path:
            self._charge(len(path))
            entry = entry._replace(path=path)
        known = parent.children.get(name)
        if known and _is_folder(known.entry) and _is_folder(entry):
            known.entry = entry
            return
        if known and {known.entry.kind, entry.kind} & {Kind.DIRECTORY, Kind.LINK}:
            self._known.clear()
        parent.children[name] = _Node(entry)

    def _linked(self, entry: FileEntry) -> FileEntry:
        """The file that a hard link leads to; the link itself if there is none."""
        target = self._find(entry.link, last=False)
        if target is None or target.entry.kind in (Kind.DIRECTORY, Kind.HARD_LINK):
            return entry
        link = target.entry.link or target.entry.path
        return target.entry._replace(layer=entry.layer, link=link)

    def _folder(self, path: str, layer: int) -> _Node:
        """The folder an entry goes into, through links as the engine does; made if missing."""
        found = self._known.get(path)
        if found is None:
            found = self._led(path, layer)
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[path] = found
        return found

    def _led(self, path: str, layer: int) -> _Node:
        found = self._find(path)
        if found is not None and _is_folder(found.entry):
            return found
        node, words = self._root, path.split("/")
        for number, word in enumerate(words):
            below = node.children.get(word)
            if below and below.entry.kind is Kind.LINK:
                below = self._find("/".join(words[: number + 1]))
                if below is None:
                    raise Malformed(
                        f"layer {layer} writes {path} through a link that leads nowhere"
                    )
            if below is None or not _is_folder(below.entry):
                prefix = f"{node.entry.path}/" if node.entry.path else ""
                below = _Node(_IMPLIED._replace(path=prefix + word, layer=layer))
                self._charge(NODE_BYTES + len(below.entry.path))
                if word in node.children:
                    self._known.clear()
                node.children[word] = below
            node = below
        return node

    def _find(self, path: str, *, last: bool = True) -> _Node | None:
        """The node of a path, links followed; ``last``: also if the path itself is one."""
        waiting, trail, steps = path.split("/")[::-1], [self._root], _Steps()
        while waiting:
            word = waiting.pop()
            if word in ("", "."):
                continue
            if word == "..":
                trail = trail[:-1] or [self._root]
                continue
            node = trail[-1].children.get(word)
            if node is None:
                return None
            if node.entry.kind is not Kind.LINK or (not waiting and not last):
                trail.append(node)
                continue
            if not steps.take(node.entry.link):
                return None
            waiting += node.entry.link.split("/")[::-1]
            trail = [self._root] if node.entry.link.startswith("/") else trail
        return trail[-1]

    def _charge(self, size_bytes: int) -> None:
        self._implied_bytes += size_bytes
        if self._implied_bytes > MAX_IMPLIED_BYTES:
            raise Malformed(f"its paths take more than {MAX_IMPLIED_BYTES} bytes")
