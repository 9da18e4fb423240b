"""Thirty small images whose layers replace, remove and hide each other, as docker archives."""

from __future__ import annotations

import gzip
import random
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import zstandard

from tests.unit.archives import MANIFEST, OCI, Compress, Layout, config, encoded, tar
from tests.unit.layers import file, folder, hard_link, layer, link

KIB = 1024
Layers = Sequence[bytes]
BASE = layer(
    folder("app"),
    file("app/main.js", b"m" * 3000),
    file("app/data.bin", b"d" * 70_000),
    folder("app/cache"),
    file("app/cache/one", b"1" * 5000),
    file("app/cache/two", b"2" * 7001),
    folder("etc"),
    file("etc/passwd", b"root" * 20),
    folder("usr"),
    folder("usr/lib"),
    file("usr/lib/big.so", b"b" * 123_456),
)


def white(path: str) -> tuple[tarfile.TarInfo, bytes]:
    """A whiteout of ``path``."""
    above, slash, name = path.rpartition("/")
    return file(f"{above}{slash}.wh.{name}")


def opaque(path: str) -> tuple[tarfile.TarInfo, bytes]:
    """What makes the folder ``path`` opaque."""
    return file(f"{path}/.wh..wh..opq")


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def _random(seed: int) -> Layers:
    """Layers as chance has it: files, folders, hard links, whiteouts of what is there."""
    chance = random.Random(seed)  # noqa: S311 - it has to be the same each time
    there: set[str] = set()
    made = []
    for _ in range(chance.randint(2, 7)):
        members: list[tuple[tarfile.TarInfo, bytes]] = []
        named: set[str] = set()
        for _ in range(chance.randint(1, 25)):
            path = "/".join(chance.choice("abcd-") + "x" for _ in range(chance.randint(1, 3)))
            below = any(each.startswith(f"{path}/") for each in there | named)
            above = any(path.startswith(f"{each}/") for each in there | named)
            if not (below or above or path in named):
                members.append(file(path, b"x" * chance.randint(0, 9000)))
                named.add(path)
        for path in sorted(there - named):
            if chance.random() < 0.2:
                members.append(white(path))
                there.discard(path)
        there |= named
        made.append(layer(*members))
    return made


CASES: Mapping[str, tuple[Layers, Compress]] = {
    "one layer": ([BASE], gzip.compress),
    "plain tar": ([BASE, layer(file("app/main.js", b"n" * 10))], bytes),
    "zstd": ([BASE, layer(file("app/main.js", b"n" * 4000))], zstd),
    "zstd with removed folder": ([BASE, layer(white("app/cache"))], zstd),
    "replaced by a smaller file": (
        [BASE, layer(folder("app"), file("app/data.bin", b"d"))],
        gzip.compress,
    ),
    "replaced by a larger file": (
        [BASE, layer(file("app/data.bin", b"d" * 90_000))],
        gzip.compress,
    ),
    "replaced four times": (
        [BASE, *(layer(file("app/data.bin", b"d" * n)) for n in (5, 50_000, 7, 8))],
        gzip.compress,
    ),
    "removed file": ([BASE, layer(folder("app"), white("app/data.bin"))], gzip.compress),
    "removed folder": ([BASE, layer(folder("app"), white("app/cache"))], gzip.compress),
    "removed folder without entries above": ([BASE, layer(white("usr/lib"))], gzip.compress),
    "removed and written again": (
        [BASE, layer(white("app/data.bin")), layer(file("app/data.bin", b"e" * 70_000))],
        gzip.compress,
    ),
    "removed twice": (
        [
            BASE,
            layer(white("app/cache")),
            layer(folder("app/cache"), file("app/cache/one", b"1" * 9)),
            layer(white("app/cache")),
        ],
        gzip.compress,
    ),
    "opaque folder": ([BASE, layer(folder("app/cache"), opaque("app/cache"))], gzip.compress),
    "opaque folder with new content": (
        [BASE, layer(folder("app/cache"), opaque("app/cache"), file("app/cache/one", b"n" * 77))],
        gzip.compress,
    ),
    "opaque folder, then removed": (
        [BASE, layer(folder("app/cache"), opaque("app/cache")), layer(white("app/cache"))],
        gzip.compress,
    ),
    "only mode changed": (
        [BASE, layer(file("app/data.bin", b"d" * 70_000, mode=0o600))],
        gzip.compress,
    ),
    "only modes of folders": (
        [BASE, layer(folder("app", mode=0o700), folder("usr", mode=0o711))],
        gzip.compress,
    ),
    "hard links": (
        [layer(file("a", b"a" * 9000), hard_link("b", "a"), hard_link("c", "a"))],
        gzip.compress,
    ),
    "first name of a hard link removed": (
        [layer(file("a", b"a" * 9000), hard_link("b", "a")), layer(white("a"))],
        gzip.compress,
    ),
    "all names of a hard link removed": (
        [
            layer(file("a", b"a" * 9000), hard_link("b", "a")),
            layer(white("a")),
            layer(white("b"), file("c", b"c")),
        ],
        gzip.compress,
    ),
    "hard link replaced by a copy": (
        [layer(file("a", b"a" * 9000), hard_link("b", "a")), layer(file("b", b"a" * 9000))],
        gzip.compress,
    ),
    "file becomes a folder": (
        [BASE, layer(white("app/data.bin")), layer(folder("app/data.bin"), file("app/data.bin/x"))],
        gzip.compress,
    ),
    "folder becomes a file": (
        [BASE, layer(file("app/cache", b"c" * 11))],
        gzip.compress,
    ),
    "folder becomes a link": (
        [BASE, layer(white("app/cache")), layer(link("app/cache", "../etc"))],
        gzip.compress,
    ),
    "removes what is not there": (
        [BASE, layer(file("aaa", b"a" * 5), white("app/nothing"), file("zzz", b"z" * 7))],
        gzip.compress,
    ),
    "names before a whiteout": (
        [
            layer(folder("-odd"), file("-odd/x", b"x" * 3000), file("+y", b"y" * 400)),
            layer(white("-odd"), folder("-odd"), file("-odd/z", b"z" * 200)),
            layer(white("-odd"), white("+y")),
        ],
        gzip.compress,
    ),
    "names that are no UTF-8": (
        [layer(file("caf\udce9", b"c" * 300)), layer(white("caf\udce9"), file("é", b"e" * 44))],
        gzip.compress,
    ),
    "empty layer and the same layer twice": (
        [BASE, layer(), layer(file("x", b"x" * 400)), layer(file("x", b"x" * 400))],
        gzip.compress,
    ),
    "by chance, seed 1": (_random(1), gzip.compress),
    "by chance, seed 2": (_random(2), zstd),
}


def archive_of(layers: Layers, compress: Compress) -> bytes:
    """An archive as engines with the containerd store write it."""
    kinds = {gzip.compress: "+gzip", zstd: "+zstd"}
    layout = Layout()
    history = [{"created_by": f"RUN step {number}"} for number in range(len(layers))]
    told = config(layers, history=history)
    manifest = layout.manifest(
        layers, compress, f"{OCI}.layer.v1.tar{kinds.get(compress, '')}", told
    )
    entry = {
        "Config": _path(manifest["config"]["digest"]),
        "RepoTags": ["layered:1"],
        "Layers": [_path(each["digest"]) for each in manifest["layers"]],
    }
    files = layout.files([layout.add(encoded(manifest), MANIFEST)])
    return tar({**files, "manifest.json": encoded([entry])})


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def unpacked_bytes(layers: Layers, root: Path) -> int:
    """Put the layers in place below ``root``, as an engine does; the bytes of its regular files."""
    root.mkdir()
    for content in layers:
        _apply(content, root)
    statuses = [
        path.lstat() for path in root.rglob("*") if path.is_file() and not path.is_symlink()
    ]
    return sum({status.st_ino: status.st_size for status in statuses}.values())


def stored_bytes(layers: Layers) -> int:
    """The bytes of the regular files in all layers, as Python's own tar reader has them."""
    return sum(
        member.size
        for content in layers
        for member in tarfile.open(fileobj=BytesIO(content))
        if member.isreg()
    )


def _apply(content: bytes, root: Path) -> None:
    with tarfile.open(fileobj=BytesIO(content), errors="surrogateescape") as archive:
        members = archive.getmembers()
        for member in members:
            path = root / member.name
            if path.name == ".wh..wh..opq":
                for below in path.parent.iterdir() if path.parent.is_dir() else ():
                    _remove(below)
            elif path.name.startswith(".wh."):
                _remove(path.with_name(path.name.removeprefix(".wh.")))
        for member in members:
            path = root / member.name
            if path.name.startswith(".wh."):
                continue
            if not (member.isdir() and path.is_dir()):
                _remove(path)
            archive.extract(member, root, filter="fully_trusted", set_attrs=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
