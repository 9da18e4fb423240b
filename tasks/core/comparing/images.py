"""Two images for one platform -> everything that differs between them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tasks.core.comparing import bills, configs, files, inventory, layers
from tasks.core.comparing.bills import BillInspector
from tasks.core.comparing.configs import ConfigChange
from tasks.core.comparing.files import FileChange
from tasks.core.comparing.inventory import PackageChange
from tasks.core.comparing.layers import SAME, LayerChange
from tasks.core.images import packages
from tasks.core.images.contents import Contents, shown
from tasks.core.images.digesting import DigestInspector
from tasks.core.images.entries import Inspector, Kind
from tasks.core.images.packages import Package, PackageInspector

INSPECTORS: tuple[Inspector, ...] = (DigestInspector(), PackageInspector(), BillInspector())
#: Where the packages that are compared come from.
NOTES, SBOMS = "package managers' notes", "attached SBOMs"


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
    #: NOTES or SBOMS.
    packages_from: str = NOTES

    @property
    def differs(self) -> bool:
        """Whether there is any difference: also layers that hold the same, made another day."""
        sizes = {self.before.compressed_bytes, self.after.compressed_bytes} - {None}
        moved = any(one.change != SAME for one in self.layers)
        return bool(self.files or self.packages or self.config or moved or len(sizes) > 1)


def compare(before: Contents, after: Contents, secrets: Collection[str] = ()) -> Comparison:
    """What differs; both were read with INSPECTORS. ``secrets`` are masked wherever they stand."""
    here, there = packages.installed(before), packages.installed(after)
    came_from, listed_here, listed_there = _packages(before, after, here.packages, there.packages)
    changed = files.changes(before, after)
    listed = layers.changes(before, after, secrets)
    unread = (
        []
        if came_from == SBOMS
        else [shown(path) for each in (here, there) for path in each.unread]
    )
    remarks = [f"{path} tells of more packages than are compared" for path in unread]
    if came_from == SBOMS:
        remarks.append("Packages are those of the SBOMs that are attached to both images.")
    elif bills.of(before) or bills.of(after):
        remarks.append(
            "Packages are what package managers noted: an SBOM is attached to one image only."
        )
    if not changed and any(one.change != SAME for one in listed):
        remarks.append("Layers differ although they make the same files: other dates, or order.")
    return Comparison(
        platform=before.platform,
        before=_side(before, len(listed_here)),
        after=_side(after, len(listed_there)),
        layers=listed,
        files=changed,
        packages=inventory.changes(listed_here, listed_there),
        config=configs.changes(before.config, after.config, secrets),
        remarks=tuple(remarks),
        packages_from=came_from,
    )


def _packages(
    before: Contents,
    after: Contents,
    noted_before: tuple[Package, ...],
    noted_after: tuple[Package, ...],
) -> tuple[str, tuple[Package, ...], tuple[Package, ...]]:
    """Where the packages come from, and those of both: lists of one kind alone compare."""
    here, there = bills.of(before), bills.of(after)
    if here is None or there is None:
        return NOTES, noted_before, noted_after
    return SBOMS, bills.weighed(here, noted_before), bills.weighed(there, noted_after)


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
