"""An image's sizes against its entry in the lock: how much it grew, what of it, and the limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tasks.core.comparing.lock import SECTIONS, Entry, Listed
from tasks.core.proofs.policy import Policy
from tasks.core.render import tables
from tasks.core.render.tables import MIB

#: Growth that is worth reading the image for; each build changes some bytes.
EXPLAINED_BYTES = 64 * 2**10
#: A folder is left out for one inside of it that has at least this share of its growth.
SHARE = 0.8
#: How many causes of each section are kept.
KEPT = 200


class Status(StrEnum):
    """How an image stands to the lock."""

    SAME = "same"
    GREW = "grew"
    SHRANK = "shrank"
    #: The lock does not know it.
    NEW = "new"
    #: One was measured on look-alike bases, the other on the originals.
    OTHER_BASES = "other bases"
    #: The lock knows it, the engine does not have it.
    ABSENT = "not built"


@dataclass(frozen=True)
class Limits:
    """What the policy says of growth; None: no limit."""

    max_growth_percent: float | None = None
    max_growth_mib: float | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class Cause:
    """Something that is larger than it was. ``was`` is what it was called then, a version mostly.

    ``before_bytes`` of something that was not listed is the most it can have been; ``at_least``
    says so. None: it was not there.
    """

    section: str
    name: str
    was: str
    before_bytes: int | None
    after_bytes: int
    at_least: bool = False

    @property
    def growth_bytes(self) -> int:
        """How much larger it is, at least."""
        return self.after_bytes - (self.before_bytes or 0)


@dataclass(frozen=True)
class Growth:
    """One image for one platform: the lock's entry, and what is here now; either may be missing.

    ``size`` says which size growth is of: "compressed", or "unpacked" where one does not know it.
    ``broken`` has a line for each limit that does not hold.
    """

    target: str
    platform: str
    before: Entry | None
    after: Entry | None
    limits: Limits
    causes: tuple[Cause, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def size(self) -> str:
        """Which of the two sizes is compared."""
        unknown = any(one and one.compressed_bytes is None for one in (self.before, self.after))
        return "unpacked" if unknown else "compressed"

    @property
    def before_bytes(self) -> int | None:
        """The size in the lock."""
        return size_of(self.before, self.size) if self.before else None

    @property
    def after_bytes(self) -> int | None:
        """The size now."""
        return size_of(self.after, self.size) if self.after else None

    @property
    def comparable(self) -> bool:
        """Whether both are there, on the same kind of bases as far as that is known."""
        if self.before is None or self.after is None:
            return False
        kinds = {self.before.lookalike_bases, self.after.lookalike_bases} - {None}
        return len(kinds) < 2

    @property
    def growth_bytes(self) -> int | None:
        """How much larger it is; negative: smaller. None where that says nothing."""
        if not self.comparable or self.before_bytes is None or self.after_bytes is None:
            return None
        return self.after_bytes - self.before_bytes

    @property
    def growth_percent(self) -> float | None:
        """The same in percent of what it was, with two decimals."""
        if self.growth_bytes is None or not self.before_bytes:
            return None
        return round(100 * self.growth_bytes / self.before_bytes, 2)

    @property
    def status(self) -> Status:
        """How it stands to the lock, whatever the limits are."""
        if self.after is None:
            return Status.ABSENT
        if self.before is None:
            return Status.NEW
        if self.growth_bytes is None:
            return Status.OTHER_BASES
        if self.growth_bytes == 0:
            return Status.SAME
        return Status.GREW if self.growth_bytes > 0 else Status.SHRANK


def size_of(entry: Entry, size: str) -> int:
    """The size of that name; the unpacked one where the other is not known."""
    known = entry.compressed_bytes if size == "compressed" else None
    return entry.unpacked_bytes if known is None else known


def limits(policy: Policy) -> Limits:
    """The limits in a target's policy."""
    return Limits(policy.max_growth_percent, policy.max_growth_mib, policy.max_bytes)


def broken(growth: Growth, *, absolute_only: bool = False) -> tuple[str, ...]:
    """A line for each limit that does not hold: what was measured, and what is allowed."""
    return tuple(_broken(growth, absolute_only))


def _broken(growth: Growth, absolute_only: bool) -> Iterator[str]:
    allowed, size_bytes, grown = growth.limits, growth.after_bytes, growth.growth_bytes
    if size_bytes is None:
        return
    if allowed.max_bytes is not None and size_bytes > allowed.max_bytes:
        yield (
            f"{growth.size} size is {size_bytes} bytes ({tables.mib(size_bytes)}), "
            f"allowed are {allowed.max_bytes} (max_bytes)"
        )
    before = growth.before_bytes
    if absolute_only or grown is None or before is None or grown <= 0:
        return
    percent = tables.percent(grown, before) or "from nothing"
    told = f"{growth.size} size grew by {tables.difference(grown)} ({percent})"
    most = allowed.max_growth_percent
    if most is not None and grown * 100 > most * before:
        yield f"{told}, allowed are {most:g} % (max_growth_percent)"
    most = allowed.max_growth_mib
    if most is not None and grown > most * MIB:
        yield f"{told}, allowed are {most:g} MiB (max_growth_mib)"


def causes(before: Entry, now: Mapping[str, Mapping[str, int]]) -> tuple[Cause, ...]:
    """What is larger than the lock says, the most first, section by section.

    ``now`` are the bytes of everything, by section; see `weighing.everything`.
    """
    found: list[Cause] = []
    for section in SECTIONS:
        listed: Listed = getattr(before, section)
        grown = list(_grown(section, listed, now[section]))
        grown.sort(key=lambda one: (-one.growth_bytes, one.name))
        found += _innermost(grown[:KEPT]) if section == "folders" else grown[:KEPT]
    return tuple(found)


def _grown(section: str, listed: Listed, now: Mapping[str, int]) -> Iterator[Cause]:
    known = dict(listed.bytes)
    if section == "packages":
        yield from _updated(listed, now)
        names = {key.partition(" ")[0] for key in known}
        now = {key: size for key, size in now.items() if key.partition(" ")[0] not in names}
    for name, size_bytes in now.items():
        if name in known:
            if size_bytes > known[name]:
                yield Cause(section, name, "", known[name], size_bytes)
        elif size_bytes > listed.rest_bytes:
            before = listed.rest_bytes or None
            yield Cause(section, name, "", before, size_bytes, at_least=before is not None)


def _updated(listed: Listed, now: Mapping[str, int]) -> Iterator[Cause]:
    """Packages that the lock lists: all versions of one are one thing."""
    then, today = _by_name(listed.bytes), _by_name(now)
    for name, versions in then.items():
        after = today.get(name, {})
        if sum(after.values()) > sum(versions.values()):
            was = ", ".join(sorted(versions)) if versions.keys() != after.keys() else ""
            title = f"{name} {', '.join(sorted(after))}"
            sizes = (sum(versions.values()), sum(after.values()))
            yield Cause("packages", title, was, *sizes)


def _by_name(packages: Mapping[str, int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for key, size_bytes in packages.items():
        name, _, version = key.partition(" ")
        found.setdefault(name, {})[version] = size_bytes
    return found


def _innermost(folders: list[Cause]) -> Iterator[Cause]:
    """Without those whose growth is nearly all in one folder inside of them."""
    for one in folders:
        inside = (each for each in folders if each.name.startswith(f"{one.name}/"))
        if not any(each.growth_bytes >= SHARE * one.growth_bytes for each in inside):
            yield one
