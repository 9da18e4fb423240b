"""The images of targets, measured, and looked into where that is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks.core.bake.definitions import Definition, Target
from tasks.core.comparing import growth, places, weighing
from tasks.core.comparing.growth import Limits
from tasks.core.comparing.lock import Entry, Lock
from tasks.core.comparing.places import Place
from tasks.core.images import sizes
from tasks.core.images.contents import Contents
from tasks.core.session import Session
from tasks.core.verifying import catalogue, policyfile

#: An image by its target and platform.
Key = tuple[str, str]


def checked(session: Session) -> Definition:
    """All targets, and a policy that makes sense for them; UsageError if it does not."""
    definition = session.everything()
    policyfile.check(session.config, definition.targets, catalogue.IDS)
    return definition


def chosen(definition: Definition, patterns: Sequence[str], known: Lock) -> dict[str, Target]:
    """The targets to measure; without ``patterns`` what ships, and what the lock has."""
    targets = definition.narrowed(patterns).targets
    if patterns:
        return dict(targets)
    shipped = {n: t for n, t in targets.items() if t.released or n in known}
    return shipped or dict(targets)


def measured(session: Session, targets: Mapping[str, Target]) -> dict[Key, Entry]:
    """The sizes of each image; from the cache, if it is known there. Nothing is looked into.

    Raises OutOfReach if the engine has none of them; what is missing is named on stderr.
    """
    rows = sizes.measure(session, Definition(targets, {}, {}), every=True)
    return {
        (row.target, row.platform): Entry(
            row.compressed_bytes, row.unpacked_bytes, row.layers, row.digest, row.lookalike_bases
        )
        for row in rows
    }


def looked_into(session: Session, targets: Sequence[Target]) -> dict[Key, Contents]:
    """What is in the images of ``targets``, which are in the engine."""
    if not targets:
        return {}
    named = [Place(target.name, target.tags[0]) for target in targets]
    found = places.read(session, named, weighing.INSPECTORS)
    return {
        (target.name, each.platform): each
        for target, platforms in zip(targets, found, strict=True)
        for each in platforms
    }


def limits(session: Session, target: str) -> Limits:
    """What the policy allows a target."""
    return growth.limits(policyfile.for_target(session.config, target, catalogue.IDS))
