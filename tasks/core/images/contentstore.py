"""Where an engine on this machine keeps the blobs of its images: to read them without an export.

An export copies every layer through the engine, whatever of it is known already. Where the folder
cannot be read, as without the engine's own rights, the export is all there is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core import untrusted
from tasks.core.images.tarfiles import PIECE_BYTES

if TYPE_CHECKING:
    from docker import DockerClient

_CONTENT = Path("io.containerd.content.v1.content", "blobs")
#: The root of a containerd that the engine shares with others.
_SHARED_ROOT = Path("/var/lib/containerd")


@dataclass(frozen=True)
class ContentStore:
    """A folder of blobs by digest. What is in it is as trusted as an archive: not at all."""

    folder: Path

    def size_bytes(self, digest: str) -> int | None:
        """How large a blob is; None where it is not here."""
        try:
            return self._path(digest).stat().st_size
        except OSError:
            return None

    def open(self, digest: str) -> BufferedReader:
        """A blob to be read. Raises OSError where it is not here any more."""
        return BufferedReader(FileIO(self._path(digest)), PIECE_BYTES)

    def _path(self, digest: str) -> Path:
        return self.folder / untrusted.digest(digest, "a digest").replace(":", "/")


def find(client: DockerClient, host: str) -> ContentStore | None:
    """The blobs of the engine at ``host``; None if they are elsewhere or not for us to read."""
    if not host.startswith("unix://"):
        return None
    information: Mapping[str, Any] = client.info()
    root = information.get("DockerRootDir")
    roots = [Path(root, "containerd", "daemon")] if isinstance(root, str) and root else []
    for folder in (each / _CONTENT for each in (*roots, _SHARED_ROOT)):
        if os.access(folder / "sha256", os.R_OK | os.X_OK):
            return ContentStore(folder)
    return None
