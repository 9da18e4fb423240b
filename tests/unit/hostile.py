"""Archives that somebody made to do harm, and a run of Slipway on one, measured."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from tests.unit import archives
from tests.unit.archives import CONFIG, GZIP_LAYER, MANIFEST, Layout, encoded
from tests.unit.layers import Member, file, layer

ROOT = Path(__file__).parents[2]
MIB = 2**20
#: Runs a command and says on the last line of stderr its seconds, and the MiB of the largest of it
#: and its children. It is small itself: a child begins with the peak of the one it is forked from.
_MEASURE = """
import resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, timeout=float(sys.argv[1])).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"\\n{time.monotonic() - began} {peak}", file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Measured:
    """A finished run: exit code, what it said, how long it took, its largest process."""

    code: int
    out: str
    err: str
    seconds: float
    peak_mib: float

    @property
    def line(self) -> str:
        """What a person reads when it failed: the only line that is no progress."""
        *progress, last = self.err.rstrip().splitlines()
        assert all(line.startswith("  ") for line in progress), self.err
        return last


def verify(place: Path, folder: Path, seconds: float = 60) -> Measured:
    """Prove the image at ``place`` with ``folder`` as working directory."""
    task = (sys.executable, "-P", str(ROOT / "tasks/core/program.py"), "--search-root", str(ROOT))
    words = ("verify.image", "--archive", str(place), "--format", "json")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(seconds), *task, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    said, _, measured = done.stderr.rstrip().rpartition("\n")
    took, peak = map(float, measured.split())
    return Measured(done.returncode, done.stdout, said, took, peak)


def of(*stacked: bytes, **settings: Any) -> bytes:
    """A whole image of these layers; ``settings`` change its config."""
    return archives.single(layers=stacked, settings=archives.config(stacked, **settings))


def of_members(*members: Member) -> bytes:
    """A whole image of one layer with these entries."""
    return of(layer(*members))


def behind(*blocks: bytes) -> bytes:
    """An archive that begins with these blocks, and then holds a whole image."""
    return b"".join(blocks) + of_members(file("a", b"1"))


def claiming(stored: bytes, **config: Any) -> bytes:
    """An image whose only layer is ``stored`` as it is, and need not be what the config says."""
    layout = Layout()
    told = {**archives.config([b""]), **config}
    manifest = {
        "schemaVersion": 2,
        "config": layout.add(encoded(told), CONFIG),
        "layers": [layout.add(stored, GZIP_LAYER)],
    }
    return archives.tar(layout.files([layout.add(encoded(manifest), MANIFEST)]))


def described(change: Mapping[str, Any], of_layer: bool = False) -> bytes:
    """An image whose manifest, or layer, is described with ``change``."""
    layout = Layout()
    manifest = layout.manifest()
    if of_layer:
        manifest["layers"] = [{**manifest["layers"][0], **change}]
    top = layout.add(encoded(manifest), MANIFEST)
    return archives.tar(layout.files([top if of_layer else {**top, **change}]))


def configured(text: bytes) -> bytes:
    """An image whose config is ``text``."""
    layout = Layout()
    manifest = {**layout.manifest(), "config": layout.add(text, CONFIG)}
    return archives.tar(layout.files([layout.add(encoded(manifest), MANIFEST)]))


def with_layers(count: int) -> bytes:
    """An image that has the same layer so many times."""
    layout, one = Layout(), layer(file("a", b"1"))
    stored = layout.add(gzip.compress(one, mtime=0), GZIP_LAYER)
    ids = [archives.digest_of(one)] * count
    told = {**archives.config([]), "rootfs": {"diff_ids": ids}}
    manifest = {"config": layout.add(encoded(told), CONFIG), "layers": [stored] * count}
    return archives.tar(layout.files([layout.add(encoded(manifest), MANIFEST)]))


def listing_itself() -> bytes:
    """An index that lists an index that lists it: by name, as no digest can."""
    layout = Layout()
    names = [f"sha256:{letter * 64}" for letter in "ab"]
    for name, other in zip(names, names[::-1], strict=True):
        entry = {"mediaType": archives.INDEX, "digest": other, "size": 1}
        layout.blobs[name] = encoded({"manifests": [entry]})
    top = {"mediaType": archives.INDEX, "digest": names[0], "size": len(layout.blobs[names[0]])}
    return archives.tar(layout.files([top]))


def plain(entries: Any, **members: bytes) -> bytes:
    """An archive as engines without an index write it, with ``entries`` in its manifest.json."""
    return archives.tar({**members, "manifest.json": json.dumps(entries).encode()})


def zeros(size_bytes: int) -> Iterator[bytes]:
    """gzip of so many zeros, in members of 64 MiB, quickly made."""
    once = gzip.compress(bytes(64 * MIB), mtime=0)
    yield from [once] * (size_bytes // (64 * MIB))


def gzip_bomb(size_bytes: int) -> bytes:
    """A layer with one file of so many zeros."""
    return gzip.compress(header(size=size_bytes), mtime=0) + b"".join(zeros(size_bytes))


def zstd_bomb(size_bytes: int) -> bytes:
    """The same in zstd."""
    pack = zstandard.ZstdCompressor().compress
    return pack(header(size=size_bytes)) + pack(bytes(64 * MIB)) * (size_bytes // (64 * MIB))


def zstd_wide(window_bytes: int) -> bytes:
    """A small layer whose reader would have to keep so many bytes in memory."""
    log = window_bytes.bit_length() - 1
    settings = zstandard.ZstdCompressionParameters(window_log=log)
    pack = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    return pack.compress(bytes(MIB)) + pack.flush()


def entries(count: int) -> bytes:
    """gzip of a layer with so many headers that are all the same."""
    return gzip.compress(header() * 10_000, mtime=0) * (count // 10_000)


def names(numbers: Sequence[int]) -> bytes:
    """A layer of empty files with a name each."""
    blank = bytearray(header())
    blank[148:156] = b" " * 8
    made = bytearray()
    for number in numbers:
        blank[:40] = b"usr/lib/node_modules/package/%011d" % number
        made += blank
        made[-364:-356] = b"%06o\0 " % sum(blank)
    return bytes(made + bytes(1024))


def header(**fields: Any) -> bytes:
    """The header of a member, without its content."""
    info = tarfile.TarInfo("x")
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def extension(kind: bytes, content: bytes) -> bytes:
    """A header that says something of the next one."""
    return header(type=kind, size=len(content)) + content + bytes(-len(content) % 512)
