"""Two file systems, as containers see them -> what was added, removed and changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tasks.core.images.contents import Contents
from tasks.core.images.digesting import digest
from tasks.core.images.entries import FileEntry, Kind

CONTENT, KIND, MODE, OWNER, LINK, CAPABILITIES = (
    "content",
    "kind",
    "mode",
    "owner",
    "link",
    "capabilities",
)


class Change(StrEnum):
    """What happened to something between the first image and the second."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that is not the same in both; ``aspects`` says in what, if it is in both.

    ``before_bytes`` and ``after_bytes`` are what it adds to the image: a file of several names
    counts once, a folder nothing. ``twin`` is where the same content was, or went to, of a file
    that was only moved or renamed; else "".
    """

    path: str
    change: Change
    aspects: tuple[str, ...]
    before: FileEntry | None
    after: FileEntry | None
    before_bytes: int
    after_bytes: int
    twin: str = ""

    @property
    def difference_bytes(self) -> int:
        """How much more it takes up in the second image."""
        return self.after_bytes - self.before_bytes


def changes(before: Contents, after: Contents) -> tuple[FileChange, ...]:
    """Every path that differs, by path. Dates do not count: each build has its own."""
    here, there = own_bytes(before.files), own_bytes(after.files)
    return _with_twins(tuple(_changes(before.files, after.files, here, there)))


def own_bytes(files: Mapping[str, FileEntry]) -> dict[str, int]:
    """What each path adds to the file system: of a file's names only the first counts."""
    seen: set[tuple[str, int, str]] = set()
    found = {}
    for path, entry in sorted(files.items()):
        if entry.kind is not Kind.FILE:
            continue
        body = (entry.link or path, entry.size_bytes, digest(entry))
        found[path] = 0 if body in seen else entry.size_bytes
        seen.add(body)
    return found


def aspects(one: FileEntry, other: FileEntry) -> Iterator[str]:
    """In what two entries differ. A hard link is the file that it leads to."""
    if one.size_bytes != other.size_bytes or digest(one) != digest(other):
        yield CONTENT
    if one.kind != other.kind:
        yield KIND
    if one.mode != other.mode:
        yield MODE
    if (one.uid, one.gid) != (other.uid, other.gid):
        yield OWNER
    if one.link != other.link and Kind.FILE not in (one.kind, other.kind):
        yield LINK
    if one.has_capabilities != other.has_capabilities:
        yield CAPABILITIES


def _with_twins(changes: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
    """The changes; what came and went with one content is told of each other, once each."""
    gone: dict[str, list[int]] = {}
    for number, one in enumerate(changes):
        if one.change is Change.REMOVED and one.before_bytes and one.before:
            gone.setdefault(digest(one.before), []).append(number)
    found = list(changes)
    for number, one in enumerate(changes):
        if one.change is Change.ADDED and one.after_bytes and one.after:
            matching = gone.get(digest(one.after))
            if matching:
                other = matching.pop(0)
                found[number] = replace(one, twin=changes[other].path)
                found[other] = replace(changes[other], twin=one.path)
    return tuple(found)


def _changes(
    before: Mapping[str, FileEntry],
    after: Mapping[str, FileEntry],
    here: Mapping[str, int],
    there: Mapping[str, int],
) -> Iterator[FileChange]:
    for path in sorted(before.keys() | after.keys()):
        one, other = before.get(path), after.get(path)
        if one is not None and other is not None:
            differing = tuple(aspects(one, other))
            if not differing:
                continue
            change = Change.CHANGED
        else:
            differing = ()
            change = Change.ADDED if one is None else Change.REMOVED
        sizes = (here.get(path, 0), there.get(path, 0))
        yield FileChange(path, change, differing, one, other, *sizes)
