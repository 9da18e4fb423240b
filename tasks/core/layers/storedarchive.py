"""An archive on disk that is not compressed -> its files, the layers read side by side.

Every layer is hashed, whatever is known: an archive can claim to hold anything. What `layercache`
knows of a layer saves unpacking and parsing it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tasks.core.images import archive, blobs, tarfiles, tarwalk
from tasks.core.images.allowance import Allowance
from tasks.core.images.blobs import Blob, Look
from tasks.core.images.tarfiles import Parts
from tasks.core.layers import layercache, layerfiles, sidebyside
from tasks.core.untrusted import Malformed


@contextmanager
def opened(root: Path, path: Path) -> Iterator[Files]:
    """The files of the archive ``path``, with every layer that its documents lead to read.

    Raises Malformed for a damaged archive, OSError for one that cannot be read.
    """
    allowance = Allowance()
    with tarfiles.parts(path, allowance) as parts:
        files = Files(root, parts, allowance)
        files.read_layers()
        yield files


class Files(Mapping[str, Blob]):
    """The files of an archive by path, each read once and when it is asked for; links share it.

    What a layer's `Blob` has seen are its LayerFiles. Those that were parsed now, and not known
    before, are ``fresh``.
    """

    def __init__(self, root: Path, parts: Parts, allowance: Allowance) -> None:
        self.fresh: list[Blob] = []
        self._root = root
        self._parts = parts
        self._allowance = allowance
        self._look = layerfiles.look()
        self._known: dict[str, Blob] = {}
        self._kept_bytes = self._entries = 0

    def read_layers(self) -> None:
        """Read every layer, those of one place once."""
        wanted: dict[str, tuple[str, str]] = {}
        for name, digest, diff_id in archive.claimed_layers(self):
            place = self._parts.target(name)
            if place is not None:
                wanted.setdefault(place, (digest, diff_id))
        jobs = [partial(self._layer, place, *ids) for place, ids in wanted.items()]
        self._known |= dict(zip(wanted, sidebyside.read(jobs, self._allowance), strict=True))

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self._parts.target(path) is not None

    def __getitem__(self, path: str) -> Blob:
        place = self._parts.target(path)
        if place is None:
            raise KeyError(path)
        if place not in self._known:
            self._known[place] = self._read(place, None)
            self._kept_bytes += len(self._known[place].content or b"")
            if self._kept_bytes > blobs.MAX_KEPT_BYTES:
                raise Malformed(f"holds more than {blobs.MAX_KEPT_BYTES} bytes of JSON")
        return self._known[place]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._known))

    def __len__(self) -> int:
        return len(self._known)

    def _layer(self, place: str, digest: str, diff_id: str) -> Blob:
        """The layer at a place, with its files; both ids are claims."""
        known = layercache.load(self._root, diff_id, digest)
        size_bytes = self._parts.size_bytes(place)
        if known is not None:
            self._entries += len(known.files.kinds)
            if self._entries > tarwalk.MAX_ENTRIES:
                raise Malformed(f"the layers hold more than {tarwalk.MAX_ENTRIES} entries")
            with self._parts.open(place) as source:
                found = blobs.hashed(source, place, size_bytes, self._allowance)
            if found == digest:
                return Blob(digest, size_bytes, diff_id, known.unpacked_bytes, None, known.files)
        read = self._read(place, self._look)
        self.fresh.append(read)
        return read

    def _read(self, place: str, look: Look | None) -> Blob:
        with self._parts.open(place) as source:
            size_bytes = self._parts.size_bytes(place)
            return blobs.measured(source, place, size_bytes, look, self._allowance)
