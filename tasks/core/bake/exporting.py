"""Images on their way from BuildKit into the engine: as OCI layouts, whose bits stay as they are.

Only this exporter leaves no file a date after the commit's (`rewrite-timestamp`), so that building
one commit twice from nothing gives one digest; and it works with every builder: an image of several
platforms may come from several machines, as one layout each, and is put together here.

A layout is a folder, and stays for the next build, see ``layouts``: what is in it already, the base
above all, is not sent again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import untrusted
from tasks.core.bake import layouts
from tasks.core.bake.layouts import INDEX, MANIFEST
from tasks.core.errors import BuildFailed
from tasks.core.provision.registry import platform_name
from tasks.core.untrusted import Malformed

#: What an exporter calls the date of what it writes, in seconds since 1970; and those that know it.
DATE = "source-date-epoch"
DATED = ("docker", "image", "local", "oci", "registry", "tar")


@dataclass(frozen=True)
class PlatformImage:
    """The image of one platform: its manifest's digest, and the bytes that are pulled."""

    platform: str
    digest: str
    compressed_bytes: int


@dataclass(frozen=True)
class Exported:
    """The image of a target as it left BuildKit: its digest, and the layout that holds it."""

    target: str
    digest: str
    layout: Path
    images: tuple[PlatformImage, ...]


def output(layout: Path, epoch: int) -> dict[str, str]:
    """The bake output that writes an image to ``layout``; no date in it is after ``epoch``."""
    place = {"type": "oci", "tar": "false", "dest": str(layout)}
    return {**place, "rewrite-timestamp": "true", DATE: str(epoch)}


def dated(given: Sequence[Any], kind: str, epoch: int) -> list[Any]:
    """The outputs that a bake file names, with a date; and the one of ``kind`` that bake would add.

    ``kind`` is "docker" to load and "image" to push. What bake adds by itself has no date. Texts,
    as buildx before 0.19 has them, are left alone.

    The date goes to the exporter. As the build argument SOURCE_DATE_EPOCH it would change every
    WORKDIR, and with each commit all that comes after one would be built again.
    """
    if not all(isinstance(one, Mapping) for one in given):
        return list(given)
    every = [*given, {"type": kind}] if _adds(given, kind) else given
    return [{DATE: str(epoch), **one} if one.get("type") in DATED else one for one in every]


def _adds(given: Sequence[Mapping[str, Any]], kind: str) -> bool:
    """Whether bake adds an output of ``kind``: where none of these says what is wanted instead."""
    if kind == "image":
        return all(one.get("type") == "docker" for one in given)
    to_elsewhere = ("docker", "image", "oci", "registry")
    loads = any(one.get("type") == "docker" and not one.get("dest") for one in given)
    return not loads and all(one.get("type") in to_elsewhere for one in given)


def collect(target: str, parts: Sequence[Path]) -> Exported:
    """The image of ``target`` from its layouts: one, or one for each platform.

    Raises BuildFailed for a layout that BuildKit did not finish.
    """
    try:
        whole = parts[0]
        if len(parts) > 1:
            whole = _join(parts, whole.with_name(target))
        digest = _digest_of(whole)
        images = tuple(_images(whole))
    except (OSError, Malformed) as error:
        raise BuildFailed(
            f"{target}: what the build wrote is damaged, build again: {error}"
        ) from None
    return Exported(target, digest, whole, images)


def named(tag: str) -> tuple[str, str]:
    """The repository and the tag of an image's name, which need not say `latest`."""
    name, colon, label = tag.rpartition(":")
    return (name, label) if colon and "/" not in label else (tag, "latest")


def _join(parts: Sequence[Path], destination: Path) -> Path:
    """Put images of single platforms together to one; returns ``destination``.

    The manifests keep their bytes and the order of ``parts``; attestations come along. Without a
    name: the tags are put on once it is in the engine.
    """
    layouts.prepare(destination)
    for part in parts:
        for digest in layouts.blobs(part, layouts.top(part)):
            layouts.link(part, destination, digest)
    manifests = [entry for part in parts for entry in _manifests(part)]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    content = json.dumps(index, separators=(",", ":")).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    layouts.write(destination, content, {"mediaType": INDEX, "digest": digest})
    return destination


def _digest_of(layout: Path) -> str:
    """The digest of the one image in a layout: of its index, or of its only manifest."""
    digests = {digest for digest, _ in layouts.entries(layouts.top(layout), "index.json")}
    if len(digests) != 1:
        raise Malformed(f"it holds {len(digests)} images where one was asked for")
    return digests.pop()


def _images(layout: Path) -> Iterator[PlatformImage]:
    for entry in _manifests(layout):
        platform = platform_name(untrusted.mapping(entry.get("platform"), "platform"))
        if platform.startswith("unknown"):
            continue  # an attestation
        digest = untrusted.digest(entry.get("digest"), "a manifest")
        manifest = layouts.document(layout, digest)
        config = untrusted.mapping(manifest.get("config"), digest)
        layers = layouts.mappings(manifest.get("layers"), digest)
        sizes = [untrusted.count(one.get("size"), digest) for one in (config, *layers)]
        yield PlatformImage(platform, digest, sum(sizes))


def _manifests(layout: Path) -> Iterator[Mapping[str, Any]]:
    """The descriptors of a layout's images and attestations, each with its platform."""
    seen: set[str] = set()
    for digest, entry in layouts.entries(layouts.top(layout), "index.json"):
        if digest in seen:
            continue  # listed once a tag
        seen.add(digest)
        document = layouts.document(layout, digest)
        if entry.get("mediaType") == INDEX:
            yield from layouts.mappings(document.get("manifests"), digest)
        else:
            yield {
                "mediaType": entry.get("mediaType", MANIFEST),
                "digest": digest,
                "size": untrusted.count(entry.get("size"), "index.json"),
                "platform": _platform(layout, document),
            }


def _platform(layout: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    described = untrusted.mapping(manifest.get("config"), "config of a manifest")
    config = layouts.document(layout, untrusted.digest(described.get("digest"), "config"))
    return {key: str(config[key]) for key in ("architecture", "os", "variant") if config.get(key)}
