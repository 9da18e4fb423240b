"""Two images for one platform -> everything that differs between them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tasks.core import packages
from tasks.core.comparing import configs, files, inventory, layers
from tasks.core.comparing.configs import ConfigChange
from tasks.core.comparing.files import FileChange
from tasks.core.comparing.inventory import PackageChange
from tasks.core.comparing.layers import SAME, LayerChange
from tasks.core.contents import Contents, shown
from tasks.core.digesting import DigestInspector
from tasks.core.entries import Inspector, Kind
from tasks.core.packages import PackageInspector

INSPECTORS: tuple[Inspector, ...] = (DigestInspector(), PackageInspector())


@dataclass(frozen=True)
class Side:
    """One of the two images. ``files`` are all entries but folders, with ``files_bytes``."""

    digest: str
    compressed_bytes: int | None
    unpacked_bytes: int
    layers: int
    files: int
    files_bytes: int
    packages: int


@dataclass(frozen=True)
class Comparison:
    """Two images for one platform, side by side; ``remarks`` are lines for a reader."""

    platform: str
    before: Side
    after: Side
    layers: tuple[LayerChange, ...]
    files: tuple[FileChange, ...]
    packages: tuple[PackageChange, ...]
    config: tuple[ConfigChange, ...]
    remarks: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether there is any difference: also layers that hold the same, made another day."""
        sizes = {self.before.compressed_bytes, self.after.compressed_bytes} - {None}
        moved = any(one.change != SAME for one in self.layers)
        return bool(self.files or self.packages or self.config or moved or len(sizes) > 1)


def compare(before: Contents, after: Contents, secrets: Collection[str] = ()) -> Comparison:
    """What differs; both were read with INSPECTORS. ``secrets`` are masked wherever they stand."""
    here, there = packages.installed(before), packages.installed(after)
    changed = files.changes(before, after)
    listed = layers.changes(before, after, secrets)
    unread = [shown(path) for each in (here, there) for path in each.unread]
    remarks = [f"{path} tells of more packages than are compared" for path in unread]
    if not changed and any(one.change != SAME for one in listed):
        remarks.append("Layers differ although they make the same files: other dates, or order.")
    return Comparison(
        platform=before.platform,
        before=_side(before, len(here.packages)),
        after=_side(after, len(there.packages)),
        layers=listed,
        files=changed,
        packages=inventory.changes(here.packages, there.packages),
        config=configs.changes(before.config, after.config, secrets),
        remarks=tuple(remarks),
    )


def _side(contents: Contents, known: int) -> Side:
    entries = contents.files.values()
    return Side(
        digest=contents.digest,
        compressed_bytes=contents.compressed_bytes,
        unpacked_bytes=contents.unpacked_bytes,
        layers=len(contents.layers),
        files=sum(entry.kind is not Kind.DIRECTORY for entry in entries),
        files_bytes=sum(files.own_bytes(contents.files).values()),
        packages=known,
    )
