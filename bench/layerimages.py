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
from io import BufferedRandom
from pathlib import Path
from typing import IO

#: Where layers get their content from: text-like, so that it compresses as programs do.
_WORDS = [f"word{number % 977:x} " for number in range(4096)]


FOLDER_FILES = 40


@dataclass(frozen=True)
class Shape:
    """A layer: ``files`` of ``file_bytes`` on average; ``removes`` are layers to take from."""

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
        packed = gzip.GzipFile("", "wb", 6, file, mtime=0) if compressed else None
        plain = _Hashed(packed or file)
        with tarfile.open(fileobj=plain, mode="w|") as layer:  # type: ignore[call-overload]
            for member, content in _members(shape):
                layer.addfile(member, content)
        if packed:
            packed.close()
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
    yield _folder("opt"), io.BytesIO()
    yield _folder(f"opt/layer{shape.seed}"), io.BytesIO()
    for number in range(shape.files):
        if number % FOLDER_FILES == 0:
            for name in ("", "/lib"):
                package = f"opt/layer{shape.seed}/package{number // FOLDER_FILES}"
                yield _folder(package + name), io.BytesIO()
        size = chance.randint(0, 2 * shape.file_bytes)
        name = f"opt/layer{shape.seed}/package{number // FOLDER_FILES}/lib/module{number}.js"
        source = noise if number % 3 == 0 else text
        at = chance.randrange(len(source))
        content = (source[at:] + source * (size // len(source) + 1))[:size]
        yield _member(name, size), io.BytesIO(content)
    for seed in shape.removes:
        yield _folder(f"opt/layer{seed}"), io.BytesIO()
        yield _member(f"opt/layer{seed}/.wh.package{shape.seed % 7}", 0), io.BytesIO()


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def _folder(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    return member


def _add(archive: tarfile.TarFile, content: bytes, name: str = "") -> str:
    member = tarfile.TarInfo(name or f"blobs/sha256/{hashlib.sha256(content).hexdigest()}")
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
    return member.name


def _rewound(file: BufferedRandom) -> BufferedRandom:
    file.seek(0)
    return file


class _Hashed:
    """Hashes what is written through it."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.hash.update(content)
        return self._file.write(content)
