"""An image in the engine's own blobs -> the files of an archive, parsed no more than needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

from tasks.core import archive, blobs, layercache, layout
from tasks.core.blobs import Allowance, Blob
from tasks.core.contentstore import ContentStore
from tasks.core.layerfiles import KnownLayer, LayerFiles, look
from tasks.core.untrusted import Malformed

#: Decompressing and hashing leave room for another thread.
AT_ONCE = 2


def files(
    root: Path, store: ContentStore, descriptor: Mapping[str, Any]
) -> Mapping[str, Blob] | None:
    """The files that an export of the image ``descriptor`` would have; None if one is missing.

    Documents are read anew and layers that are not known from `layercache` too; what a layer's
    `Blob` has seen are its LayerFiles. Raises Malformed for an image that is damaged.
    """
    documents = _Documents(store, json.dumps({"manifests": [descriptor]}).encode())
    if layout.path(str(descriptor.get("digest"))) not in documents:
        return None
    wanted = dict(_layers(documents))
    if any(store.size_bytes(digest) is None for digest in wanted):
        return None
    allowance = Allowance()
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        jobs = [pool.submit(_layer, root, store, *pair, allowance) for pair in wanted.items()]
        try:
            read = [job.result() for job in jobs]
        except FileNotFoundError:  # the image is being removed: the engine will say so
            return None
    return {**documents, **{layout.path(blob.digest): blob for blob in read}}


class _Documents(Mapping[str, Blob]):
    """The documents of a store by their path in an archive, each read once and when asked for."""

    def __init__(self, store: ContentStore, index: bytes) -> None:
        self._store = store
        self._known: dict[str, Blob] = {"index.json": _document(index)}

    def __contains__(self, path: object) -> bool:
        return path in self._known or (isinstance(path, str) and self._read(path))

    def __getitem__(self, path: str) -> Blob:
        if path not in self:
            raise KeyError(path)
        return self._known[path]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._known))

    def __len__(self) -> int:
        return len(self._known)

    def _read(self, path: str) -> bool:
        content = self._store.document(path.removeprefix("blobs/").replace("/", ":"))
        if content is not None:
            if len(self._known) > archive.MAX_IMAGES * archive.MAX_LAYERS:
                raise Malformed("holds too many documents")
            self._known[path] = _document(content)
        return content is not None


def _document(content: bytes) -> Blob:
    digest = f"sha256:{sha256(content).hexdigest()}"
    return Blob(digest, len(content), digest, len(content), content)


def _layers(documents: Mapping[str, Blob]) -> Iterator[tuple[str, str]]:
    """The digest and the diff id of every layer of every image that is here."""
    for number, described in enumerate(layout.manifests(documents)):
        if number >= archive.MAX_IMAGES:
            raise Malformed(f"holds more than {archive.MAX_IMAGES} images")
        if described.attests is None:
            yield from archive.layer_digests(documents, described)


def _layer(
    root: Path, store: ContentStore, digest: str, diff_id: str, allowance: Allowance
) -> Blob:
    known = layercache.load(root, diff_id, digest)
    if known is not None:
        size_bytes = store.size_bytes(digest) or 0
        return Blob(digest, size_bytes, diff_id, known.unpacked_bytes, None, known.files)
    with store.open(digest) as source:
        size_bytes = store.size_bytes(digest) or 0
        read = blobs.measured(source, digest, size_bytes, look(), allowance)
    if isinstance(read.seen, LayerFiles) and read.digest == digest:
        layercache.store(
            root, KnownLayer(read.unpacked_digest, digest, read.unpacked_bytes, read.seen)
        )
    return read
