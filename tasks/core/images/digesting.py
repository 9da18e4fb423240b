"""What files hold, as a digest: how two images are compared file by file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tasks.core.images.entries import FileEntry

#: SHA-256 of nothing: a file without content has no finding.
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Digested:
    """What a file held: its SHA-256, in hexadecimal digits."""

    digest: str


class DigestInspector:
    """Takes the digest of every file's content."""

    def open(self, entry: FileEntry, head: bytes) -> _Digest:
        """A probe for any file."""
        return _Digest()


class _Digest:
    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def feed(self, piece: bytes) -> bool:
        self._sum.update(piece)
        return True

    def result(self) -> Digested:
        return Digested(self._sum.hexdigest())


def digest(entry: FileEntry) -> str:
    """The digest of a file that was read with `DigestInspector`."""
    found = entry.finding(Digested)
    return found.digest if found else EMPTY
