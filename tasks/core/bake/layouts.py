"""OCI layouts that BuildKit writes images into, kept from build to build.

A blob that is there is not sent again: of an image that was built before, the base and all layers
that stayed the same. They lie below ``.slipway/cache/layouts``, a folder each; `rm -r` of it costs
nothing but time. https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.core import process, untrusted
from tasks.core.untrusted import Malformed

FOLDER = Path(".slipway", "cache", "layouts")
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BLOBS = "blobs/sha256/"
TOP, BEFORE = "index.json", "before.json"
MAX_JSON_BYTES = 4 * 2**20
#: An index may list indexes; nobody nests them deeper.
MAX_DEPTH = 4


@contextlib.contextmanager
def kept(root: Path, instead: Path) -> Iterator[Path]:
    """The folder of the layouts of the repository at ``root``, for this process alone.

    While another build of the same checkout has it, or where it cannot be written: ``instead``. So
    for root where another user builds, who could not write what root had left.
    """
    folder = root / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0 and folder.stat().st_uid != 0:
            raise PermissionError(errno.EPERM, "it belongs to another user")
        folder.chmod(0o700)  # as private as an image in the engine
        lock = folder.with_suffix(".lock").open("a")
    except OSError as error:
        process.note(f"layers are sent anew each time: {FOLDER}: {error.strerror}")
        yield instead
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another has it, or the file system knows no locks
            yield instead
            return
        yield folder


def prepare(layout: Path) -> None:
    """Make ``layout`` ready for a new image: what it holds becomes the one before."""
    layout.mkdir(parents=True, exist_ok=True)
    if (layout / TOP).exists():
        (layout / TOP).replace(layout / BEFORE)
    shutil.rmtree(layout / "ingest", ignore_errors=True)  # of a build that was stopped


def top(layout: Path, name: str = TOP) -> Mapping[str, Any]:
    """The index of a layout: of its image, or (``BEFORE``) of the one before it."""
    return _read(layout / name, name)


def document(layout: Path, digest: str) -> Mapping[str, Any]:
    """The JSON document ``digest``. Raises Malformed, or OSError where it is not there."""
    return _read(path(layout, digest), digest)


def path(layout: Path, digest: str) -> Path:
    """Where a blob lies. Raises Malformed for what is no digest: it could be any path."""
    return layout / f"{BLOBS}{untrusted.digest(digest, 'a blob').removeprefix('sha256:')}"


def sound(layout: Path, digest: str) -> Path:
    """Where a blob lies whose bytes are what its name says. Raises Malformed, or OSError."""
    blob = path(layout, digest)
    with blob.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != blob.name:
            raise Malformed(f"the blob {digest} is not what its name says")
    return blob


def entries(told: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The digest and the descriptor of each image that an index lists."""
    for entry in mappings(told.get("manifests"), where):
        yield untrusted.digest(entry.get("digest"), where), entry


def blobs(layout: Path, told: Mapping[str, Any], depth: int = 0) -> dict[str, None]:
    """Every blob that belongs to what the index ``told`` lists, by digest, each once."""
    found: dict[str, None] = {}
    if depth > MAX_DEPTH:
        raise Malformed(f"indexes are nested more than {MAX_DEPTH} deep")
    for digest, entry in entries(told, "an index"):
        found[digest] = None
        listed = document(layout, digest)
        if entry.get("mediaType") == INDEX or "manifests" in listed:
            found |= blobs(layout, listed, depth + 1)
            continue
        config = untrusted.mapping(listed.get("config"), digest)
        for one in (config, *mappings(listed.get("layers"), digest)):
            found[untrusted.digest(one.get("digest"), digest)] = None
    return found


def link(source: Path, destination: Path, digest: str) -> None:
    """Have a blob of one layout in another, too."""
    there = path(destination, digest)
    there.parent.mkdir(parents=True, exist_ok=True)
    if not there.exists():
        try:
            os.link(path(source, digest), there)
        except OSError:  # not every file system has links
            shutil.copyfile(path(source, digest), there)


def write(layout: Path, content: bytes, descriptor: Mapping[str, Any]) -> None:
    """Put an index into ``layout`` that is its one image."""
    path(layout, descriptor["digest"]).write_bytes(content)
    listed = {"schemaVersion": 2, "manifests": [{**descriptor, "size": len(content)}]}
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (layout / TOP).write_text(json.dumps({**listed, "mediaType": INDEX}))


def prune(layout: Path) -> None:
    """Remove every blob that does not belong to the image that is in ``layout`` now."""
    wanted = {path(layout, digest).name for digest in blobs(layout, top(layout))}
    for blob in (layout / BLOBS).iterdir():
        if blob.name not in wanted:
            blob.unlink()
    (layout / BEFORE).unlink(missing_ok=True)


def mappings(value: Any, where: str) -> list[Mapping[str, Any]]:
    """A list of objects. Raises Malformed for what is none."""
    return [
        untrusted.mapping(one, f"an entry of {where}") for one in untrusted.sequence(value, where)
    ]


def _read(file: Path, where: str) -> Mapping[str, Any]:
    if file.stat().st_size > MAX_JSON_BYTES:
        raise Malformed(f"{where} is no JSON document")
    return untrusted.mapping(untrusted.parse(file.read_bytes(), where), where)
