"""Build targets with bake: what is needed first, then one call for all of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.core import process, source
from tasks.core.bake import (
    baking,
    buildx,
    caching,
    definitions,
    layouts,
    needs,
    overlay,
    preflight,
    runnable,
    splitting,
)
from tasks.core.bake.baking import Build
from tasks.core.bake.definitions import Definition, Target
from tasks.core.bake.overlay import Additions
from tasks.core.journal import ignoring
from tasks.core.machines import builders
from tasks.core.machines.builders import Builder
from tasks.core.scanning import gate, warning
from tasks.core.session import Session


@dataclass(frozen=True)
class Wish:
    """How to build: targets narrowed to ``patterns``, without cache, pushed by buildx itself.

    ``as_layouts``: the images travel to the engine as OCI layouts, see ``exporting``; such images
    are pushed later, when they are proven. ``platforms`` are for targets that name none.
    """

    patterns: Sequence[str] = ()
    no_cache: bool = False
    push: bool = False
    as_layouts: bool = False
    platforms: tuple[str, ...] = ()
    #: A folder to leave the layouts in, instead of taking them into the engine.
    keep: Path | None = None


def build(session: Session, names: Sequence[str], wish: Wish = Wish()) -> Build | None:
    """Build ``names`` (targets or groups) of the bake file as ``wish`` says.

    Returns None when invoke runs dry: then the command is printed and nothing is changed. Raises
    UsageError for a definition that cannot be meant, OutOfReach for bases, a builder or an engine
    that cannot be had, BuildFailed with the name of the step that broke.
    """
    asked = tuple(found for name in names for found in members(session, name))
    whole = preflight.resolved(session, asked)
    narrowed = whole.narrowed(wish.patterns).targets
    wanted = sorted(set(whole.asked(asked)) & set(narrowed))
    # With what they take a context from: that is built too, and given the same.
    definition = whole.whole(narrowed)
    needed, available = runnable.for_build(session, definition.targets.values(), wish.platforms)
    preflight.check(session, definition, push=wish.push, needed=needed, available=available)
    if not session.dry:
        warning.warn(session, definition)
    builder = _builder(session)
    wish = _suited(session, definition, wish, builder)
    nodes = _checked(definition, wish, builder)
    given = gate.given(session, definition.targets.values())
    additions = _additions(session, definition, wish, given.contexts)
    with _folder() as folder, _layouts(session, definition, wish, folder) as place:
        additions = needs.written(definition, additions, folder)
        additions = replace(additions, policies=gate.written(given.policies, folder))
        plan = splitting.plan(
            definition,
            wanted,
            additions,
            place,
            as_layouts=wish.as_layouts,
            exporter="image" if wish.push else "docker",
            nodes=nodes,
        )
        argv = buildx.bake(
            session.engine.docker,
            definitions.bake_files(session.root, session.files),
            plan.names,
            metadata_file=folder / "metadata.json",
            readable=(
                *overlay.readable(definition.targets, plan.overlay),
                *additions.dockerfiles.values(),
            ),
            writable=(
                *overlay.writable(plan.overlay),
                *((str(place),) if wish.as_layouts else ()),
            ),
            no_cache=wish.no_cache,
            to=None if wish.as_layouts else "push" if wish.push else "load",
        )
        if session.dry:
            process.note("(standard input would hold labels, secrets, proxies, contexts, outputs)")
            process.would_run(argv)
            return None
        caching.make_folders(overlay.writable(plan.overlay))
        made = baking.run(
            session,
            definition,
            argv,
            plan,
            folder / "metadata.json",
            platforms=_platforms(definition, wish),
            no_cache=wish.no_cache,
            kept=wish.keep is not None,
        )
        return replace(made, targets=tuple(one for one in made.targets if one.target in narrowed))


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for what bake reads and tells, that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="slipway-") as name:
        yield Path(name)


@contextmanager
def _layouts(session: Session, definition: Definition, wish: Wish, folder: Path) -> Iterator[Path]:
    """Where layouts go: the folder they are wanted in, or one that stays for the next build."""
    if wish.keep is not None or session.dry or not wish.as_layouts:
        yield wish.keep or folder
        return
    sent = sorted(one.name for one in definition.targets.values() if _sends(session.root, one))
    if sent:
        process.note(
            f"layers are not kept for the next build: the context of {sent[0]} would take "
            "them along; put .slipway into its .dockerignore"
        )
        yield folder
        return
    with layouts.kept(session.root, folder) as place:
        yield place


def _sends(root: Path, target: Target) -> bool:
    """Whether what is kept lies in the context of ``target``, and is not ignored there."""
    place = (root / layouts.FOLDER).resolve()
    if target.context is None or not place.is_relative_to(target.context.resolve()):
        return False
    ignored = ignoring.ignore_file(target.context, target.dockerfile)
    if ignored is None:
        return True
    patterns = ignoring.parse(ignored.read_text(encoding="utf-8", errors="replace"))
    path = place.relative_to(target.context.resolve()).as_posix()
    return not patterns.match(path) or patterns.may_spare_below(path)


def _builder(session: Session) -> Builder | None:
    """The builder that was set, if it is not an engine itself that builds."""
    name = session.settings["BUILDER"]
    found = builders.inspect(session.engine, name) if name and not session.dry else None
    return None if found is None or found.loads_images else found


def _suited(session: Session, definition: Definition, wish: Wish, builder: Builder | None) -> Wish:
    """``wish`` as ``builder`` can do it: the platforms of several nodes come as layouts only.

    What names no platform is for the engine that it goes to, whatever the nodes are by themselves.
    """
    if builder is None:
        return wish
    platforms = wish.platforms or (session.engine.native_platform,)
    several = any(len(one.platforms or platforms) > 1 for one in definition.targets.values())
    as_layouts = wish.as_layouts or (several and len(builder.nodes) > 1 and not wish.push)
    return replace(wish, platforms=platforms, as_layouts=as_layouts)


def _checked(definition: Definition, wish: Wish, builder: Builder | None) -> int:
    """How many nodes will build. Raises OutOfReach when one that is needed is down."""
    if builder is None:
        return 1
    builders.require(builder, _platforms(definition, wish), cross=True)
    return len(builder.nodes)


def _platforms(definition: Definition, wish: Wish) -> list[str]:
    return sorted(
        {p for one in definition.targets.values() for p in one.platforms or wish.platforms}
    )


def _caches(session: Session, definition: Definition, wish: Wish) -> dict[str, caching.Cache]:
    """The cache of each target, and of each platform of it that may be built apart.

    None for layouts that are only looked at: their builds must not touch what others use.
    """
    if wish.keep is not None:
        return {}
    return {
        place: caching.of(session.settings, place, target.tags)
        for name, target in definition.targets.items()
        for place in (
            name,
            *(splitting.part(name, each) for each in target.platforms or wish.platforms),
        )
    }


def _additions(
    session: Session, definition: Definition, wish: Wish, contexts: Mapping[str, str]
) -> Additions:
    """What is laid over the bake file, from the settings and from what this machine has."""
    settings = session.settings
    caches = _caches(session, definition, wish)  # before minutes go into making bases
    provided = needs.Provided() if session.dry else needs.provide(session, definition)
    return Additions(
        project=settings.project,
        ca_bundle=settings["CA_BUNDLE"],
        npmrc=settings["NPMRC"],
        contexts={**provided.contexts, **contexts},
        inlines=provided.inlines,
        syntaxes=provided.syntaxes,
        environ=os.environ,
        caches=caches,
        platforms=dict.fromkeys(definition.targets, wish.platforms),
        attestations=overlay.attestations(settings["PROVENANCE"], settings["SBOM"]),
        epoch=source.epoch_of(settings["BUILD_DATE"]),
    )


def members(session: Session, name: str) -> tuple[str, ...]:
    """What ``name`` stands for: a target or a group, or else every target of that variant.

    So `build.multistage` needs no group of that name in a bake file, if there is a
    ``Dockerfile.multistage``. A name that is nothing of the kind is returned as it is.
    """
    if name not in definitions.VARIANTS:
        return (name,)
    known = session.everything()
    if name in known.groups or name in known.targets:
        return (name,)
    of_variant = tuple(one.name for one in known.targets.values() if one.variant == name)
    return of_variant or (name,)
