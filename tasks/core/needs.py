"""Which base images targets need, and how they are had on this machine."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.core import dockerfile, process
from tasks.core.definitions import Definition, Target
from tasks.core.provision import bases
from tasks.core.provision.bases import BaseNeed
from tasks.core.session import Session


def of(definition: Definition, native: str) -> tuple[BaseNeed, ...]:
    """The base images that ``definition`` builds on, each with the platforms it is needed for.

    ``native`` is the engine's own platform: what a target without platforms is built for.
    """
    platforms: dict[str, set[str]] = {}
    for target in definition.targets.values():
        for use in _uses(target):
            wanted = {native} if use.on_build_platform else set(target.platforms or (native,))
            platforms.setdefault(use.reference, set()).update(wanted)
    return tuple(BaseNeed(name, tuple(sorted(names))) for name, names in sorted(platforms.items()))


def provide(session: Session, definition: Definition) -> Mapping[str, str]:
    """Have every base image at hand; returns named contexts for those that come from elsewhere."""
    wanted = of(definition, session.engine.native_platform)
    return bases.ensure_bases(session.engine, wanted, process.note)


def _uses(target: Target) -> tuple[dockerfile.BaseUse, ...]:
    if target.inline is not None:
        origin = f"the Dockerfile of {target.name} in the bake file"
        uses = dockerfile.text_references(target.inline, target.args, target.stage, origin)
    elif target.dockerfile is not None:
        uses = dockerfile.base_references(target.dockerfile, target.args, target.stage)
    else:
        return ()
    return tuple(use for use in uses if use.reference not in target.contexts)
