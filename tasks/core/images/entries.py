"""What stands in a layer: one record an entry, and who looks at the content of files."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    HARD_LINK = "hard link"
    LINK = "symbolic link"
    DIRECTORY = "directory"
    CHARACTER_DEVICE = "character device"
    BLOCK_DEVICE = "block device"
    PIPE = "pipe"
    OTHER = "other"


class FileEntry(NamedTuple):
    """One entry of a layer: a named tuple, because there are tens of thousands.

    ``path`` has no leading slash, bytes that are no UTF-8 are surrogates; ``mode`` are the twelve
    permission bits; ``modified`` seconds since 1970; ``link`` is where a link leads to; ``layer``
    counts from 0, the lowest. ``found`` is what inspectors made of the content.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size_bytes: int
    link: str = ""
    has_capabilities: bool = False
    modified: int = 0
    layer: int = -1
    found: tuple[object, ...] = ()

    def finding(self, kind: type[T]) -> T | None:
        """What the inspector whose results are of ``kind`` found in the content, if anything."""
        for each in self.found:
            if isinstance(each, kind):
                return each
        return None


class Probe(Protocol):
    """Looks at the content of one file, piece by piece."""

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes of the content; returns whether it wants more."""

    def result(self) -> object | None:
        """A small frozen record of what was found, once the content is over."""


class Inspector(Protocol):
    """Chooses the files whose content matters to it."""

    def open(self, entry: FileEntry, head: bytes) -> Probe | None:
        """A probe for a file that begins with ``head``, which is fed to it again; None: no need."""
