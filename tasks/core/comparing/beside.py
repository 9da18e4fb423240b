"""Sizes by service and variant, each beside what it is measured against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.core.bake.definitions import BASELINE, Definition, Target
from tasks.core.comparing import places
from tasks.core.comparing.weighing import is_lookalike
from tasks.core.images import contents, sizes
from tasks.core.images.sizes import ImageSize
from tasks.core.session import Session


@dataclass(frozen=True)
class Reference:
    """What others are measured against: a target's image, or any other, for one platform."""

    name: str
    digest: str
    compressed_bytes: int | None
    unpacked_bytes: int
    lookalike_bases: bool


@dataclass(frozen=True)
class Beside:
    """An image, and what it is measured against; None: there is none, or it is that itself."""

    image: ImageSize
    against: Reference | None

    @property
    def compressed_difference_bytes(self) -> int | None:
        """How much more is pulled than of the other; negative: less."""
        there = self.against.compressed_bytes if self.against else None
        here = self.image.compressed_bytes
        return None if here is None or there is None else here - there

    @property
    def unpacked_difference_bytes(self) -> int | None:
        """How much more the layers hold than those of the other; negative: less."""
        return self.image.unpacked_bytes - self.against.unpacked_bytes if self.against else None


#: What stands for each service and platform, and for the services that have nothing of their own.
References = Mapping[tuple[str | None, str], Reference]


def compare(
    session: Session, patterns: Sequence[str] = (), to: str = "", *, every: bool = False
) -> tuple[Beside, ...]:
    """Each chosen image beside the baseline of its service, or beside ``to``.

    ``to`` is a variant, or one image: a target, an image of the engine, an archive. ``patterns``
    and ``every`` choose as in `sizes.measure`. Raises OutOfReach if none of them was built.
    """
    definition = session.everything()
    variants = {target.variant for target in definition.targets.values()}
    variant = BASELINE if not to else to if to in variants else ""
    chosen = sizes.choose(definition, patterns, every=every)
    services = {target.service for target in chosen.values()}
    compared = _of_variant(definition, variant, services)
    wanted = Definition({**compared, **chosen}, {}, {})
    rows = sizes.measure(session, wanted, every=True)
    references = _references(compared, rows) if variant else _foreign(session, to)
    shown = [row for row in rows if row.target in chosen or row.target in compared]
    return tuple(sorted((_beside(row, references) for row in shown), key=_order))


def _of_variant(definition: Definition, variant: str, services: set[str]) -> dict[str, Target]:
    """The image of that variant of each service: what ships, or where nothing does the first."""
    found: dict[str, Target] = {}
    named = sorted(definition.targets.values(), key=lambda one: (not one.released, one.name))
    for target in named:
        if target.variant == variant and target.service in services:
            found.setdefault(target.service, target)
    return {target.name: target for target in found.values()}


def _references(compared: Mapping[str, Target], rows: Sequence[ImageSize]) -> References:
    return {
        (row.service, row.platform): Reference(
            row.target, row.digest, row.compressed_bytes, row.unpacked_bytes, row.lookalike_bases
        )
        for row in rows
        if row.target in compared
    }


def _foreign(session: Session, to: str) -> References:
    place = places.find(session, to)
    [read] = places.read(session, [place], ())
    return {(None, each.platform): _reference(to, each) for each in read}


def _reference(name: str, read: contents.Contents) -> Reference:
    return Reference(
        name, read.digest, read.compressed_bytes, read.unpacked_bytes, is_lookalike(read)
    )


def _beside(row: ImageSize, references: References) -> Beside:
    own = references.get((row.service, row.platform))
    against = own or references.get((None, row.platform))
    itself = against is not None and against.name == row.target
    return Beside(row, None if itself else against)


def _order(one: Beside) -> tuple[str, str, bool, int, str]:
    row = one.image
    size_bytes = row.unpacked_bytes if row.compressed_bytes is None else row.compressed_bytes
    return row.service, row.platform, one.against is not None, -size_bytes, row.target
