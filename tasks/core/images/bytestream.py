"""Bytes in the pieces that a parser wants, from a source that gives them as they come."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.images.blobs import Readable
from tasks.core.images.tarfiles import PIECE_BYTES
from tasks.core.untrusted import Malformed

#: How much of a new file is seen at once; smaller files come whole.
HEAD_BYTES = 64 * 2**10


class Stream:
    """Reads a source in large pieces and gives it out in small ones."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._piece = b""
        self._at = 0

    def upto(self, size: int, *, fill: bool = False) -> bytes:
        """At most ``size`` bytes, with ``fill`` as many unless the source ends; b"" at its end."""
        if self._at >= len(self._piece):
            self._piece, self._at = self._source.read(PIECE_BYTES), 0
        part = self._piece[self._at : self._at + size]
        self._at += len(part)
        while fill and part and len(part) < size:
            more = self.upto(size - len(part))
            if not more:
                break
            part += more
        return part

    def exactly(self, size: int) -> bytes:
        """``size`` bytes. Raises Malformed if the source ends before."""
        part = self.upto(size, fill=True) if size else b""
        if len(part) != size:
            raise Malformed("it ends within an entry")
        return part

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes; the first piece has HEAD_BYTES, or all if there are fewer."""
        part = self.exactly(min(size, HEAD_BYTES))
        while part:
            size -= len(part)
            yield part
            part = self.upto(size) if size else b""
        if size:
            raise Malformed("it ends within an entry")

    def skip(self, size: int) -> None:
        """Pass over bytes, without a copy of them. Raises Malformed if the source ends before."""
        while size > len(self._piece) - self._at:
            size -= len(self._piece) - self._at
            self._piece, self._at = self._source.read(PIECE_BYTES), 0
            if not self._piece:
                raise Malformed("it ends within an entry")
        self._at += size

    def rest(self) -> Iterator[bytes]:
        """Everything up to the end."""
        return iter(lambda: self.upto(PIECE_BYTES), b"")
