"""One bake call as it is run, and what it made: images, and the steps that BuildKit remembers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from tasks.core import daemon, process
from tasks.core.bake import exporting, failing, layouts, loading, overlay
from tasks.core.bake.definitions import Definition
from tasks.core.bake.exporting import Exported, PlatformImage
from tasks.core.bake.failing import Explained
from tasks.core.bake.splitting import Plan
from tasks.core.errors import SlipwayError
from tasks.core.journal import history
from tasks.core.journal.history import Step, Trace
from tasks.core.journal.recording import Made, Recording
from tasks.core.journal.records import ImageRecord
from tasks.core.session import Session
from tasks.core.untrusted import Malformed


@dataclass(frozen=True)
class Built:
    """One target as it was built. ``digest`` is the one of its image index or manifest.

    ``images`` has one entry a platform for what came as a layout.
    """

    target: str
    tags: tuple[str, ...]
    digest: str
    seconds: float
    steps: tuple[Step, ...]
    images: tuple[PlatformImage, ...] = ()
    #: Where it lies, if it was to be kept.
    layout: Path | None = None
    #: The platforms that the bake file names.
    platforms: tuple[str, ...] = ()

    @property
    def cached(self) -> int:
        """How many of the steps were not run."""
        return sum(step.cached for step in self.steps)


@dataclass(frozen=True)
class Build:
    """One bake call: what it made and how long the whole took, in seconds.

    ``repeated``: the engine lost a layer on the way, and a part was done once more. Its seconds and
    what it found cached tell little then.
    """

    targets: tuple[Built, ...]
    seconds: float
    repeated: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step once: targets share stages; what one ran is no hit for the other."""
        return history.unique(built.steps for built in self.targets)


def run(
    session: Session,
    definition: Definition,
    argv: Sequence[str],
    plan: Plan,
    metadata: Path,
    *,
    platforms: Sequence[str],
    no_cache: bool,
    kept: bool,
) -> Build:
    """Run ``argv``, which builds ``plan`` and writes ``metadata``; a failure is recorded too.

    Layouts go into the engine unless they are ``kept``. ``platforms`` and ``no_cache`` are what
    was asked for. Raises BuildFailed or OutOfReach, with the step or the node that broke.
    """
    started = monotonic()
    asked = session, definition, argv, plan
    recording, why = _attempt(*asked, platforms=platforms, no_cache=no_cache)
    repeated = bool(why and why.failure and loading.is_race(why.failure.reason))
    if repeated:
        process.note(f"{loading.RACE}: building once more …")
        recording, why = _attempt(*asked, platforms=platforms, no_cache=no_cache)
    if why is not None:
        raise why.error
    told = json.loads(metadata.read_text())
    exported, reloaded = _taken_in(session, definition, plan, kept=kept)
    took = monotonic() - started
    traces = history.traces(session.engine, _refs(told), recording.started)
    made = tuple(_results(definition, plan, told, exported, traces))
    recording.done({one.target: _made(one) for one in made}, traces)
    return Build(made, took, repeated=repeated or reloaded)


def _attempt(
    session: Session,
    definition: Definition,
    argv: Sequence[str],
    plan: Plan,
    *,
    platforms: Sequence[str],
    no_cache: bool,
) -> tuple[Recording, Explained | None]:
    """Run bake once; its record, and why it failed, which is recorded. None: it did not."""
    recording = Recording(session, definition, plan, no_cache=no_cache)
    for layout in _layouts(plan):
        layouts.prepare(layout)
    code = process.stream(
        argv,
        env={**session.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        cwd=session.root,
        stdin=overlay.serialise(plan.overlay),
    )
    if code == 0:
        return recording, None
    builder = session.settings["BUILDER"]
    why = failing.explain(session, definition, recording.started, builder, platforms)
    recording.failed(why.failure, str(why.error))
    return recording, why


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


def _layouts(plan: Plan) -> Iterator[Path]:
    return (layout for parts in plan.layouts.values() for layout in parts)


def _taken_in(
    session: Session, definition: Definition, plan: Plan, *, kept: bool
) -> tuple[dict[str, Exported], bool]:
    """Take the layouts into the engine; nothing to do for images that are in it already.

    Returns them by target, and whether one had to be loaded again. A layout that is not taken is
    removed: something may be wrong with what was kept in it.
    """
    found: dict[str, Exported] = {}
    reloaded = False
    if not plan.layouts:
        return found, reloaded
    with closing(daemon.connect(session.engine)) as client:
        for target, parts in plan.layouts.items():
            with _removed_if_refused((*parts, parts[0].with_name(target))):
                found[target] = exporting.collect(target, parts)
                if not kept:
                    process.note(f"taking {target} into the engine …")
                    tags = definition.targets[target].tags
                    reloaded |= loading.load(client, found[target], tags)
            for layout in {*parts, found[target].layout}:
                _prune(layout)
    return found, reloaded


def _prune(layout: Path) -> None:
    """Leave the image alone in a layout; one that cannot be tidied is no reason to fail."""
    try:
        layouts.prune(layout)
    except (OSError, Malformed) as error:
        process.note(f"{layout.name} is not kept for the next build: {error}")
        shutil.rmtree(layout, ignore_errors=True)


@contextmanager
def _removed_if_refused(folders: Sequence[Path]) -> Iterator[None]:
    try:
        yield
    except SlipwayError:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        raise


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
            layout=arrived.layout if arrived else None,
            platforms=definition.targets[target].platforms,
        )
