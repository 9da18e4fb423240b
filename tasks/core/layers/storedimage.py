"""An image in the engine's own blobs -> the files that an archive of it would have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from tasks.core.images import archive, blobs, layout
from tasks.core.images.allowance import Allowance
from tasks.core.images.blobs import Blob, Look
from tasks.core.images.contentstore import ContentStore
from tasks.core.layers import layercache, layerfiles, sidebyside
from tasks.core.untrusted import Malformed

#: Reads the layer with a digest and a diff id.
_Reader = Callable[[str, str], Blob]


def known(
    root: Path, store: ContentStore, descriptor: Mapping[str, Any]
) -> Mapping[str, Blob] | None:
    """The files of the image ``descriptor``; None if one is missing.

    Layers that `layercache` knows are not read again; what a layer's `Blob` has seen are its
    LayerFiles. Raises Malformed for an image that is damaged.
    """
    allowance = Allowance()
    look = layerfiles.look()
    documents = _Documents(store, descriptor, allowance)
    return _complete(
        documents, lambda *pair: _kept(root, store, pair, allowance, look), sidebyside.AT_ONCE
    )


def whole(
    store: ContentStore, descriptor: Mapping[str, Any], look: Look
) -> Mapping[str, Blob] | None:
    """The same with every byte read, one file after the other; ``look`` sees each of them."""
    allowance = Allowance()
    documents = _Documents(store, descriptor, allowance, look)
    return _complete(documents, lambda digest, _: _read(store, digest, allowance, look), 1)


def _complete(documents: _Documents, read: _Reader, at_once: int) -> Mapping[str, Blob] | None:
    """The documents, and the layers that they lead to."""
    if not documents.has_image:
        return None
    wanted = {digest: diff_id for _, digest, diff_id in archive.claimed_layers(documents)}
    if any(documents.store.size_bytes(digest) is None for digest in wanted):
        return None
    jobs = [partial(read, *pair) for pair in wanted.items()]
    try:
        documents.add(sidebyside.read(jobs, documents.allowance, at_once))
    except FileNotFoundError:  # the image is being removed: the engine will say so
        return None
    return documents


class _Documents(Mapping[str, Blob]):
    """The documents of a store by their path in an archive, each read once and when asked for."""

    def __init__(
        self,
        store: ContentStore,
        descriptor: Mapping[str, Any],
        allowance: Allowance,
        look: Look | None = None,
    ) -> None:
        self.store = store
        self.allowance = allowance
        self._look = look
        self._top = layout.path(str(descriptor.get("digest")))
        index = json.dumps({"manifests": [descriptor]}).encode()
        digest = f"sha256:{sha256(index).hexdigest()}"
        self._known = {"index.json": Blob(digest, len(index), digest, len(index), index)}
        self._kept_bytes = 0

    @property
    def has_image(self) -> bool:
        """Whether the image itself is here."""
        return self._top in self

    def add(self, read: Iterable[Blob]) -> None:
        """Blobs that somebody else has read."""
        self._known |= {layout.path(blob.digest): blob for blob in read}

    def __contains__(self, path: object) -> bool:
        return path in self._known or (isinstance(path, str) and self._find(path))

    def __getitem__(self, path: str) -> Blob:
        if path not in self:
            raise KeyError(path)
        return self._known[path]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._known))

    def __len__(self) -> int:
        return len(self._known)

    def _find(self, path: str) -> bool:
        digest = path.removeprefix("blobs/").replace("/", ":")
        if digest == path or self.store.size_bytes(digest) is None:
            return False
        if len(self._known) > archive.MAX_IMAGES * archive.MAX_LAYERS:
            raise Malformed("holds too many documents")
        try:
            blob = _read(self.store, digest, self.allowance, self._look)
        except FileNotFoundError:  # it is being removed
            return False
        self._kept_bytes += len(blob.content or b"")
        if self._kept_bytes > blobs.MAX_KEPT_BYTES:
            raise Malformed(f"holds more than {blobs.MAX_KEPT_BYTES} bytes of JSON")
        self._known[path] = blob
        return True


def _kept(
    root: Path, store: ContentStore, layer: tuple[str, ...], allowance: Allowance, look: Look
) -> Blob:
    digest, diff_id = layer
    known = layercache.load(root, diff_id, digest)
    if known is not None:
        size_bytes = store.size_bytes(digest) or 0
        return Blob(digest, size_bytes, diff_id, known.unpacked_bytes, None, known.files)
    read = _read(store, digest, allowance, look)
    layercache.keep(root, read)
    return read


def _read(store: ContentStore, digest: str, allowance: Allowance, look: Look | None) -> Blob:
    with store.open(digest) as source:
        size_bytes = store.size_bytes(digest) or 0
        return blobs.measured(source, digest, size_bytes, look, allowance)
