"""Write an image from tar files: an OCI image layout on disk, as the specification describes it.

Nothing is built for this, and on purpose not by the engine: BuildKit would keep the layers under
names of its own, and then unpack them anew for every image that is built on them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CHUNK_BYTES = 4 * 2**20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Layer:
    """A compressed layer on disk: its digest and size, and the digest of the tar in it."""

    path: Path
    digest: str
    size_bytes: int
    diff_id: str


def compress(tar: Path) -> Layer:
    """Compress the file ``tar`` with gzip, beside it; the same input gives the same bytes.

    It is cut into pieces that are compressed side by side: a gzip file may have many members.
    """
    target = tar.with_name(f"{tar.name}.gz")
    plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0
    workers = os.cpu_count() or 1
    with tar.open("rb") as source, target.open("wb") as sink, ThreadPoolExecutor(workers) as pool:
        for batch in _batches(source, 2 * workers):
            for piece in batch:
                plain.update(piece)
            for member in pool.map(_member, batch):
                packed.update(member)
                size += sink.write(member)
    return Layer(target, f"sha256:{packed.hexdigest()}", size, f"sha256:{plain.hexdigest()}")


def write(
    folder: Path,
    layers: Sequence[Layer],
    *,
    platform: str,
    config: Mapping[str, Any],
    created: str,
) -> None:
    """Write the layout of one image to ``folder``; ``config`` is the runtime part (Env, Cmd, …).

    The layers' files are linked into it, not copied. ``created`` is RFC 3339.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for layer in layers:
        link = blobs / layer.digest.removeprefix("sha256:")
        if not link.exists():
            link.hardlink_to(layer.path)
    configured = _put(blobs, image_config(layers, platform, config, created))
    manifest = _put(
        blobs,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **configured},
            "layers": [
                {"mediaType": LAYER, "digest": layer.digest, "size": layer.size_bytes}
                for layer in layers
            ],
        },
    )
    entry = {"mediaType": MANIFEST, **manifest, "platform": platform_fields(platform)}
    index = {"schemaVersion": 2, "manifests": [entry]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


def image_config(
    layers: Sequence[Layer], platform: str, config: Mapping[str, Any], created: str
) -> dict[str, Any]:
    """The image's configuration document."""
    return {
        **platform_fields(platform),
        "created": created,
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [
            {"created": created, "created_by": f"slipway: {layer.path.name.split('.')[0]}"}
            for layer in layers
        ],
    }


def platform_fields(platform: str) -> dict[str, str]:
    """``linux/arm/v7`` -> os, architecture and, if there is one, variant."""
    system, architecture, *variant = platform.split("/")
    fields = {"os": system, "architecture": architecture}
    return fields | ({"variant": variant[0]} if variant else {})


def _put(blobs: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """Store a JSON document as a blob; returns its digest and size."""
    text = json.dumps(document, sort_keys=True).encode()
    digest = hashlib.sha256(text).hexdigest()
    (blobs / digest).write_bytes(text)
    return {"digest": f"sha256:{digest}", "size": len(text)}


def _member(piece: bytes) -> bytes:
    return gzip.compress(piece, compresslevel=6, mtime=0)


def _batches(source: IO[bytes], count: int) -> Iterator[list[bytes]]:
    """Pieces of ``source``, ``count`` at a time: that many are in memory, not all."""
    while batch := [piece for _ in range(count) if (piece := source.read(CHUNK_BYTES))]:
        yield batch
