"""Two lists of packages -> which were added, removed, and have other versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tasks.core.comparing.files import Change
from tasks.core.images.packages import Package


@dataclass(frozen=True)
class PackageChange:
    """One package; ``before`` and ``after`` are its versions, of npm there may be several.

    Bytes are what all of its versions take up together, None where the package does not say.
    """

    kind: str
    name: str
    change: Change
    before: tuple[str, ...]
    after: tuple[str, ...]
    before_bytes: int | None
    after_bytes: int | None

    @property
    def difference_bytes(self) -> int:
        """How much more it takes up in the second image; 0 where that is not known."""
        sizes = (self.before_bytes, self.after_bytes)
        if (self.before and sizes[0] is None) or (self.after and sizes[1] is None):
            return 0
        return (sizes[1] or 0) - (sizes[0] or 0)


def changes(before: Iterable[Package], after: Iterable[Package]) -> tuple[PackageChange, ...]:
    """Every package whose versions are not the same, by kind and name."""
    return tuple(_changes(_named(before), _named(after)))


def _changes(
    before: Mapping[tuple[str, str], list[Package]], after: Mapping[tuple[str, str], list[Package]]
) -> Iterator[PackageChange]:
    for kind, name in sorted(before.keys() | after.keys()):
        here, there = before.get((kind, name), []), after.get((kind, name), [])
        versions = (_versions(here), _versions(there))
        if versions[0] != versions[1]:
            change = Change.CHANGED if here and there else _one_sided(bool(there))
            yield PackageChange(kind, name, change, *versions, _bytes(here), _bytes(there))


def _one_sided(added: bool) -> Change:
    return Change.ADDED if added else Change.REMOVED


def _named(packages: Iterable[Package]) -> dict[tuple[str, str], list[Package]]:
    found: dict[tuple[str, str], list[Package]] = {}
    for each in packages:
        found.setdefault((each.kind, each.name), []).append(each)
    return found


def _versions(packages: Iterable[Package]) -> tuple[str, ...]:
    return tuple(sorted({each.version for each in packages}))


def _bytes(packages: Iterable[Package]) -> int | None:
    sizes = [each.size_bytes for each in packages]
    known = [size for size in sizes if size is not None]
    return sum(known) if sizes and len(known) == len(sizes) else None
