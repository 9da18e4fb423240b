"""A layer, unpacked -> its entries, and what inspectors saw in the content of its files.

Everything is read once, in order, and nothing is kept but entries; what an archive may demand of
memory and time is limited, whatever it claims.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.core.images import tarheader
from tasks.core.images.allowance import MAX_SECONDS
from tasks.core.images.blobs import Readable
from tasks.core.images.bytestream import HEAD_BYTES, Stream
from tasks.core.images.entries import FileEntry, Inspector, Kind
from tasks.core.images.tarheader import BLOCK_BYTES, Header
from tasks.core.untrusted import Malformed

#: Limits for all layers of one archive together.
MAX_ENTRIES = 500_000
MAX_NAMES_BYTES = 64 * 2**20
_KINDS = {
    b"0": Kind.FILE,
    b"7": Kind.FILE,
    b"S": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.LINK,
    b"3": Kind.CHARACTER_DEVICE,
    b"4": Kind.BLOCK_DEVICE,
    b"5": Kind.DIRECTORY,
    b"6": Kind.PIPE,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An unpacked file: the entries of a layer, or None and what was found in another document."""

    entries: tuple[FileEntry, ...] | None
    found: tuple[object, ...] = ()


class Walker:
    """Walks through the files of one archive; the limits hold for all of them together."""

    def __init__(self, inspectors: Sequence[Inspector]) -> None:
        self._inspectors = inspectors
        self._entries = 0
        self._names_bytes = 0
        self._until = time.monotonic() + MAX_SECONDS

    def look(self, unpacked: Readable) -> Seen:
        """What is in a blob: a layer's entries, or findings in what is no tar archive."""
        stream = Stream(unpacked)
        block = stream.upto(BLOCK_BYTES, fill=True)
        if block and not _begins_tar(block):
            entry = FileEntry("", Kind.OTHER, 0, 0, 0, 0)
            head = block + stream.upto(HEAD_BYTES - len(block), fill=True)
            return Seen(None, self._inspect(entry, head, stream.rest()))
        return Seen(tuple(self._walk(stream, block)))

    def entries(self, unpacked: Readable) -> Iterator[FileEntry] | None:
        """The entries of a layer, one by one as they are read; None for what is no tar archive."""
        stream = Stream(unpacked)
        block = stream.upto(BLOCK_BYTES, fill=True)
        return None if block and not _begins_tar(block) else self._walk(stream, block)

    def _walk(self, stream: Stream, block: bytes) -> Iterator[FileEntry]:
        pax: dict[bytes, bytes] = {}
        name = link = b""
        while block.strip(b"\0"):
            header = tarheader.basic(block)
            if header.type in tarheader.PAX_TYPES:
                pax = tarheader.records(_extension(header, stream))
            elif header.type == tarheader.LONG_NAME:
                name = _extension(header, stream).partition(b"\0")[0]
            elif header.type == tarheader.LONG_LINK:
                link = _extension(header, stream).partition(b"\0")[0]
            elif header.type == tarheader.PAX_GLOBAL:
                _extension(header, stream)  # the engine's reader does not heed them either
            else:
                if pax:
                    header = tarheader.extended(header, pax, stream.exactly)
                if header.type == tarheader.GNU_SPARSE:
                    header = tarheader.old_sparse(header, block, stream.exactly)
                yield self._member(_named(header, name, link), stream)
                pax, name, link = {}, b"", b""
            self._check_limits(header)
            block = stream.upto(BLOCK_BYTES, fill=True)
        _check_end(stream, block)

    def _member(self, header: Header, stream: Stream) -> FileEntry:
        kind = _KINDS.get(header.type, Kind.OTHER)
        has_content = kind in (Kind.FILE, Kind.OTHER)
        entry = FileEntry(
            path=_path(header.name),
            kind=kind,
            mode=header.mode,
            uid=header.uid,
            gid=header.gid,
            size_bytes=header.size_bytes if has_content else 0,
            link=_link(kind, header.link),
            has_capabilities=header.has_capabilities,
            modified=header.modified,
        )
        if not has_content or not header.stored_bytes:
            return entry
        if not self._inspectors:
            stream.skip(header.stored_bytes + -header.stored_bytes % BLOCK_BYTES)
            return entry
        content = _expanded(header, stream) if header.pieces else stream.pieces(header.stored_bytes)
        found = self._inspect(entry, *_beheaded(content))
        stream.skip(-header.stored_bytes % BLOCK_BYTES)
        return entry._replace(found=found) if found else entry

    def _inspect(
        self, entry: FileEntry, head: bytes, content: Iterator[bytes]
    ) -> tuple[object, ...]:
        opened = [inspector.open(entry, head) for inspector in self._inspectors]
        probes = [probe for probe in opened if probe]
        wanting = [probe for probe in probes if probe.feed(head)]
        for piece in content:
            self._check_time()
            wanting = [probe for probe in wanting if probe.feed(piece)]
        results = [probe.result() for probe in probes]
        return tuple(result for result in results if result is not None)

    def _check_limits(self, header: Header) -> None:
        self._entries += 1
        self._names_bytes += len(header.name) + len(header.link)
        if header.type in tarheader.PAX_TYPES:
            self._names_bytes += header.stored_bytes
        if self._entries > MAX_ENTRIES:
            raise Malformed(f"the layers hold more than {MAX_ENTRIES} entries")
        if self._names_bytes > MAX_NAMES_BYTES:
            raise Malformed(f"the layers hold more than {MAX_NAMES_BYTES} bytes of names")
        self._check_time()

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            raise Malformed(f"reading it takes more than {MAX_SECONDS:g} seconds")


def _named(header: Header, name: bytes, link: bytes) -> Header:
    """The header with the long name or link that entries before it gave it, if any did."""
    if not name and not link:
        return header
    return header._replace(name=name or header.name, link=link or header.link)


def _begins_tar(block: bytes) -> bool:
    if not block.strip(b"\0"):
        return len(block) == BLOCK_BYTES
    try:
        return tarheader.basic(block) is not None
    except Malformed:
        return False


def _check_end(stream: Stream, block: bytes) -> None:
    """Behind the end there is nothing but zeros: data there would go unseen."""
    if len(block) not in (0, BLOCK_BYTES):
        raise Malformed("it ends within a header")
    if any(piece.strip(b"\0") for piece in stream.rest()):
        raise Malformed("it has data behind its end")


def _extension(header: Header, stream: Stream) -> bytes:
    if header.stored_bytes > tarheader.MAX_EXTENSION_BYTES:
        raise Malformed(f"a header of {header.stored_bytes} bytes")
    content = stream.exactly(header.stored_bytes)
    stream.skip(-header.stored_bytes % BLOCK_BYTES)
    return content


def _expanded(header: Header, stream: Stream) -> Iterator[bytes]:
    """A sparse file's content: exact within its head; later holes are one block, however long."""
    at = 0
    for offset, length in header.pieces or ():
        hole = offset - at
        yield bytes(max(min(hole, HEAD_BYTES - at), min(hole, BLOCK_BYTES)))
        yield from stream.pieces(length)
        at = offset + length


def _beheaded(content: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The head of a content and the rest of it."""
    head = b""
    for piece in content:
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    return head, content


def _path(name: bytes) -> str:
    """A name as a path below the root. Raises Malformed for one that would lead out of it."""
    words = [word for word in name.split(b"/") if word not in (b"", b".")]
    if b".." in words or b"\0" in name or len(name) > tarheader.MAX_PATH_BYTES:
        text = name[:80].decode("utf-8", "surrogateescape")
        raise Malformed(f"an entry has a name that is no path inside the image: {text!r}")
    return b"/".join(words).decode("utf-8", "surrogateescape")


def _link(kind: Kind, target: bytes) -> str:
    if kind is Kind.HARD_LINK:
        return _path(target)
    if kind is Kind.LINK:
        if len(target) > tarheader.MAX_PATH_BYTES:
            raise Malformed("a symbolic link whose target is no path")
        return target.decode("utf-8", "surrogateescape")
    return ""
