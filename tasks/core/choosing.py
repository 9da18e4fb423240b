"""Which targets a task is about, and whether their images are in the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tasks.core import daemon, process
from tasks.core.bake.definitions import Target
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.session import Session
from tasks.core.verifying import catalogue, policyfile

if TYPE_CHECKING:
    from docker import DockerClient


def targets(
    session: Session, patterns: Sequence[str], wanted: Callable[[Target], bool], kind: str
) -> list[Target]:
    """The targets that ``patterns`` name, or without patterns those that are ``wanted``.

    Those without a tag are left out with a notice. The whole policy is checked, too.
    """
    definition = session.everything()
    policyfile.check(session.config, definition.targets, catalogue.IDS)
    narrowed = definition.narrowed(patterns).targets.values()
    chosen = [target for target in narrowed if patterns or wanted(target)]
    if not chosen:
        raise UsageError(f"the bake file defines no target with the stage {kind!r}")
    tagged = [target for target in chosen if target.tags]
    for target in chosen:
        if not target.tags:
            process.note(f"{target.name} has no tag: its image cannot be found by name")
    if not tagged:
        raise UsageError("none of the targets has a tag to find its image by")
    return tagged


def built(session: Session, targets: Sequence[Target]) -> list[Target]:
    """Those whose image is in the engine; all of a service that has none, so that it is missed."""
    with contextlib.closing(daemon.connect(session.engine)) as client:
        there = {target.name for target in targets if daemon.has_image(client, target.tags[0])}
    served = {target.service for target in targets if target.name in there}
    for target in targets:
        if target.name not in there and target.service in served:
            process.note(f"{target.name}: not built, so nothing is proven of it")
    return [t for t in targets if t.name in there or t.service not in served]


def demand_built(client: DockerClient, targets: Sequence[Target]) -> None:
    """Raise OutOfReach for a target whose image is not in the engine."""
    for target in targets:
        if not daemon.has_image(client, target.tags[0]):
            raise OutOfReach(
                f"{target.name}: no image {target.tags[0]} in the engine; "
                f"run: inv build.targets {target.name}"
            )
