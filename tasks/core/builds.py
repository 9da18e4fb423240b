"""Build targets with bake: bases first, then one call, then what BuildKit's history says of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from tasks.core import (
    builders,
    buildx,
    caching,
    daemon,
    definitions,
    exporting,
    failing,
    history,
    needs,
    overlay,
    preflight,
    process,
    runnable,
    splitting,
)
from tasks.core.builders import Builder
from tasks.core.definitions import Definition
from tasks.core.exporting import Exported, PlatformImage
from tasks.core.history import Step, Trace
from tasks.core.overlay import Additions
from tasks.core.recording import Made, Recording
from tasks.core.records import ImageRecord
from tasks.core.scanning import gate, warning
from tasks.core.session import Session
from tasks.core.splitting import Plan


@dataclass(frozen=True)
class Wish:
    """How to build: targets narrowed to ``patterns``, without cache, pushed by buildx itself.

    ``archived``: the images travel to the engine as OCI archives, see ``exporting``; such images
    are pushed later, when they are proven. ``platforms`` are for targets that name none.
    """

    patterns: Sequence[str] = ()
    no_cache: bool = False
    push: bool = False
    archived: bool = False
    platforms: tuple[str, ...] = ()
    #: A folder to leave the archives in, instead of taking them into the engine.
    keep: Path | None = None


@dataclass(frozen=True)
class Built:
    """One target as it was built. ``digest`` is the one of its image index or manifest.

    ``images`` has one entry a platform for what came as an archive.
    """

    target: str
    tags: tuple[str, ...]
    digest: str
    seconds: float
    steps: tuple[Step, ...]
    images: tuple[PlatformImage, ...] = ()
    #: Where it lies, if it was to be kept.
    archive: Path | None = None
    #: The platforms that the bake file names.
    platforms: tuple[str, ...] = ()

    @property
    def cached(self) -> int:
        """How many of the steps were not run."""
        return sum(step.cached for step in self.steps)


@dataclass(frozen=True)
class Build:
    """One bake call: what it made and how long the whole took, in seconds."""

    targets: tuple[Built, ...]
    seconds: float

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step once: targets share stages; what one ran is no hit for the other."""
        return history.unique(built.steps for built in self.targets)


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
    with _folder(wish) as folder:
        additions = needs.written(definition, additions, folder)
        additions = replace(additions, policies=gate.written(given.policies, folder))
        plan = splitting.plan(
            definition, wanted, additions, folder, archived=wish.archived, nodes=nodes
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
                *((str(folder),) if wish.archived else ()),
            ),
            no_cache=wish.no_cache,
            to=None if wish.archived else "push" if wish.push else "load",
        )
        if session.dry:
            process.note("(standard input would hold labels, secrets' paths, proxies, contexts)")
            process.would_run(argv)
            return None
        caching.make_folders(overlay.writable(plan.overlay))
        made = _run(session, definition, argv, plan, folder / "metadata.json", wish)
        return replace(made, targets=tuple(one for one in made.targets if one.target in narrowed))


@contextmanager
def _folder(wish: Wish) -> Iterator[Path]:
    """Where archives go: the folder they are wanted in, or one that is gone afterwards."""
    if wish.keep is not None:
        yield wish.keep
        return
    with tempfile.TemporaryDirectory(prefix="slipway-") as name:
        yield Path(name)


def _builder(session: Session) -> Builder | None:
    """The builder that was set, if it is not an engine itself that builds."""
    name = session.settings["BUILDER"]
    found = builders.inspect(session.engine, name) if name and not session.dry else None
    return None if found is None or found.loads_images else found


def _suited(session: Session, definition: Definition, wish: Wish, builder: Builder | None) -> Wish:
    """``wish`` as ``builder`` can do it: the platforms of several nodes come as archives only.

    What names no platform is for the engine that it goes to, whatever the nodes are by themselves.
    """
    if builder is None:
        return wish
    platforms = wish.platforms or (session.engine.native_platform,)
    several = any(len(one.platforms or platforms) > 1 for one in definition.targets.values())
    archived = wish.archived or (several and len(builder.nodes) > 1 and not wish.push)
    return replace(wish, platforms=platforms, archived=archived)


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

    None for archives that are only looked at: their builds must not touch what others use.
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


def _run(
    session: Session,
    definition: Definition,
    argv: Sequence[str],
    plan: Plan,
    metadata: Path,
    wish: Wish,
) -> Build:
    started, since = monotonic(), datetime.now(UTC)
    recording = Recording(session, definition, plan, no_cache=wish.no_cache)
    code = process.stream(
        argv,
        env={**session.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        cwd=session.root,
        stdin=overlay.serialise(plan.overlay),
    )
    if code != 0:
        builder = session.settings["BUILDER"]
        platforms = _platforms(definition, wish)
        why = failing.explain(session, definition, since, builder, platforms)
        recording.failed(why.failure, str(why.error))
        raise why.error
    told = json.loads(metadata.read_text())
    exported = dict(_taken_in(session, definition, plan, wish))
    took = monotonic() - started
    traces = history.traces(session.engine, _refs(told))
    made = tuple(_results(definition, plan, told, exported, traces))
    recording.done({one.target: _made(one) for one in made}, traces)
    return Build(made, took)


def _refs(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The builds that bake tells of, by bake target."""
    return {
        name: entry["buildx.build.ref"]
        for name, entry in metadata.items()
        if isinstance(entry, dict) and "buildx.build.ref" in entry
    }


def _made(built: Built) -> Made:
    images = (
        ImageRecord(each.platform, each.digest, each.compressed_bytes) for each in built.images
    )
    return Made(built.digest, built.seconds, tuple(images))


def _taken_in(
    session: Session, definition: Definition, plan: Plan, wish: Wish
) -> Iterator[tuple[str, Exported]]:
    """Take the archives into the engine; nothing to do for images that are in it already."""
    if not plan.archives:
        return
    with closing(daemon.connect(session.engine)) as client:
        for target, archives in plan.archives.items():
            tags = definition.targets[target].tags
            exported = exporting.collect(target, archives)
            if wish.keep is None:
                process.note(f"taking {target} into the engine …")
                exporting.load(client, exported, tags)
            yield target, exported


def _results(
    definition: Definition,
    plan: Plan,
    metadata: Mapping[str, Any],
    exported: Mapping[str, Exported],
    traces: Mapping[str, Trace],
) -> Iterator[Built]:
    for target in sorted(definition.targets):
        parts = [name for name in plan.parts(target) if name in traces]
        if not parts:
            continue
        arrived = exported.get(target)
        yield Built(
            target=target,
            tags=definition.targets[target].tags,
            digest=arrived.digest
            if arrived
            else str(metadata[target].get("containerimage.digest", "")),
            seconds=max(traces[name].seconds for name in parts),
            steps=history.unique(
                history.made_for(plan.platforms.get(name), traces[name].steps) for name in parts
            ),
            images=arrived.images if arrived else (),
            archive=arrived.archive if arrived else None,
            platforms=definition.targets[target].platforms,
        )
