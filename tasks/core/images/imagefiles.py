"""Images on disk -> the stream that `contents` and `archive` read: archives and OCI folders."""

from __future__ import annotations

import gzip
import itertools
import stat
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from tasks.core.errors import UsageError
from tasks.core.images import tarfiles
from tasks.core.images.allowance import Allowance
from tasks.core.images.tarfiles import PIECE_BYTES
from tasks.core.untrusted import Malformed

#: What archives come in that is not read here: engines write none of it.
_PACKED: Mapping[bytes, str] = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
}


def open_archive(path: Path) -> Iterator[bytes]:
    """The image at ``path`` as an archive stream: docker or OCI archive, also gzipped; OCI folder.

    Raises UsageError for a path that is none of these, at once and not with the first piece.
    """
    if path.is_dir():
        if not (path / "index.json").is_file():
            raise UsageError(f"{path} is no OCI folder: it has no index.json")
        return as_archive(path, _below(path))
    return _file(path) if is_plain(path) else _unpacked(path)


def is_plain(path: Path) -> bool:
    """Whether the image at ``path`` is one file, and not compressed: to be read at any place.

    Raises UsageError for a file that cannot be read, or is compressed otherwise than by gzip.
    """
    if path.is_dir():
        return False
    if path.exists() and not path.is_file():  # to open a pipe would wait for who writes to it
        raise UsageError(f"{path} is neither a file nor a folder: write the image to a file")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise unreadable(path, error) from None
    other = next((name for magic, name in _PACKED.items() if head.startswith(magic)), "")
    if other:
        raise UsageError(f"the archive {path} is compressed with {other}: unpack it first")
    return not head.startswith(b"\x1f\x8b")


def unreadable(path: Path, error: OSError) -> UsageError:
    """The error for an archive that the system does not give out."""
    return UsageError(f"cannot read the archive {path}: {error.strerror}")


def _file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(PIECE_BYTES), b"")


def _unpacked(path: Path) -> Iterator[bytes]:
    allowance = Allowance()
    try:
        allowance.store(path.stat().st_size)
        with gzip.open(path) as file:
            for piece in iter(partial(file.read, PIECE_BYTES), b""):
                allowance.unpack(len(piece))
                yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile, Malformed) as error:
        raise UsageError(f"the archive {path} cannot be decompressed: {error}") from None


def as_archive(folder: Path, paths: Iterable[Path]) -> Iterator[bytes]:
    """The regular files ``paths`` below ``folder`` as a tar stream.

    Links may lead anywhere: left out. Raises OSError for a path that is not there.
    """
    for path in paths:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = status.st_size
            yield member.tobuf(tarfile.PAX_FORMAT)
            yield from _exactly(path, status.st_size)
            yield bytes(-status.st_size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _below(folder: Path) -> list[Path]:
    found = list(itertools.islice(folder.rglob("*"), 2 * tarfiles.MAX_FILES))
    if len(found) == 2 * tarfiles.MAX_FILES:
        raise UsageError(f"{folder} is no OCI folder: it holds {len(found)} files and more")
    return sorted(found)


def _exactly(path: Path, size_bytes: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size_bytes:
            piece = file.read(min(size_bytes, PIECE_BYTES))
            if not piece:
                raise UsageError(f"{path} changes while it is read")
            size_bytes -= len(piece)
            yield piece
