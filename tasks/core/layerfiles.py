"""A layer as columns: what reports on layers need to know of its entries, in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tasks.core.blobs import Look, Readable
from tasks.core.entries import FileEntry, Kind
from tasks.core.tarwalk import Walker

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

    ``paths`` and ``sizes`` (bytes) are as in `FileEntry`, ``kinds`` are LETTERS; ``links`` has the
    targets of symbolic and hard links, by the entry's number.
    """

    paths: list[str] = field(default_factory=list)
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    kinds: str = ""
    links: dict[int, str] = field(default_factory=dict)

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
    return LayerFiles(paths, sizes, letters.decode(), links)


def look() -> Look:
    """What makes columns of the layers of one archive, and None of other files, see `blobs`."""
    walker = Walker(())

    def columns_of(unpacked: Readable) -> LayerFiles | None:
        entries = walker.entries(unpacked)
        return None if entries is None else columns(entries)

    return columns_of
