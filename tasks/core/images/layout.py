"""The files of an OCI layout -> its manifests, each checked against what was claimed of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.core import schema, untrusted
from tasks.core.images import blobs
from tasks.core.images.blobs import Blob
from tasks.core.untrusted import Malformed

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
#: Some 80 bytes each, once they are parsed; a manifest of 128 layers has 1000 of them.
MAX_VALUES = 60_000
ATTESTATION = "vnd.docker.reference.type"
ATTESTED = "vnd.docker.reference.digest"


@dataclass(frozen=True)
class Descriptor:
    """What a document says of a blob: ``platform`` is None where it says nothing of that.

    ``attests`` is None for an image; for an attestation it is the digest of what it is about, or
    an empty text where it does not say.
    """

    media_type: str
    digest: str
    size_bytes: int
    platform: str | None
    attests: str | None


def manifests(files: Mapping[str, Blob], *, absent: bool = False) -> tuple[Descriptor, ...]:
    """The manifests that index.json leads to, once each, attestations among them.

    Without ``absent`` only those that are here: an engine leaves out what it did not pull. Raises
    Malformed for an index that is damaged.
    """
    index = untrusted.mapping(json_of(files["index.json"], "index.json"), "index.json")
    waiting = [(index, "index.json")]
    found: dict[str, Descriptor] = {}
    while waiting:
        parent, where = waiting.pop()
        for entry in untrusted.sequence(parent.get("manifests"), f"manifests of {where}"):
            known = descriptor(entry, where)
            here = path(known.digest) in files
            if known.digest in found or not (here or absent):
                continue
            found[known.digest] = known
            if known.media_type in INDEX_TYPES and here:
                waiting.append((document(files, known), f"index {known.digest}"))
            elif known.media_type not in (*MANIFEST_TYPES, *INDEX_TYPES) and known.attests is None:
                raise Malformed(f"{where} lists an unknown type {known.media_type[:80]!r}")
    return tuple(each for each in found.values() if each.media_type not in INDEX_TYPES)


def descriptor(value: Any, where: str) -> Descriptor:
    """The descriptor ``value``. Raises Malformed, naming ``where``, for one that makes no sense."""
    fields = untrusted.mapping(value, f"a descriptor in {where}")
    notes = untrusted.mapping(fields.get("annotations") or {}, f"annotations in {where}")
    platform = untrusted.mapping(fields.get("platform") or {}, f"platform in {where}")
    nowhere = platform.get("os") == platform.get("architecture") == "unknown"
    about = notes.get(ATTESTED)
    return Descriptor(
        media_type=untrusted.text(fields.get("mediaType"), f"mediaType in {where}"),
        digest=untrusted.digest(fields.get("digest"), f"digest in {where}"),
        size_bytes=untrusted.count(fields.get("size"), f"size in {where}"),
        platform=_platform_name(platform) if platform and not nowhere else None,
        attests=(str(about or "") if ATTESTATION in notes or nowhere else None),
    )


def document(files: Mapping[str, Blob], described: Descriptor) -> Mapping[str, Any]:
    """The JSON object that ``described`` leads to."""
    content = json_of(stored(files, described), described.digest)
    return untrusted.mapping(content, described.digest)


def json_of(blob: Blob, where: str) -> Any:
    """The JSON in a blob."""
    if blob.content is None:
        raise Malformed(f"{where} is not JSON of at most {blobs.MAX_JSON_BYTES} bytes")
    # Each value follows one of these, so there are no more of them.
    if sum(map(blob.content.count, (b"[", b"{", b",", b":"))) > MAX_VALUES:
        raise Malformed(f"{where} is JSON of more than {MAX_VALUES} values")
    return untrusted.parse(blob.content, where)


def stored(files: Mapping[str, Blob], described: Descriptor) -> Blob:
    """The blob that ``described`` leads to, if it is what it claims to be."""
    blob = file(files, path(described.digest))
    if blob.digest != described.digest:
        raise Malformed(f"{described.digest} does not match its content, which is {blob.digest}")
    if blob.size_bytes != described.size_bytes:
        raise Malformed(
            f"{described.digest} has {blob.size_bytes} bytes, not {described.size_bytes}"
        )
    return blob


def file(files: Mapping[str, Blob], name: str) -> Blob:
    """The file of that path."""
    if name not in files:
        raise Malformed(f"{name} is missing")
    return files[name]


def path(digest: str) -> str:
    """Where a layout keeps the blob of a digest."""
    return f"blobs/{digest.replace(':', '/')}"


def _platform_name(fields: Mapping[str, Any]) -> str:
    """The platform of a descriptor as the settings write it: linux/arm/v7."""
    words = [fields.get("os"), fields.get("architecture"), fields.get("variant")]
    name = "/".join(str(word) for word in words if word)[:80]
    return schema.PLATFORM_ALIASES.get(name, name)
