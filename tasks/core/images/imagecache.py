"""Measured images kept under ``.slipway/cache/images/``, so that none is exported twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.core import process, untrusted
from tasks.core.images.archive import Image, Layer
from tasks.core.render import output
from tasks.core.untrusted import Malformed

SCHEMA = 1
FOLDER = Path(".slipway", "cache", "images")


def load(root: Path, image_id: str, size_bytes: int, reference: str) -> tuple[Image, ...] | None:
    """What is known of the engine's image ``image_id``; None if nothing, or nothing sound.

    ``size_bytes`` is what the engine says the image takes up. One id stands for all platforms, so
    another size means that a platform came or went since. ``reference`` is its name today.
    """
    path = _path(root, image_id)
    if path is None:
        return None
    try:
        document = untrusted.mapping(untrusted.parse(path.read_bytes(), "it"), "it")
        known = (document.get("schema"), document.get("id"), document.get("size_bytes"))
        if known != (SCHEMA, image_id, size_bytes):
            return None
        entries = untrusted.sequence(document.get("images"), "images")
        return (
            tuple(_image(untrusted.mapping(entry, "image"), reference) for entry in entries) or None
        )
    except FileNotFoundError:
        return None
    except (Malformed, OSError) as problem:
        process.note(f"measuring anew, {FOLDER / path.name} cannot be used: {problem}")
        return None


def store(root: Path, image_id: str, size_bytes: int, images: tuple[Image, ...]) -> None:
    """Remember ``images``; where the disk does not allow that, say so and go on."""
    path = _path(root, image_id)
    if path is None:
        return
    document = {
        "schema": SCHEMA,
        "id": image_id,
        "size_bytes": size_bytes,
        "images": [asdict(image) for image in images],
    }
    try:
        output.write(path, json.dumps(document))
    except OSError as error:
        process.note(f"sizes are not kept for the next time: {FOLDER}: {error.strerror}")


def _path(root: Path, image_id: str) -> Path | None:
    """The file for an id; None for an id that is no digest and so could be any path."""
    try:
        name = untrusted.digest(image_id, "image id").removeprefix("sha256:")
    except Malformed:
        return None
    return root / FOLDER / f"{name}.json"


def _image(fields: Mapping[str, Any], reference: str) -> Image:
    layers = untrusted.sequence(fields.get("layers"), "layers")
    return Image(
        reference=reference,
        digest=untrusted.digest(fields.get("digest"), "digest"),
        config_digest=untrusted.digest(fields.get("config_digest"), "config_digest"),
        platform=untrusted.text(fields.get("platform"), "platform"),
        config=untrusted.mapping(fields.get("config"), "config"),
        layers=tuple(_layer(untrusted.mapping(layer, "layer")) for layer in layers),
        compressed_bytes=_count_or_none(fields.get("compressed_bytes")),
        unpacked_bytes=untrusted.count(fields.get("unpacked_bytes"), "unpacked_bytes"),
    )


def _layer(fields: Mapping[str, Any]) -> Layer:
    return Layer(
        digest=untrusted.digest(fields.get("digest"), "digest"),
        diff_id=untrusted.digest(fields.get("diff_id"), "diff_id"),
        media_type=untrusted.text(fields.get("media_type"), "media_type"),
        compressed_bytes=_count_or_none(fields.get("compressed_bytes")),
        unpacked_bytes=untrusted.count(fields.get("unpacked_bytes"), "unpacked_bytes"),
    )


def _count_or_none(value: Any) -> int | None:
    return None if value is None else untrusted.count(value, "compressed_bytes")
