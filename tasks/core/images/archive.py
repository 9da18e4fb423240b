"""The archive that ``docker save`` writes -> the images in it, with both of their sizes.

Engines with the containerd store write an OCI layout (blobs first, index.json last), older ones
manifest.json with plain layers. One pass measures every file, then they are joined by digest, and
every digest and size that somebody claims is compared with what was there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from tasks.core import schema, untrusted
from tasks.core.errors import UsageError
from tasks.core.images import blobs, layout
from tasks.core.images.blobs import Blob
from tasks.core.images.layout import Descriptor
from tasks.core.untrusted import Malformed

CONFIG_TYPES = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
LAYER_TYPES = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
)
COMPRESSIONS = ("", "+gzip", "+zstd", ".gzip", ".zstd")
PLAIN_LAYER = LAYER_TYPES[0]
#: How many images one archive may hold, and layers one image; an engine puts 128 in place at most.
MAX_IMAGES = 64
MAX_LAYERS = 500
PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?")


@dataclass(frozen=True)
class Layer:
    """One layer. ``compressed_bytes`` is what is pulled; None where the engine does not know it."""

    digest: str
    diff_id: str
    media_type: str
    compressed_bytes: int | None
    unpacked_bytes: int


@dataclass(frozen=True)
class Image:
    """One image for one platform.

    ``digest`` is the manifest's (the config's where there is no manifest). ``compressed_bytes`` is
    what is pulled, layers and config; None where the engine stores layers unpacked and so does not
    know. ``unpacked_bytes`` is the sum of the layers as tar archives.
    """

    reference: str
    digest: str
    config_digest: str
    platform: str
    config: Mapping[str, Any]
    layers: tuple[Layer, ...]
    compressed_bytes: int | None
    unpacked_bytes: int

    @property
    def labels(self) -> Mapping[str, Any]:
        """The image's labels; empty where its config has none that can be read."""
        section = self.config.get("config")
        labels = section.get("Labels") if isinstance(section, dict) else None
        return labels if isinstance(labels, dict) else {}


def read(chunks: Iterable[bytes], reference: str, image_id: str = "") -> tuple[Image, ...]:
    """The images in the archive ``chunks``, one for each platform whose content is there.

    ``reference`` is what the images are called in results and errors. ``image_id`` is the engine's
    own id for them: where it is a config's digest, the engine keeps layers unpacked, and how large
    they were when they were pulled is not known. Raises UsageError for an archive that is damaged.
    """
    try:
        return images(blobs.read(chunks), reference, image_id)
    except Malformed as problem:
        raise damaged(reference, problem) from None


def images(files: Mapping[str, Blob], reference: str, image_id: str = "") -> tuple[Image, ...]:
    """The images in the files of an archive, see `read`. Raises Malformed where there is none."""
    found = tuple(itertools.islice(_images(files, reference, image_id), MAX_IMAGES + 1))
    if len(found) > MAX_IMAGES:
        raise Malformed(f"holds more than {MAX_IMAGES} images")
    if not found:
        raise Malformed("holds no image that is complete for a platform")
    return found


def claimed_layers(files: Mapping[str, Blob]) -> Iterator[tuple[str, str, str]]:
    """Path, digest and diff id of every layer that an archive's documents lead to, as they claim.

    Nothing of it is checked; the layers need not be there. Raises Malformed for documents that
    make no sense.
    """
    for number, layers in enumerate(_claims(files)):
        if number >= MAX_IMAGES:
            raise Malformed(f"holds more than {MAX_IMAGES} images")
        yield from layers


def _claims(files: Mapping[str, Blob]) -> Iterator[list[tuple[str, str, str]]]:
    """The same, image by image; images that were left out have none."""
    if "index.json" in files:
        for described in layout.manifests(files):
            if described.attests is None and (layers := _layer_digests(files, described)):
                yield [(layout.path(digest), digest, diff_id) for digest, diff_id in layers]
        return
    for entry in _plain_entries(files):
        _, _, paths, diff_ids = _plain_documents(files, entry)
        yield [(path, each, each) for path, each in zip(paths, diff_ids, strict=True)]


def damaged(reference: str, problem: Malformed) -> UsageError:
    """The error for an archive that is not what it claims to be."""
    line = untrusted.shown(" ".join(str(problem).split()))
    return UsageError(f"the archive of image {reference} is damaged: {line}")


def _images(files: Mapping[str, Blob], reference: str, image_id: str) -> Iterator[Image]:
    if "index.json" in files:
        described = [each for each in layout.manifests(files) if each.attests is None]
        found = (_image(files, each, reference, image_id) for each in described)
        yield from (image for image in found if image)
    else:
        for entry in _plain_entries(files):
            yield _plain_image(files, entry, reference)


def _plain_entries(files: Mapping[str, Blob]) -> Iterator[Mapping[str, Any]]:
    """What manifest.json says, image by image."""
    if "manifest.json" not in files:
        raise Malformed("it has neither index.json nor manifest.json")
    document = layout.json_of(files["manifest.json"], "manifest.json")
    for entry in untrusted.sequence(document, "manifest.json"):
        yield untrusted.mapping(entry, "manifest.json")


def _layer_digests(files: Mapping[str, Blob], described: Descriptor) -> list[tuple[str, str]]:
    """The digest and the diff id of each layer of a manifest; none if its content was left out."""
    where = f"manifest {described.digest}"
    manifest = layout.document(files, described)
    config = layout.descriptor(manifest.get("config"), f"config of {where}")
    if layout.path(config.digest) not in files:
        return []
    entries = untrusted.sequence(manifest.get("layers"), f"layers of {where}")
    diff_ids = _diff_ids(layout.document(files, config), config.digest, len(entries))
    digests = [layout.descriptor(entry, f"layer of {where}").digest for entry in entries]
    return list(zip(digests, diff_ids, strict=True))


def _image(
    files: Mapping[str, Blob], descriptor: Descriptor, reference: str, image_id: str
) -> Image | None:
    """The image of a manifest; None if its content was left out, as for a platform not pulled."""
    where = f"manifest {descriptor.digest}"
    manifest = layout.document(files, descriptor)
    described = layout.descriptor(manifest.get("config"), f"config of {where}")
    if described.media_type not in CONFIG_TYPES:
        raise Malformed(f"config of {where} has an unknown type {described.media_type[:80]!r}")
    if layout.path(described.digest) not in files:
        return None
    config = layout.document(files, described)
    entries = untrusted.sequence(manifest.get("layers"), f"layers of {where}")
    diff_ids = _diff_ids(config, described.digest, len(entries))
    pulled = image_id != described.digest
    layers = tuple(
        _layer(files, layout.descriptor(entry, f"layer of {where}"), diff_id, pulled)
        for entry, diff_id in zip(entries, diff_ids, strict=True)
    )
    compressed = described.size_bytes if pulled else None
    return _joined(reference, descriptor.digest, described.digest, config, layers, compressed)


def _plain_image(files: Mapping[str, Blob], entry: Mapping[str, Any], reference: str) -> Image:
    """An image as engines without an index write it: config and plain layers, by path."""
    blob, config, paths, diff_ids = _plain_documents(files, entry)
    layers = []
    for path, diff_id in zip(paths, diff_ids, strict=True):
        stored = layout.file(files, path)
        _check_unpacked(stored, diff_id)
        layers.append(Layer(stored.digest, diff_id, PLAIN_LAYER, None, stored.unpacked_bytes))
    return _joined(reference, blob.digest, blob.digest, config, tuple(layers), None)


def _plain_documents(
    files: Mapping[str, Blob], entry: Mapping[str, Any]
) -> tuple[Blob, Mapping[str, Any], list[str], list[str]]:
    """Of an entry of manifest.json: the config, stored and read; its layers by path and diff id."""
    path = untrusted.text(entry.get("Config"), "Config in manifest.json")
    blob = layout.file(files, path)
    stem = PurePosixPath(path).stem
    if len(stem) == 64 and f"sha256:{stem}" != blob.digest:
        raise Malformed(f"{path} does not match the digest in its name")
    config = untrusted.mapping(layout.json_of(blob, path), path)
    named = untrusted.sequence(entry.get("Layers"), "Layers in manifest.json")
    paths = [untrusted.text(name, "layer in manifest.json") for name in named]
    return blob, config, paths, _diff_ids(config, blob.digest, len(paths))


def _joined(
    reference: str,
    digest: str,
    config_digest: str,
    config: Mapping[str, Any],
    layers: tuple[Layer, ...],
    config_bytes: int | None,
) -> Image:
    pulled_bytes = [layer.compressed_bytes for layer in layers] + [config_bytes]
    known = [size for size in pulled_bytes if size is not None]
    return Image(
        reference=reference,
        digest=digest,
        config_digest=config_digest,
        platform=_platform(config, config_digest),
        config=config,
        layers=layers,
        compressed_bytes=sum(known) if len(known) == len(pulled_bytes) else None,
        unpacked_bytes=sum(layer.unpacked_bytes for layer in layers),
    )


def _layer(files: Mapping[str, Blob], descriptor: Descriptor, diff_id: str, pulled: bool) -> Layer:
    known = {kind + compression for kind in LAYER_TYPES for compression in COMPRESSIONS}
    if descriptor.media_type not in known:
        raise Malformed(
            f"layer {descriptor.digest} has an unknown type {descriptor.media_type[:80]!r}"
        )
    blob = layout.stored(files, descriptor)
    _check_unpacked(blob, diff_id)
    compressed = blob.size_bytes if pulled else None
    return Layer(blob.digest, diff_id, descriptor.media_type, compressed, blob.unpacked_bytes)


def _check_unpacked(blob: Blob, diff_id: str) -> None:
    if blob.unpacked_digest != diff_id:
        raise Malformed(f"layer {blob.digest} unpacks to {blob.unpacked_digest}, not to {diff_id}")


def _diff_ids(config: Mapping[str, Any], digest: str, layers: int) -> list[str]:
    where = f"rootfs of config {digest}"
    rootfs = untrusted.mapping(config.get("rootfs"), where)
    found = untrusted.sequence(rootfs.get("diff_ids") or [], f"diff_ids in {where}")
    if layers > MAX_LAYERS:
        raise Malformed(f"{where} is of an image of {layers} layers; {MAX_LAYERS} are enough")
    if len(found) != layers:
        raise Malformed(f"{where} has {len(found)} layers, the manifest {layers}")
    return [untrusted.digest(value, f"diff id in {where}") for value in found]


def _platform(config: Mapping[str, Any], digest: str) -> str:
    where = f"platform in config {digest}"
    words = [untrusted.text(config.get(key), where) for key in ("os", "architecture")]
    variant = untrusted.text(config.get("variant") or "", where)
    platform = "/".join([*words, variant] if variant else words)
    if not PLATFORM.fullmatch(platform):
        raise Malformed(f"{where} is {platform[:80]!r}")
    return schema.PLATFORM_ALIASES.get(platform, platform)
