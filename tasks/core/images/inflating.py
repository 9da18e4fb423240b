"""gzip's decompression: ISA-L's, three times as fast as zlib's, where there is a build of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol, cast

#: Decompress gzip, with its header and its sums: 16 + the largest window.
_GZIP = 31


class Inflater(Protocol):
    """What `zlib.decompressobj` gives: one member of a gzip stream."""

    @property
    def eof(self) -> bool:
        """Whether its end was reached."""

    @property
    def unused_data(self) -> bytes:
        """What lies behind its end."""

    @property
    def unconsumed_tail(self) -> bytes:
        """Input that was not used because of ``max_length``."""

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes:
        """At most ``max_length`` bytes; raises one of ERRORS for what is no gzip."""


def _made() -> tuple[Callable[[int], Inflater], tuple[type[Exception], ...]]:
    try:
        from isal import isal_zlib
    except ImportError:  # no build for this processor, see requirements.in: the same, only slower
        return zlib.decompressobj, (zlib.error,)
    error = cast("type[Exception]", isal_zlib.error)  # its types say that it is an instance
    return isal_zlib.decompressobj, (zlib.error, error)


_open, ERRORS = _made()


def member() -> Inflater:
    """A decompressor for the next gzip member; it raises one of ERRORS."""
    return _open(_GZIP)
