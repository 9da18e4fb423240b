"""The tar archive around an image -> its few files, as a stream or at any place, within limits."""

from __future__ import annotations

import io
import os
import posixpath
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.core.images.allowance import Allowance
from tasks.core.untrusted import Malformed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE_BYTES = 2**18
#: Of a long name or of pax records; on some Pythons searching them is quadratic: 0.3 s for these.
MAX_HEADER_BYTES = 2**13
MAX_FILES = 10_000
_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


@contextmanager
def opened(chunks: Iterable[bytes]) -> Iterator[tarfile.TarFile]:
    """The tar stream ``chunks``, to be read once from its beginning to its end.

    Raises Malformed, within the block too, for a stream that is no whole tar archive.
    """
    with _whole(io.BufferedReader(_Chunks(chunks), PIECE_BYTES), "r|") as archive:
        yield archive


@contextmanager
def _whole(file: io.BufferedReader, mode: Literal["r|", "r:"]) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=file, mode=mode, bufsize=PIECE_BYTES, tarinfo=_Member) as archive:
            yield archive
    except (tarfile.TarError, EOFError, RecursionError, ValueError, OverflowError) as error:
        raise Malformed(f"no whole tar archive: {error or 'headers without end'}") from None


def members(
    archive: tarfile.TarFile, allowance: Allowance, end: float = float("inf")
) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """The regular files and symbolic links of an archive, each with its path.

    ``end`` is where the archive ends, if that is known: no file system can seek anywhere. Raises
    Malformed for too many, for a path that is there twice, a sparse file, a size that is a lie.
    """
    known = set()
    for number, member in enumerate(archive):
        allowance.store(tarfile.BLOCKSIZE)
        path = posixpath.normpath(member.name)
        if number >= MAX_FILES:
            raise Malformed(f"holds more than {MAX_FILES} files")
        if path in known:
            raise Malformed(f"holds {path} twice")
        if archive.offset < member.offset_data:
            raise Malformed(f"holds {path} with a size below nothing")
        allowance.claim(archive.offset)  # to read on to anywhere would take as long
        if archive.offset > end:
            raise Malformed("no whole tar archive: unexpected end of data")
        if member.issparse():
            raise Malformed(f"holds {path} as a sparse file")
        if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issym():
            known.add(path)
            yield path, member


def leads_to(path: str, member: tarfile.TarInfo) -> str:
    """The path that the link at ``path`` leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))


class Parts:
    """Where the files of a tar archive on disk lie: each can be read by itself.

    A link stands for the file that it leads to, by whose name `target` gives it.
    """

    def __init__(self, file: io.BufferedReader, allowance: Allowance) -> None:
        self._descriptor = file.fileno()
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        end = os.fstat(self._descriptor).st_size
        with _whole(file, "r:") as archive:
            for name, member in members(archive, allowance, end):
                if member.issym():
                    self._links[name] = leads_to(name, member)
                else:
                    self._places[name] = (member.offset_data, member.size)

    def target(self, name: str) -> str | None:
        """The file that ``name`` is or leads to; None where there is none."""
        name = self._links.get(name, name)
        return name if name in self._places else None

    def size_bytes(self, name: str) -> int:
        """How large a file is, by the archive's word."""
        return self._places[name][1]

    def open(self, name: str) -> io.BufferedReader:
        """A file to be read, as long as the archive is open."""
        return io.BufferedReader(_Window(self._descriptor, *self._places[name]), PIECE_BYTES)


@contextmanager
def parts(path: Path, allowance: Allowance) -> Iterator[Parts]:
    """The files of the archive at ``path``, which is open meanwhile: it may be replaced or removed.

    Raises Malformed for what is no whole tar archive, OSError for what cannot be read.
    """
    with path.open("rb") as file:
        yield Parts(file, allowance)


class _Member(tarfile.TarInfo):
    """A tar header whose extensions are small: tarfile reads long names and pax records whole.

    It reads the maps of sparse files to their end, too, which need not come.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        member = super().frombuf(buf, encoding, errors)
        if member.size < 0 or (member.type in _EXTENSIONS and member.size > MAX_HEADER_BYTES):
            raise tarfile.ReadError(f"a header of {member.size} bytes")
        if member.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError(f"{member.name} is a sparse file")
        return member

    def _proc_gnusparse_10(self, next: tarfile.TarInfo, *_: object) -> None:
        raise tarfile.ReadError(f"{next.name} is a sparse file")


class _Chunks(io.RawIOBase):
    """A file to read from pieces of any size."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        room = memoryview(buffer).cast("B")
        size = min(len(room), len(self._rest))
        room[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


class _Window(io.RawIOBase):
    """A part of an open file as a file of its own."""

    def __init__(self, descriptor: int, offset: int, size_bytes: int) -> None:
        self._descriptor = descriptor
        self._at, self._end = offset, offset + size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        room = memoryview(buffer).cast("B")[: self._end - self._at]
        size = os.preadv(self._descriptor, [room], self._at) if room else 0
        self._at += size
        return size
