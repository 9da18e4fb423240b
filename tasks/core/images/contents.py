"""An image archive -> what is inside each image: its layers' files, and its documents.

`archive` measures the same stream; here somebody also looks inside, while it goes by once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tasks.core import untrusted
from tasks.core.images import archive, blobs, filetree, layout, tarwalk
from tasks.core.images.archive import Image
from tasks.core.images.blobs import Blob
from tasks.core.images.contentstore import ContentStore
from tasks.core.images.entries import FileEntry, Inspector
from tasks.core.images.layout import Descriptor
from tasks.core.images.tarwalk import Seen, Walker
from tasks.core.layers import storedimage
from tasks.core.untrusted import Malformed


@dataclass(frozen=True)
class LayerContents:
    """What one layer says, in its order: whiteouts and what later layers remove are in it too.

    ``compressed_bytes`` is None where it is not known; ``unpacked_bytes`` are those of its tar.
    """

    digest: str
    diff_id: str
    entries: tuple[FileEntry, ...]
    compressed_bytes: int | None
    unpacked_bytes: int


@dataclass(frozen=True)
class Document:
    """Something beside the layers, config, manifest or attestation, and what was found in it."""

    name: str
    found: tuple[object, ...]


@dataclass(frozen=True)
class Contents:
    """What is in an image for one platform.

    ``platform`` is what its config says; ``described`` what the index says of it, None where it
    says nothing. ``listed`` are the platforms the index promises, whether they are here or not.
    ``annotations`` are its manifest's; both sizes are as `archive.Image` has them.
    """

    reference: str
    platform: str
    digest: str
    described: str | None
    listed: tuple[str, ...]
    config: Mapping[str, Any]
    annotations: Mapping[str, str]
    layers: tuple[LayerContents, ...]
    documents: tuple[Document, ...]
    compressed_bytes: int | None
    unpacked_bytes: int

    @cached_property
    def files(self) -> Mapping[str, FileEntry]:
        """The file system that a container sees, see `final`; put together once."""
        return final(self)


def read(
    chunks: Iterable[bytes], reference: str, inspectors: Sequence[Inspector] = ()
) -> tuple[Contents, ...]:
    """What is in the images of the archive ``chunks``, one for each platform that is there.

    ``reference`` is what they are called in errors; ``inspectors`` look at the content of files.
    Raises UsageError for an archive that is damaged or demands too much.
    """
    try:
        return _found(blobs.read(chunks, Walker(inspectors).look), reference)
    except Malformed as problem:
        raise archive.damaged(reference, problem) from None


def read_stored(
    store: ContentStore,
    descriptor: Mapping[str, Any],
    reference: str,
    inspectors: Sequence[Inspector] = (),
) -> tuple[Contents, ...] | None:
    """The same of the image ``descriptor`` in ``store``; None where not all of it is there."""
    try:
        files = storedimage.whole(store, descriptor, Walker(inspectors).look)
        return None if files is None else _found(files, reference)
    except Malformed as problem:
        raise archive.damaged(reference, problem) from None


def _found(files: Mapping[str, Blob], reference: str) -> tuple[Contents, ...]:
    manifests = layout.manifests(files, absent=True) if "index.json" in files else ()
    images = archive.images(files, reference)
    found = tuple(_contents(files, image, manifests) for image in images)
    _check_proportion(found)
    return found


def _check_proportion(found: Sequence[Contents]) -> None:
    """A layer is stored once, and every image may have it, several times even."""
    entries = sum(len(layer.entries) for each in found for layer in each.layers)
    if entries > tarwalk.MAX_ENTRIES:
        raise Malformed(f"its images have more than {tarwalk.MAX_ENTRIES} entries in their layers")


def final(contents: Contents) -> Mapping[str, FileEntry]:
    """The file system with all layers in place, by path; each entry knows the layer it came by.

    Raises UsageError for layers that no engine could put in place.
    """
    try:
        return filetree.stacked(layer.entries for layer in contents.layers)
    except Malformed as problem:
        raise archive.damaged(contents.reference, problem) from None


def shown(path: str, limit: int = 120) -> str:
    """A path inside the image, fit to be printed."""
    return untrusted.shown(f"/{path}", limit)


def _contents(files: Mapping[str, Blob], image: Image, manifests: Sequence[Descriptor]) -> Contents:
    described = {each.digest: each for each in manifests if each.attests is None}
    own = described.get(image.digest)
    by_digest = {blob.digest: blob for blob in files.values()}
    return Contents(
        reference=image.reference,
        platform=image.platform,
        digest=image.digest,
        described=own.platform if own else None,
        listed=tuple(each.platform for each in described.values() if each.platform),
        config=image.config,
        annotations=_annotations(by_digest, image),
        layers=tuple(_layer(by_digest, layer) for layer in image.layers),
        documents=tuple(_documents(files, by_digest, image, manifests)),
        compressed_bytes=image.compressed_bytes,
        unpacked_bytes=image.unpacked_bytes,
    )


def _annotations(by_digest: Mapping[str, Blob], image: Image) -> Mapping[str, str]:
    """The annotations of the image's manifest; none where the archive has no manifests."""
    if image.digest == image.config_digest:
        return {}
    where = f"manifest {image.digest}"
    manifest = untrusted.mapping(layout.json_of(by_digest[image.digest], where), where)
    notes = untrusted.mapping(manifest.get("annotations") or {}, f"annotations of {where}")
    return {key: untrusted.text(value, f"an annotation of {where}") for key, value in notes.items()}


def _layer(by_digest: Mapping[str, Blob], layer: archive.Layer) -> LayerContents:
    seen = by_digest[layer.digest].seen
    if not isinstance(seen, Seen) or seen.entries is None:
        raise Malformed(f"layer {layer.digest} is no tar archive")
    return LayerContents(
        digest=layer.digest,
        diff_id=layer.diff_id,
        entries=seen.entries,
        compressed_bytes=layer.compressed_bytes,
        unpacked_bytes=layer.unpacked_bytes,
    )


def _documents(
    files: Mapping[str, Blob],
    by_digest: Mapping[str, Blob],
    image: Image,
    manifests: Sequence[Descriptor],
) -> Iterator[Document]:
    yield _document("config", by_digest[image.config_digest])
    if image.digest != image.config_digest:
        yield _document("manifest", by_digest[image.digest])
    for name in ("index.json", "manifest.json"):
        if name in files:
            yield _document(name, files[name])
    for each in manifests:
        if each.attests in ("", image.digest) and layout.path(each.digest) in files:
            yield _document("attestation manifest", layout.stored(files, each))
            attested = layout.document(files, each).get("layers")
            for entry in untrusted.sequence(attested or [], "layers of an attestation"):
                statement = layout.descriptor(entry, "an attestation")
                yield _document("attestation", layout.stored(files, statement))


def _document(name: str, blob: Blob) -> Document:
    found = blob.seen.found if isinstance(blob.seen, Seen) else ()
    return Document(name, found)
