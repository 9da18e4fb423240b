"""A layer as columns: what reports on layers need to know of its entries, in little memory."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tasks.core.images.blobs import Look, Readable
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.images.tarwalk import Walker

#: One letter a kind, for the column.
LETTERS = {
    Kind.FILE: "f",
    Kind.HARD_LINK: "h",
    Kind.LINK: "l",
    Kind.DIRECTORY: "d",
    Kind.CHARACTER_DEVICE: "c",
    Kind.BLOCK_DEVICE: "b",
    Kind.PIPE: "p",
    Kind.OTHER: "o",
}
KINDS = {letter: kind for kind, letter in LETTERS.items()}


@dataclass(frozen=True, slots=True)
class LayerFiles:
    """The entries of one layer in their order, as columns of one length.

    ``sizes`` (bytes) are as in `FileEntry`, ``kinds`` are LETTERS; ``links`` has the targets of
    symbolic and hard links, by the entry's number. Paths are kept compressed, see `packed`: as they
    are they would be most of what a large image takes up.
    """

    packed_paths: bytes
    sizes: array[int]
    kinds: str
    links: dict[int, str]

    @property
    def paths(self) -> list[str]:
        """The paths as in `FileEntry`, unpacked anew each time."""
        text = zlib.decompress(self.packed_paths).decode("utf-8", "surrogateescape")
        return text.split("\0") if self.kinds else []

    def entries(self) -> Iterator[FileEntry]:
        """The entries again, as far as they are known: without modes, owners and dates."""
        for number, (path, size, letter) in enumerate(
            zip(self.paths, self.sizes, self.kinds, strict=True)
        ):
            link = self.links.get(number, "")
            yield FileEntry(path, KINDS[letter], 0, 0, 0, size, link=link)

    @property
    def content_bytes(self) -> int:
        """The bytes of all regular files."""
        return sum(
            size for size, letter in zip(self.sizes, self.kinds, strict=True) if letter == "f"
        )


@dataclass(frozen=True, slots=True)
class KnownLayer:
    """A layer that was parsed.

    ``digest`` is the blob that it was read from, ``diff_id`` that of the tar which came out, and
    ``unpacked_bytes`` how large that is.
    """

    diff_id: str
    digest: str
    unpacked_bytes: int
    files: LayerFiles


def columns(entries: Iterable[FileEntry]) -> LayerFiles:
    """Entries as columns; they are looked at once, in their order."""
    paths, sizes, letters = [], array("Q"), bytearray()
    links = {}
    for number, entry in enumerate(entries):
        paths.append(entry.path)
        sizes.append(entry.size_bytes)
        letters += LETTERS[entry.kind].encode()
        if entry.link:
            links[number] = entry.link
    return LayerFiles(packed(paths), sizes, letters.decode(), links)


def packed(paths: Sequence[str]) -> bytes:
    """Paths as `LayerFiles` keeps them. Raises UnicodeError for what is no path."""
    return zlib.compress("\0".join(paths).encode("utf-8", "surrogateescape"), 1)


def look() -> Look:
    """What makes columns of the layers of one archive, and None of other files, see `blobs`."""
    walker = Walker(())

    def columns_of(unpacked: Readable) -> LayerFiles | None:
        entries = walker.entries(unpacked)
        return None if entries is None else columns(entries)

    return columns_of
