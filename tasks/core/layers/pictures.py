"""What a report is asked about, an image, an archive or targets -> what is read of them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core import daemon, schema
from tasks.core.errors import UsageError
from tasks.core.layers import layering
from tasks.core.layers.layering import Layered
from tasks.core.session import Session


@dataclass(frozen=True)
class Asked:
    """Exactly one of an image's name, an archive's path, and names or globs of targets."""

    image: str = ""
    archive: str = ""
    targets: Sequence[str] = ()
    platforms: Sequence[str] = ()


def asked(image: str, archive: str, targets: Sequence[str], platform: str) -> Asked:
    """The options of a task, checked. Raises UsageError where they make no sense."""
    given = [
        name
        for name, value in (("--image", image), ("--archive", archive), ("--target", targets))
        if value
    ]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "none is given"
        raise UsageError(f"expected one of --image, --archive and --target; {what}")
    return Asked(image, archive, tuple(targets), platforms(platform))


def platforms(platform: str) -> tuple[str, ...]:
    """What ``--platform`` says, () for every one. Raises UsageError for no such platform."""
    problem = schema.check_platforms(platform) if platform else None
    if problem:
        raise UsageError(f"--platform: {problem}")
    return schema.platforms(platform)


def read(session: Session, wanted: Asked) -> list[tuple[str, Layered]]:
    """What was asked for, each platform of it, by the name it was asked for.

    Raises UsageError where an image lacks a platform or is damaged; OutOfReach where there is none.
    """
    if wanted.archive:
        path = Path(wanted.archive)
        return _of_platforms(path.name, layering.from_archive(session.root, path), wanted)
    if wanted.image:
        found = layering.from_engine(session.root, session.engine, wanted.image)
        return _of_platforms(wanted.image, found, wanted)
    from tasks.core import choosing  # the whole catalogue of proofs: half of the time of a start

    chosen = choosing.targets(session, wanted.targets, lambda _: True, "")
    with contextlib.closing(daemon.connect(session.engine)) as client:
        choosing.demand_built(client, chosen)
    return [
        each
        for target in chosen
        for each in _of_platforms(
            target.name,
            layering.from_engine(session.root, session.engine, target.tags[0]),
            wanted,
        )
    ]


def _of_platforms(name: str, found: Sequence[Layered], wanted: Asked) -> list[tuple[str, Layered]]:
    here = [each.image.platform for each in found]
    missing = [each for each in wanted.platforms if each not in here]
    if missing:
        raise UsageError(f"{name} is not there for {missing[0]}; it is for {', '.join(here)}")
    return [
        (name, each)
        for each in found
        if not wanted.platforms or each.image.platform in wanted.platforms
    ]
