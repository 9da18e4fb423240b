"""Images to measure reports on layers with: docker archives, made from numbers, always the same."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

#: Where layers get their content from: text-like, so that it compresses as programs do.
_WORDS = [f"word{number % 977:x} " for number in range(4096)]


@dataclass(frozen=True)
class Shape:
    """A layer: ``files`` of ``file_bytes`` each on average, and which layers' folders it removes."""

    seed: int
    files: int
    file_bytes: int
    removes: tuple[int, ...] = ()


def write(path: Path, tag: str, shapes: Sequence[Shape], *, compressed: bool) -> None:
    """Write the docker archive ``path`` of an image ``tag`` whose layers have ``shapes``."""
    layers: list[str] = []
    diff_ids: list[str] = []
    with tarfile.open(path, "w") as archive:
        known: dict[Shape, tuple[str, str]] = {}
        for shape in shapes:
            if shape not in known:
                known[shape] = _add_layer(archive, shape, path.parent, compressed=compressed)
            layers.append(known[shape][0])
            diff_ids.append(known[shape][1])
        config = {
            "os": "linux",
            "architecture": "amd64",
            "config": {},
            "history": [{"created_by": f"RUN make {shape.seed}"} for shape in shapes],
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
        name = _add(archive, json.dumps(config).encode())
        entry = {"Config": name, "RepoTags": [tag], "Layers": layers}
        _add(archive, json.dumps([entry]).encode(), "manifest.json")


def _add_layer(
    archive: tarfile.TarFile, shape: Shape, folder: Path, *, compressed: bool
) -> tuple[str, str]:
    """Add a layer; its name in the archive and its diff id."""
    temporary = folder / "layer"
    with temporary.open("wb+") as file:
        plain = _Hashed(gzip.open(file, "wb", compresslevel=6) if compressed else file)
        with tarfile.open(fileobj=plain, mode="w|") as layer:  # type: ignore[call-overload]
            for member, content in _members(shape):
                layer.addfile(member, content)
        plain.close()
        stored = hashlib.file_digest(_rewound(file), "sha256").hexdigest()
        member = tarfile.TarInfo(f"blobs/sha256/{stored}")
        member.size = file.tell()
        archive.addfile(member, _rewound(file))
    temporary.unlink()
    return member.name, f"sha256:{plain.hash.hexdigest()}"


def _members(shape: Shape) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    chance = random.Random(shape.seed)  # noqa: S311 - it has to be the same each time
    text = "".join(chance.choice(_WORDS) for _ in range(200_000)).encode()
    noise = chance.randbytes(len(text))
    for number in range(shape.files):
        size = chance.randint(0, 2 * shape.file_bytes)
        name = f"opt/layer{shape.seed}/package{number // 40}/lib/module{number}.js"
        source = noise if number % 3 == 0 else text
        at = chance.randrange(len(source))
        content = (source[at:] + source * (size // len(source) + 1))[:size]
        yield _member(name, size), io.BytesIO(content)
    for seed in shape.removes:
        yield _member(f"opt/layer{seed}/.wh.package{shape.seed % 7}", 0), io.BytesIO()


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def _add(archive: tarfile.TarFile, content: bytes, name: str = "") -> str:
    member = tarfile.TarInfo(name or f"blobs/sha256/{hashlib.sha256(content).hexdigest()}")
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
    return member.name


def _rewound(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    return file


class _Hashed:
    """Hashes what is written through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.hash.update(content)
        return self._file.write(content)

    def close(self) -> None:
        if isinstance(self._file, gzip.GzipFile):
            self._file.close()
