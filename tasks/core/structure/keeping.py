"""Keeps the content of the few files that tests ask for, while an image goes by."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from dataclasses import dataclass

from tasks.core.images.entries import FileEntry
from tasks.core.structure.config import Config

MAX_FILE_BYTES = 16 * 2**20
#: For all files that are kept of one image: layers may hold as many of a name as they like.
MAX_KEPT_BYTES = 128 * 2**20
#: Where Debian's packages have their licences.
DOCUMENTS = "usr/share/doc"
_COPYRIGHT = re.compile(rf"{DOCUMENTS}/[^/]+/copyright")


@dataclass(frozen=True)
class Kept:
    """The content of a file; not ``whole`` when it is larger than what is kept."""

    content: bytes
    whole: bool


#: What tells a file of which only the place in the finished file system is known.
Mark = tuple[str, int, int]


class Keeper:
    """Keeps files by path, by ``marks``, and the licences of packages."""

    def __init__(
        self, paths: Collection[str], marks: Collection[Mark] = (), *, licenses: bool = False
    ) -> None:
        self._paths = frozenset(paths)
        self._marks = frozenset(marks)
        self._licenses = licenses
        self._room_bytes = MAX_KEPT_BYTES

    def open(self, entry: FileEntry, head: bytes) -> _Copy | None:
        """A probe for the files that are wanted."""
        wanted = (
            entry.path in self._paths
            or (self._licenses and is_license(entry.path))
            or mark(entry, entry.path) in self._marks
        )
        if not wanted:
            return None
        limit_bytes = min(MAX_FILE_BYTES, self._room_bytes)
        self._room_bytes -= min(entry.size_bytes, limit_bytes)
        return _Copy(entry.size_bytes, limit_bytes)


class _Copy:
    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        self._whole = size_bytes <= limit_bytes
        self._content = bytearray()

    def feed(self, piece: bytes) -> bool:
        if self._whole:
            self._content += piece
        return self._whole

    def result(self) -> Kept:
        return Kept(bytes(self._content), self._whole)


def keeper(config: Config, marks: Collection[Mark] = ()) -> Keeper:
    """What keeps the files that tests name, and those with ``marks``: links may lead to others."""
    return Keeper(asked(config), marks, licenses=any(test.debian for test in config.licenses))


def asked(config: Config) -> tuple[str, ...]:
    """The paths whose content the tests ask for."""
    named = [test.path for test in config.contents]
    named += [path for test in config.licenses for path in test.files]
    return tuple(normal(path) for path in named)


def is_license(path: str) -> bool:
    """Whether a package's licence belongs at ``path``."""
    return _COPYRIGHT.fullmatch(path) is not None


def mark(entry: FileEntry, path: str) -> Mark:
    """What a file at ``path`` is found by in a layer, whatever links lead to its folder there."""
    return posixpath.basename(path), entry.size_bytes, entry.modified


def normal(path: str) -> str:
    """A path of a test as entries have it: from the root, and without a slash in front."""
    return posixpath.normpath(f"/{path}").lstrip("/")
