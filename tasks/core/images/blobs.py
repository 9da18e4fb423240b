"""A tar stream -> its files, each hashed and measured while it goes by; none is stored.

Only small files that may be JSON are kept, so memory stays bounded whatever the stream holds.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast

from tasks.core.images import inflating, tarfiles
from tasks.core.images.allowance import Allowance
from tasks.core.images.tarfiles import PIECE_BYTES
from tasks.core.untrusted import Malformed

#: How much compressed data is read at once. Twice a piece: with as much as one, or less, the C
#: library keeps 5 to 40 MiB of what was freed, as pieces too small for the next.
COMPRESSED_BYTES = 2 * PIECE_BYTES
MAX_JSON_BYTES = 8 * 2**20
MAX_KEPT_BYTES = 8 * MAX_JSON_BYTES


@dataclass(frozen=True)
class Blob:
    """One file: the digest and size of what is stored, and of what it is without compression.

    ``content`` is there for what may be JSON and has at most MAX_JSON_BYTES; ``seen`` is what the
    one who looked made of the unpacked bytes.
    """

    digest: str
    size_bytes: int
    unpacked_digest: str
    unpacked_bytes: int
    content: bytes | None
    seen: Any = None


class Readable(Protocol):
    """Something that can be read to its end; ``b""`` is the end."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes."""


#: Looks at the unpacked bytes of a file while they go by; need not read them to their end.
Look = Callable[[Readable], Any]


def read(chunks: Iterable[bytes], look: Look | None = None) -> Mapping[str, Blob]:
    """The files of the tar stream ``chunks`` by path; a link gives the file that it leads to.

    Raises Malformed for a stream that is no tar archive, ends early, or is out of all proportion.
    """
    with tarfiles.opened(chunks) as archive:
        return _files(archive, look)


def _files(archive: tarfile.TarFile, look: Look | None) -> Mapping[str, Blob]:
    files: dict[str, Blob] = {}
    links: dict[str, str] = {}
    kept_bytes = 0
    allowance = Allowance()
    for path, member in tarfiles.members(archive, allowance):
        if member.issym():
            links[path] = tarfiles.leads_to(path, member)
            continue
        files[path] = _blob(archive, member, look, allowance)
        kept_bytes += len(files[path].content or b"")
        if kept_bytes > MAX_KEPT_BYTES:
            raise Malformed(f"holds more than {MAX_KEPT_BYTES} bytes of JSON")
    linked = {path: files[target] for path, target in links.items() if target in files}
    return {**files, **linked}


def _blob(
    archive: tarfile.TarFile, member: tarfile.TarInfo, look: Look | None, allowance: Allowance
) -> Blob:
    source = archive.extractfile(member)
    if not isinstance(source, io.BufferedReader):
        raise Malformed(f"{member.name} cannot be read")
    return measured(source, member.name, member.size, look, allowance)


def measured(
    source: io.BufferedReader,
    name: str,
    size_bytes: int,
    look: Look | None,
    allowance: Allowance,
) -> Blob:
    """The file ``source`` of ``size_bytes``, read to its end; ``name`` is what errors call it.

    Raises Malformed for one that is damaged, ends early, or is out of all proportion.
    """
    head = source.peek(4)[:4]
    stored = _Tally(source, allowance.store)
    unpacker = _unpacker(head)
    content = seen = None
    if unpacker is None and may_be_json(head) and size_bytes <= MAX_JSON_BYTES:
        content = b"".join(_pieces(stored))
        seen = look(io.BytesIO(content)) if look else None
    unpacked = stored if unpacker is None else _Tally(unpacker(stored), allowance.unpack)
    try:
        if look and content is None:
            seen = look(unpacked)
        _drain(unpacked)
    except Malformed as error:
        raise Malformed(f"{name}: {error}") from None
    digest = _ended(stored, name, size_bytes)  # what lies behind compressed data belongs to it too
    return Blob(digest, size_bytes, unpacked.digest, unpacked.size_bytes, content, seen)


def hashed(source: io.BufferedReader, name: str, size_bytes: int, allowance: Allowance) -> str:
    """The digest of the same file, without a look into it."""
    return _ended(_Tally(source, allowance.store), name, size_bytes)


def may_be_json(head: bytes) -> bool:
    """Whether a file that begins so may be a document that engines write."""
    return head[:1] in (b"{", b"[")


def _ended(stored: _Tally, name: str, size_bytes: int) -> str:
    """The digest of a file that is read to its end now."""
    _drain(stored)
    if stored.size_bytes != size_bytes:
        raise Malformed(f"ends within {name}")
    return stored.digest


def _unpacker(head: bytes) -> Callable[[Readable], Readable] | None:
    """How a file is decompressed, by its first bytes: engines do the same, whatever its type says.

    None for a file that is stored as it is.
    """
    if head[:2] == b"\x1f\x8b":
        return _Gzip
    return _Zstd if head == b"\x28\xb5\x2f\xfd" else None


def _drain(source: Readable) -> None:
    for _ in _pieces(source):
        pass


def _pieces(source: Readable) -> Iterable[bytes]:
    return iter(lambda: source.read(PIECE_BYTES), b"")


class _Tally:
    """Counts and hashes what is read through it, and tells somebody who may have enough of it."""

    def __init__(self, source: Readable, tell: Callable[[int], None]) -> None:
        self._source = source
        self._tell = tell
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def read(self, size: int, /) -> bytes:
        piece = self._source.read(size)
        self._hash.update(piece)
        self.size_bytes += len(piece)
        self._tell(len(piece))
        return piece

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class _Gzip:
    """Decompresses gzip of one or several members, never more at once than was asked for."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._rest = b""
        self._member = inflating.member()

    def read(self, size: int, /) -> bytes:
        while not self._member.eof or self._next_member():
            if not self._more():
                raise Malformed("cannot be decompressed: it ends early")
            try:
                piece = self._member.decompress(self._rest, size)
            except inflating.ERRORS as error:
                raise Malformed(f"cannot be decompressed: {error}") from None
            self._rest = self._member.unconsumed_tail
            if piece:
                return piece
        return b""

    def _next_member(self) -> bool:
        """Begin the next member, if there is one; padding between members is allowed."""
        self._rest = self._member.unused_data
        while self._more():
            self._rest = self._rest.lstrip(b"\0")
            if self._rest:
                self._member = inflating.member()
                return True
        return False

    def _more(self) -> bool:
        """Whether there is input left, read ahead if need be."""
        self._rest = self._rest or self._source.read(COMPRESSED_BYTES)
        return bool(self._rest)


class _Zstd:
    """Decompresses zstd of one or several frames. A frame that is cut off just ends early."""

    def __init__(self, source: Readable) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        self._reader = zstandard.ZstdDecompressor().stream_reader(
            cast("IO[bytes]", source), read_size=PIECE_BYTES, read_across_frames=True
        )

    def read(self, size: int, /) -> bytes:
        try:
            return self._reader.read(size)
        except self._error as error:
            raise Malformed(f"cannot be decompressed: {error}") from None
