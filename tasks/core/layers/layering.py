"""An image, by name or as an archive -> its layers' files, with as little reading as possible.

Layers that were parsed before come from `layercache`; others are read from the engine's own blobs
where they are at hand, or else from an export.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core import daemon
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.images import archive, blobs, contentstore, imagecache, imagefiles, tarwalk
from tasks.core.images.archive import Image
from tasks.core.images.blobs import Blob
from tasks.core.layers import layercache, layerfiles, storedarchive, storedimage
from tasks.core.layers.layerfiles import KnownLayer, LayerFiles
from tasks.core.untrusted import Malformed

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True)
class Layered:
    """An image for one platform, and the files of each of its layers, the lowest first."""

    image: Image
    layers: tuple[LayerFiles, ...]


def from_archive(root: Path, path: Path) -> tuple[Layered, ...]:
    """The images in the archive or OCI folder ``path``; what was parsed is kept below ``root``.

    Raises UsageError for one that is damaged or demands too much.
    """
    if not imagefiles.is_plain(path):
        return _from_stream(root, imagefiles.open_archive(path), path.name)
    try:
        with storedarchive.opened(root, path) as files:
            found = _joined(files, path.name)
    except Malformed as problem:
        raise archive.damaged(path.name, problem) from None
    except OSError as error:
        raise imagefiles.unreadable(path, error) from None
    for layer in files.fresh:
        layercache.keep(root, layer)
    return found


def from_engine(root: Path, engine: Engine, reference: str) -> tuple[Layered, ...]:
    """The image ``reference`` of the engine, every platform of it that is there.

    Raises OutOfReach where there is no such image, UsageError for one that is damaged.
    """
    with closing(daemon.connect(engine)) as client:
        return _from_engine(root, client, engine.host, reference)


def _from_engine(
    root: Path, client: DockerClient, host: str, reference: str
) -> tuple[Layered, ...]:
    told = daemon.inspected(client, reference)
    if told is None:
        raise OutOfReach(f"no image {reference} in the engine; run: docker pull {reference}")
    image_id, size_bytes = str(told["Id"]), int(told["Size"])
    known = _remembered(root, image_id, size_bytes, reference)
    if known is not None:
        return known
    store = contentstore.find(client, host) if told.get("Descriptor") else None
    if store is not None:
        try:
            files = storedimage.known(root, store, told["Descriptor"])
            if files is not None:
                return _joined(files, reference)
        except Malformed as problem:
            raise archive.damaged(reference, problem) from None
    found = _from_stream(root, client.api.get_image(image_id), reference, image_id)
    imagecache.store(root, image_id, size_bytes, tuple(each.image for each in found))
    return found


def _remembered(
    root: Path, image_id: str, size_bytes: int, reference: str
) -> tuple[Layered, ...] | None:
    """An image that was measured before, if all of its layers are known too."""
    found = []
    for image in imagecache.load(root, image_id, size_bytes, reference) or ():
        layers = [layercache.load(root, each.diff_id, each.digest) for each in image.layers]
        if None in layers:
            return None
        found.append(Layered(image, tuple(each.files for each in layers if each)))
    return tuple(found) or None


def _from_stream(
    root: Path, chunks: Iterable[bytes], reference: str, image_id: str = ""
) -> tuple[Layered, ...]:
    try:
        found = _joined(blobs.read(chunks, layerfiles.look()), reference, image_id)
    except Malformed as problem:
        raise archive.damaged(reference, problem) from None
    for each in found:
        for layer, files in zip(each.image.layers, each.layers, strict=True):
            layercache.store(
                root, KnownLayer(layer.diff_id, layer.digest, layer.unpacked_bytes, files)
            )
    return found


def _joined(files: Mapping[str, Blob], reference: str, image_id: str = "") -> tuple[Layered, ...]:
    """The images with their layers. Raises Malformed, also for too many entries altogether."""
    images = archive.images(files, reference, image_id)
    seen = {blob.digest: blob.seen for blob in files.values()}
    entries = 0
    found = []
    for image in images:
        layers = []
        for layer in image.layers:
            known = seen[layer.digest]
            if not isinstance(known, LayerFiles):
                raise Malformed(f"layer {layer.digest} is no tar archive")
            entries += len(known.kinds)
            layers.append(known)
        found.append(Layered(image, tuple(layers)))
    if entries > tarwalk.MAX_ENTRIES:
        raise Malformed(f"its images have more than {tarwalk.MAX_ENTRIES} entries in their layers")
    return tuple(found)
