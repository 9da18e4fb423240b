"""Layers that were parsed, kept under ``.slipway/cache/layers/`` by diff id.

A diff id is the digest of a layer without its compression, so what is kept of it stays true, and
every image that has the layer can use it. That a blob unpacks to the layer was seen of one blob
only: what is stored under another digest has to be read again before it is believed.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.core import process, untrusted
from tasks.core.images import tarwalk
from tasks.core.images.blobs import Blob
from tasks.core.layers.layerfiles import KINDS, KnownLayer, LayerFiles, packed
from tasks.core.render import output
from tasks.core.untrusted import Malformed

SCHEMA = 1
FOLDER = Path(".slipway", "cache", "layers")
MAX_SIZE_BYTES = 2**63 - 1


def load(root: Path, diff_id: str, digest: str) -> KnownLayer | None:
    """What is known of the layer ``diff_id`` stored as ``digest``; None if nothing sound.

    Raises Malformed for an id that is no digest.
    """
    path = _path(root, diff_id)
    try:
        fields = untrusted.mapping(untrusted.parse(path.read_bytes(), "it"), "it")
        told = (fields.get("schema"), fields.get("diff_id"), fields.get("digest"))
        if told != (SCHEMA, diff_id, digest):
            return None
        unpacked_bytes = untrusted.count(fields.get("unpacked_bytes"), "unpacked_bytes")
        return KnownLayer(diff_id, digest, unpacked_bytes, _files(fields))
    except FileNotFoundError:
        return None
    except (Malformed, OSError) as problem:
        process.note(f"reading a layer anew, {FOLDER / path.name} cannot be used: {problem}")
        return None


def store(root: Path, layer: KnownLayer) -> None:
    """Remember a layer; where the disk does not allow that, say so and go on."""
    files = layer.files
    document = {
        "schema": SCHEMA,
        "diff_id": layer.diff_id,
        "digest": layer.digest,
        "unpacked_bytes": layer.unpacked_bytes,
        "paths": files.paths,
        "sizes": files.sizes.tolist(),
        "kinds": files.kinds,
        "links": {str(number): target for number, target in files.links.items()},
    }
    try:
        output.write(_path(root, layer.diff_id), json.dumps(document, separators=(",", ":")))
    except OSError as error:
        process.note(f"layers are not kept for the next time: {FOLDER}: {error.strerror}")


def keep(root: Path, layer: Blob) -> None:
    """Remember what was parsed of a layer, if it was one, under what it truly is."""
    if isinstance(layer.seen, LayerFiles):
        store(
            root,
            KnownLayer(layer.unpacked_digest, layer.digest, layer.unpacked_bytes, layer.seen),
        )


def _path(root: Path, diff_id: str) -> Path:
    """The file for a layer. Raises Malformed for an id that is no digest: it could be any path."""
    return root / FOLDER / f"{untrusted.digest(diff_id, 'diff id').removeprefix('sha256:')}.json"


def _files(fields: Mapping[str, Any]) -> LayerFiles:
    paths = untrusted.sequence(fields.get("paths"), "paths")
    sizes = untrusted.sequence(fields.get("sizes"), "sizes")
    kinds = untrusted.text(fields.get("kinds"), "kinds")
    if not len(paths) == len(sizes) == len(kinds) <= tarwalk.MAX_ENTRIES:
        raise Malformed("its columns are not of one length")
    if set(map(type, paths)) - {str} or not set(kinds) <= KINDS.keys():
        raise Malformed("its paths or kinds are none")
    if set(map(type, sizes)) - {int} or (
        sizes and not 0 <= min(sizes) <= max(sizes) <= MAX_SIZE_BYTES
    ):
        raise Malformed("its sizes are none")
    if any(".." in path.split("/") for path in paths if ".." in path):
        raise Malformed("a path leads out of the image")
    links = untrusted.mapping(fields.get("links"), "links")
    return LayerFiles(_packed(paths), array("Q", sizes), kinds, _links(links, len(paths)))


def _packed(paths: Sequence[str]) -> bytes:
    try:
        if any("\0" in path for path in paths):
            raise Malformed("a path has a zero byte")
        return packed(paths)
    except UnicodeError:
        raise Malformed("a path is no text") from None


def _links(fields: Mapping[str, Any], entries: int) -> dict[int, str]:
    found = {}
    for number, target in fields.items():
        if not (
            number.isascii() and number.isdigit() and len(number) < 10 and int(number) < entries
        ):
            raise Malformed("a link is of no entry")
        found[int(number)] = untrusted.text(target, "a link")
    return found
