"""Images on disk -> the stream that `contents` and `archive` read: archives and OCI folders."""

from __future__ import annotations

import gzip
import stat
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tasks.core.blobs import PIECE_BYTES
from tasks.core.errors import UsageError


def open_archive(path: Path) -> Iterator[bytes]:
    """The image at ``path`` as an archive stream: docker or OCI archive, also gzipped; OCI folder.

    Raises UsageError for a path that is none of these, at once and not with the first piece.
    """
    if path.is_dir():
        if not (path / "index.json").is_file():
            raise UsageError(f"{path} is no OCI folder: it has no index.json")
        return _folder(path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise UsageError(f"cannot read the archive {path}: {error.strerror}") from None
    return _unpacked(path) if packed else _file(path)


def _file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(PIECE_BYTES), b"")


def _unpacked(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) as file:
            yield from iter(lambda: file.read(PIECE_BYTES), b"")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"the archive {path} cannot be decompressed: {error}") from None


def _folder(folder: Path) -> Iterator[bytes]:
    """The regular files below ``folder`` as a tar stream; links may lead anywhere: left out."""
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = status.st_size
            yield member.tobuf(tarfile.PAX_FORMAT)
            yield from _exactly(path, status.st_size)
            yield bytes(-status.st_size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _exactly(path: Path, size_bytes: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size_bytes:
            piece = file.read(min(size_bytes, PIECE_BYTES))
            if not piece:
                raise UsageError(f"{path} changes while it is read")
            size_bytes -= len(piece)
            yield piece
