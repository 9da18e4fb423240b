"""Which base images targets need, and how they are had on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.core import process
from tasks.core.bake import dockerfile, overlay, stages
from tasks.core.bake.definitions import Definition, Target
from tasks.core.bake.overlay import Additions
from tasks.core.pins import applying
from tasks.core.provision import bases, references
from tasks.core.provision.bases import BaseNeed
from tasks.core.session import Session


@dataclass(frozen=True)
class Provided:
    """How the bases are had where their names alone would not do.

    ``contexts``: named contexts, ``{reference: "docker-image://…"}``. ``inlines``: by target, the
    text of a Dockerfile whose ``# syntax=`` image no registry in reach has: without that line
    BuildKit reads it with the frontend that it was built with. ``syntaxes``: by target, the image
    of its frontend by digest, where `bases.lock.json` has it.
    """

    contexts: Mapping[str, str] = field(default_factory=dict)
    inlines: Mapping[str, str] = field(default_factory=dict)
    syntaxes: Mapping[str, str] = field(default_factory=dict)


def of(
    definition: Definition, native: str, unreachable: frozenset[str] = frozenset()
) -> tuple[BaseNeed, ...]:
    """The base images that ``definition`` builds on, each with the platforms it is needed for.

    ``native`` is the engine's own platform: what a target without platforms is built for.
    ``unreachable`` are frontends that are done without.
    """
    platforms: dict[str, set[str]] = {}
    for target in definition.targets.values():
        for use in _uses(target):
            wanted = {native} if use.on_build_platform else set(target.platforms or (native,))
            platforms.setdefault(use.reference, set()).update(wanted)
    return tuple(
        BaseNeed(name, tuple(sorted(names)))
        for name, names in sorted(platforms.items())
        if name not in unreachable
    )


def known(session: Session, definition: Definition) -> tuple[BaseNeed, ...]:
    """The base images of ``definition``, without the frontends that are done without."""
    return of(definition, session.engine.native_platform, _unreachable(session, definition))


def provide(session: Session, definition: Definition) -> Provided:
    """Have every base image at hand, those of `bases.lock.json` by the digest that stands there.

    Raises OutOfReach for one that cannot be had, UsageError for a lock that makes no sense.
    """
    unreachable = _unreachable(session, definition)
    needed = of(definition, session.engine.native_platform, unreachable)
    pinned = applying.apply(session, needed, _unnameable(definition, needed))
    contexts = dict(bases.ensure_bases(session.engine, pinned.rest, process.note))
    others = {references.parse(need.reference).context_name for need in needed}
    for reference, image in pinned.images.items():
        own, *more = references.parse(reference).context_names
        for name in (own, *(each for each in more if each not in others)):
            contexts[name] = f"{overlay.IMAGE}{image}"
    frontends = {name: _frontend(target) or "" for name, target in definition.targets.items()}
    syntaxes = {k: pinned.images[v] for k, v in frontends.items() if v in pinned.images}
    return Provided(contexts, dict(_inlined(definition, unreachable)), syntaxes)


def written(definition: Definition, additions: Additions, folder: Path) -> Additions:
    """``additions`` with their Dockerfiles as files in ``folder``, under their own names.

    As text within the overlay, bake would look for compose's variables in them and complain of
    each; and errors would name no file. What a Dockerfile's own ignore file says goes along.
    """
    found: dict[str, str] = {}
    for name, text in additions.inlines.items():
        original = definition.targets[name].dockerfile
        if original is None:
            continue
        place = folder / "dockerfiles" / name
        place.mkdir(parents=True, exist_ok=True)
        (place / original.name).write_text(text, encoding="utf-8")
        ignore = original.with_name(f"{original.name}.dockerignore")
        if ignore.is_file():
            shutil.copyfile(ignore, place / ignore.name)
        found[name] = str(place / original.name)
    rest = {name: text for name, text in additions.inlines.items() if name not in found}
    return replace(additions, dockerfiles=found, inlines=rest)


def _unreachable(session: Session, definition: Definition) -> frozenset[str]:
    """The frontends (``# syntax=``) of ``definition`` that no registry in reach has."""
    named = {_frontend(target) for target in definition.targets.values()} - {None}
    wanted = [BaseNeed(name) for name in sorted(filter(None, named))]
    states = bases.base_states(session.engine, wanted) if wanted else ()
    return frozenset(state.reference for state in states if state.status == "out of reach")


def _inlined(definition: Definition, unreachable: frozenset[str]) -> Iterator[tuple[str, str]]:
    for name, target in definition.targets.items():
        if _frontend(target) in unreachable:
            yield name, dockerfile.without_syntax(text_of(target) or "")


def text_of(target: Target) -> str | None:
    """The text of a target's Dockerfile; None where it is not on this machine."""
    if target.inline is not None:
        return target.inline
    if target.dockerfile is None or not target.dockerfile.is_file():
        return None
    return target.dockerfile.read_text(encoding="utf-8", errors="replace")


def bases_of(target: Target) -> tuple[str, ...]:
    """The names of the base images that a target builds on; a frontend is none."""
    names = {use.reference for use in _uses(target)} - {_frontend(target)}
    return tuple(sorted(name for name in names if name))


def images_of(target: Target) -> tuple[str, ...]:
    """The same, with the frontend: all images that a build of it takes from elsewhere."""
    return tuple(sorted({use.reference for use in _uses(target)}))


def _frontend(target: Target) -> str | None:
    return dockerfile.directives(text_of(target) or "").get("syntax")


def _uses(target: Target) -> tuple[stages.BaseUse, ...]:
    if target.inline is not None:
        origin = f"the Dockerfile of {target.name} in the bake file"
        uses = stages.text_references(target.inline, target.args, target.stage, origin)
    elif target.dockerfile is not None:
        uses = stages.base_references(target.dockerfile, target.args, target.stage)
    else:
        return ()
    return tuple(found for use in uses if (found := _outside(use, target)))


def _outside(use: stages.BaseUse, target: Target) -> stages.BaseUse | None:
    """The image that ``use`` is of; None where a context takes its place that is no image."""
    at = target.contexts.get(use.reference)
    if at is None:
        return use
    if not at.startswith(overlay.IMAGE):
        return None
    return replace(use, reference=at.removeprefix(overlay.IMAGE))


def _unnameable(definition: Definition, needed: Sequence[BaseNeed]) -> frozenset[str]:
    """The bases that BuildKit would mix up with a stage: `FROM node AS node`."""
    named = {
        stage.name
        for target in definition.targets.values()
        for stage in stages.read(text_of(target) or "", target.args)
    }
    names = {need.reference: references.parse(need.reference).context_names for need in needed}
    return frozenset(reference for reference, every in names.items() if named & set(every))
