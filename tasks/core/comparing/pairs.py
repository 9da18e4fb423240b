"""Two images, named by a person -> their platforms in pairs, each compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.core import process, schema
from tasks.core.comparing import images, places
from tasks.core.comparing.images import Comparison
from tasks.core.comparing.places import Place
from tasks.core.errors import UsageError
from tasks.core.images import archive
from tasks.core.images.contents import Contents
from tasks.core.provision import apt
from tasks.core.secrecy import secretvalues
from tasks.core.session import Session

EVERY = "all"


@dataclass(frozen=True)
class Compared:
    """Two images and how they compare on each platform that was asked for."""

    before: Place
    after: Place
    comparisons: tuple[Comparison, ...]

    @property
    def differs(self) -> bool:
        """Whether there is any difference on any platform."""
        return any(one.differs for one in self.comparisons)


def check_platform(word: str) -> None:
    """Raise UsageError for what is neither a platform nor "all"."""
    if word and word != EVERY and not archive.PLATFORM.fullmatch(word):
        raise UsageError(f"--platform {word!r}: expected one platform, as linux/arm64, or all")


def compare(session: Session, one: str, other: str, platform: str = "") -> Compared:
    """Compare the images that ``one`` and ``other`` mean, see `places.find`.

    ``platform``: one of those that both have, "all" of them, or "" for the engine's own if both
    have it, else the first. Raises UsageError where they have none in common.
    """
    check_platform(platform)
    found = (places.find(session, one), places.find(session, other))
    before, after = places.read(session, found, images.INSPECTORS)
    here, there = _by_platform(before), _by_platform(after)
    common = [name for name in here if name in there]
    chosen = _chosen(session, found, common, platform, (tuple(here), tuple(there)))
    secrets = secretvalues.of_settings(session).values()
    compared = [images.compare(here[name], there[name], tuple(secrets)) for name in chosen]
    return Compared(*found, tuple(compared))


def _by_platform(found: Sequence[Contents]) -> dict[str, Contents]:
    return {each.platform: each for each in found}


def _chosen(
    session: Session,
    found: tuple[Place, Place],
    common: Sequence[str],
    platform: str,
    held: tuple[Sequence[str], Sequence[str]],
) -> Sequence[str]:
    told = "; ".join(
        f"{place.name} has {', '.join(names)}" for place, names in zip(found, held, strict=True)
    )
    if not common:
        raise UsageError(f"no platform is in both images: {told}; build both for one platform")
    if platform == EVERY:
        return common
    wanted = schema.platforms(platform)
    if wanted:
        if wanted[0] not in common:
            raise UsageError(f"--platform {platform}: not in both images: {told}")
        return wanted
    if len(common) == 1:
        return common
    engineless = all(place.archive for place in found)
    native = apt.native_platform() if engineless else session.engine.native_platform
    chosen = native if native in common else common[0]
    rest = [name for name in common if name != chosen]
    process.note(f"comparing {chosen}; also in both: {', '.join(rest)} (--platform all)")
    return [chosen]
