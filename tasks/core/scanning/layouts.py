"""An image as a folder that a scanner reads: an OCI layout, one platform of it chosen at a time."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core import schema, untrusted
from tasks.core.images import archive, blobs, layout, tarfiles
from tasks.core.images.allowance import Allowance
from tasks.core.images.blobs import Blob
from tasks.core.images.layout import Descriptor
from tasks.core.images.tarfiles import PIECE_BYTES
from tasks.core.untrusted import Malformed


class NoLayout(Malformed):
    """An archive without an index: a docker archive, perhaps."""


INDEX, MARKER = "index.json", "oci-layout"
_BLOB = re.compile(r"blobs/sha256/[0-9a-f]{64}")


@dataclass(frozen=True)
class PlatformLayout:
    """One platform of the image that lies in ``folder``."""

    folder: Path
    platform: str
    manifest: Descriptor

    def choose(self) -> None:
        """Make it the only image of the layout: scanners take the first one that they find."""
        top = {
            "schemaVersion": 2,
            "manifests": [
                {
                    "mediaType": self.manifest.media_type,
                    "digest": self.manifest.digest,
                    "size": self.manifest.size_bytes,
                }
            ],
        }
        (self.folder / INDEX).write_text(json.dumps(top))
        (self.folder / MARKER).write_text('{"imageLayoutVersion": "1.0.0"}')


def unpack(chunks: Iterable[bytes], folder: Path) -> tuple[PlatformLayout, ...]:
    """Write the image archive ``chunks`` to ``folder``; its platforms, those that are all there.

    Nothing but blobs under their own digests is written, whatever the archive names its files.
    Raises Malformed for one that is damaged, and for a docker archive, which is no layout.
    """
    (folder / "blobs" / "sha256").mkdir(parents=True)
    with tarfiles.opened(chunks) as opened:
        index = _write(opened, folder)
    if index is None:
        raise NoLayout("has no index.json: it is no OCI archive")
    return tuple(_platforms(_Files(folder, index), folder))


def _write(opened: tarfile.TarFile, folder: Path) -> bytes | None:
    index = None
    allowance = Allowance()
    for name, member in tarfiles.members(opened, allowance):
        source = opened.extractfile(member) if member.isreg() else None
        if source is None:
            continue
        allowance.store(member.size)
        if name == INDEX and member.size <= blobs.MAX_JSON_BYTES:
            index = source.read()
        elif _BLOB.fullmatch(name):
            digest = hashlib.sha256()
            with (folder / name).open("wb") as file:
                for piece in iter(lambda: source.read(PIECE_BYTES), b""):  # noqa: B023 - read here
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != name.rpartition("/")[2]:
                raise Malformed(f"{name} does not match its content")
    return index


def _platforms(files: Mapping[str, Blob], folder: Path) -> Iterator[PlatformLayout]:
    for number, described in enumerate(layout.manifests(files)):
        if number >= archive.MAX_IMAGES:
            raise Malformed(f"holds more than {archive.MAX_IMAGES} images")
        if described.attests is not None:
            continue
        manifest = layout.document(files, described)
        config = layout.descriptor(manifest.get("config"), "a manifest")
        listed = untrusted.sequence(manifest.get("layers"), "layers of a manifest")
        every = [config, *(layout.descriptor(each, "a manifest") for each in listed)]
        if all((folder / layout.path(each.digest)).is_file() for each in every):
            platform = described.platform or _platform(layout.document(files, config))
            yield PlatformLayout(folder, platform, described)


def _platform(config: Mapping[str, object]) -> str:
    words = [config.get("os"), config.get("architecture"), config.get("variant")]
    name = "/".join(str(word) for word in words if word)
    return untrusted.shown(schema.PLATFORM_ALIASES.get(name, name), 80)


class _Files(Mapping[str, Blob]):
    """The documents of a layout on disk by their path, each read when it is asked for."""

    def __init__(self, folder: Path, index: bytes) -> None:
        self._folder = folder
        self._index = index

    def __getitem__(self, path: str) -> Blob:
        if path == INDEX:
            return _document(self._index)
        found = self._folder / path
        if not _BLOB.fullmatch(path) or not found.is_file():
            raise KeyError(path)
        if found.stat().st_size > blobs.MAX_JSON_BYTES:
            raise Malformed(f"{path} is no document")
        return _document(found.read_bytes())

    def __contains__(self, path: object) -> bool:
        there = isinstance(path, str) and _BLOB.fullmatch(path) is not None
        return path == INDEX or (there and (self._folder / str(path)).is_file())

    def __iter__(self) -> Iterator[str]:
        return iter((INDEX,))

    def __len__(self) -> int:
        return 1


def _document(content: bytes) -> Blob:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Blob(digest, len(content), digest, len(content), content)
