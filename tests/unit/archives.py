"""Small image archives, made in memory as the engines write them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image"
CONFIG = f"{OCI}.config.v1+json"
GZIP_LAYER = f"{OCI}.layer.v1.tar+gzip"
INDEX = f"{OCI}.index.v1+json"
MANIFEST = f"{OCI}.manifest.v1+json"

Compress = Callable[[bytes], bytes]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def tar(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def layer(text: str = "hello", size_bytes: int = 5000) -> bytes:
    return tar({"file": text.encode() * (size_bytes // len(text))})


def config(layers: Sequence[bytes], **changes: Any) -> dict[str, Any]:
    return {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Labels": {"made": "for a test"}},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(each) for each in layers]},
        **changes,
    }


def packed(content: bytes) -> bytes:
    """gzip without a date: the same content is the same blob."""
    return gzip.compress(content, mtime=0)


@dataclass
class Layout:
    """An OCI layout that is filled blob by blob and written at the end."""

    blobs: dict[str, bytes] = field(default_factory=dict)

    def add(self, content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Store a blob and return its descriptor."""
        digest = digest_of(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def manifest(
        self,
        layers: Sequence[bytes] = (layer(),),
        compress: Compress = packed,
        media_type: str = GZIP_LAYER,
        settings: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """A manifest's document, with its config and layers stored."""
        document = settings if settings is not None else config(layers)
        return {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add(encoded(document), CONFIG),
            "layers": [self.add(compress(each), media_type) for each in layers],
        }

    def files(self, manifests: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
        """All files of the layout in the engine's order: the index comes last."""
        stored = {f"blobs/{key.replace(':', '/')}": self.blobs[key] for key in sorted(self.blobs)}
        index = encoded({"schemaVersion": 2, "manifests": list(manifests)})
        return {**stored, "index.json": index, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def write(self, folder: Path, *manifests: Mapping[str, Any]) -> Path:
        """Write the layout as a folder, beside what is in there already."""
        for name, content in self.files(manifests).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder


def single(**options: Any) -> bytes:
    """An archive with one image; ``options`` go to `Layout.manifest`."""
    layout = Layout()
    manifest = layout.manifest(**options)
    return tar(layout.files([layout.add(encoded(manifest), MANIFEST)]))


def pieces(content: bytes, size_bytes: int = 1000) -> Iterator[bytes]:
    """``content`` in chunks, as it arrives from an engine."""
    for start in range(0, len(content), size_bytes):
        yield content[start : start + size_bytes]


def plain(config: bytes, config_name: str, same: bytes) -> bytes:
    """Docker 24 and older: config and layers by path, a repeated layer as a symbolic link."""
    entry = {"Config": config_name, "RepoTags": ["app:1"], "Layers": ["a/layer.tar", "b/layer.tar"]}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for name, content in (
            ("a/layer.tar", same),
            (config_name, config),
            ("manifest.json", encoded([entry])),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("b/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../a/layer.tar"
        made.addfile(link)
    return stream.getvalue()
