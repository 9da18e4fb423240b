"""Layers made entry by entry, and what is read back from an image of them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from typing import Any

from tasks.core.images import contents
from tasks.core.images.contents import Contents
from tasks.core.images.entries import Inspector
from tests.unit import archives
from tests.unit.archives import INDEX, MANIFEST, Layout, encoded, pieces

Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, content: bytes = b"", mode: int = 0o644, **fields: Any) -> Member:
    return _member(name, tarfile.REGTYPE, content, mode, fields)


def folder(name: str, mode: int = 0o755, **fields: Any) -> Member:
    return _member(name, tarfile.DIRTYPE, b"", mode, fields)


def link(name: str, target: str, **fields: Any) -> Member:
    return _member(name, tarfile.SYMTYPE, b"", 0o777, {"linkname": target, **fields})


def hard_link(name: str, target: str) -> Member:
    return _member(name, tarfile.LNKTYPE, b"", 0o644, {"linkname": target})


def special(name: str, kind: bytes) -> Member:
    return _member(name, kind, b"", 0o600, {})


def layer(*members: Member, format_: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(
        fileobj=stream, mode="w", format=format_, errors="surrogateescape"
    ) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def image(*layers: bytes, inspectors: Sequence[Inspector] = (), **settings: Any) -> Contents:
    """The contents of an image for one platform; ``settings`` change its config."""
    told = archives.config(layers, **settings)
    archive = archives.single(layers=layers, settings=told)
    [read] = contents.read(pieces(archive, 50_000), "app:1", inspectors)
    return read


def index(
    images: Sequence[tuple[dict[str, Any], dict[str, Any], Sequence[bytes]]],
    inspectors: Sequence[Inspector] = (),
) -> tuple[Contents, ...]:
    """Several images under one index: (descriptor's platform, changes of the config, layers)."""
    layout = Layout()
    descriptors = []
    for platform, changes, layers in images:
        told = archives.config(layers, **changes)
        manifest = layout.manifest(layers=layers, settings=told)
        descriptors.append({**layout.add(encoded(manifest), MANIFEST), "platform": platform})
    top = layout.add(encoded({"manifests": descriptors}), INDEX)
    archive = archives.tar(layout.files([top]))
    return contents.read(pieces(archive, 50_000), "app:1", inspectors)


def _member(name: str, kind: bytes, content: bytes, mode: int, fields: dict[str, Any]) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, len(content), mode
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content
