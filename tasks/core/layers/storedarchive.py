"""An archive on disk that is not compressed -> its files, the layers read two at a time.

Every layer is hashed, whatever is known: an archive can claim to hold anything. What `layercache`
knows of a layer saves unpacking and parsing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tasks.core.images import archive, blobs
from tasks.core.images.allowance import Allowance
from tasks.core.images.blobs import Blob, Look
from tasks.core.images.tarfiles import Parts
from tasks.core.layers import layercache, layerfiles
from tasks.core.untrusted import Malformed

#: Hashing and decompressing leave room for another thread.
AT_ONCE = 2


def known(root: Path, path: Path) -> Mapping[str, Blob]:
    """The documents of the archive ``path`` and the layers that they lead to, by path.

    What a layer's `Blob` has seen are its LayerFiles. Raises Malformed for a damaged archive.
    """
    reader = _Reader(root, path)
    documents = reader.documents()
    layers = {name: ids for name, *ids in archive.claimed_layers(documents) if reader.has(name)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {name: pool.submit(reader.layer, name, *ids) for name, ids in layers.items()}
        return {**documents, **{name: job.result() for name, job in jobs.items()}}


class _Reader:
    """Reads the files of one archive, within the limits for all of it."""

    def __init__(self, root: Path, path: Path) -> None:
        self._root = root
        self._allowance = Allowance()
        self._parts = Parts(path, self._allowance)
        self._look = layerfiles.look()

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return name in self._parts

    def documents(self) -> dict[str, Blob]:
        """What may be JSON."""
        found: dict[str, Blob] = {}
        kept_bytes = 0
        for name in self._parts:
            if not self._may_be_json(name):
                continue
            found[name] = self._read(name, self._look)
            kept_bytes += len(found[name].content or b"")
            if kept_bytes > blobs.MAX_KEPT_BYTES:
                raise Malformed(f"holds more than {blobs.MAX_KEPT_BYTES} bytes of JSON")
        return found

    def layer(self, name: str, digest: str, diff_id: str) -> Blob:
        """The layer at a path, with its files; both ids are claims."""
        known = layercache.load(self._root, diff_id, digest)
        size_bytes = self._parts.size_bytes(name)
        if known is not None:
            with self._parts.open(name) as source:
                found = blobs.hashed(source, name, size_bytes, self._allowance)
            if found == digest:
                return Blob(digest, size_bytes, diff_id, known.unpacked_bytes, None, known.files)
        read = self._read(name, self._look)
        layercache.keep(self._root, read)
        return read

    def _may_be_json(self, name: str) -> bool:
        if self._parts.size_bytes(name) > blobs.MAX_JSON_BYTES:
            return False
        with self._parts.open(name) as source:
            return blobs.may_be_json(source.peek(1))

    def _read(self, name: str, look: Look) -> Blob:
        with self._parts.open(name) as source:
            size_bytes = self._parts.size_bytes(name)
            return blobs.measured(source, name, size_bytes, look, self._allowance)
