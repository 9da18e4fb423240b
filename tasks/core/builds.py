"""Build targets with bake: bases first, then one call, then what BuildKit's history says of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from tasks.core import buildx, definitions, history, needs, overlay, process
from tasks.core.definitions import Definition
from tasks.core.errors import BuildFailed, OutOfReach, UsageError
from tasks.core.history import Step
from tasks.core.session import Session


@dataclass(frozen=True)
class Built:
    """One target as it was built. ``digest`` is the one of its image index or manifest."""

    target: str
    tags: tuple[str, ...]
    digest: str
    seconds: float
    steps: tuple[Step, ...]

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
        unique: dict[str, Step] = {}
        for built in self.targets:
            for step in built.steps:
                known = unique.get(step.digest)
                if known is None or known.cached:
                    unique[step.digest] = step
        return tuple(unique.values())


def build(
    session: Session,
    names: Sequence[str],
    *,
    patterns: Sequence[str] = (),
    no_cache: bool = False,
    push: bool = False,
) -> Build | None:
    """Build ``names`` (targets or groups) of the bake file, narrowed to ``patterns``.

    Returns None when invoke runs dry: then the command is printed and nothing is changed. Raises
    UsageError for a definition that cannot be meant, OutOfReach for bases or an engine that cannot
    be had, BuildFailed with the name of the step that broke.
    """
    asked = tuple(found for name in names for found in members(session, name))
    whole = session.definition(asked)
    definition = whole.narrowed(patterns)
    wanted = sorted(set(whole.asked(asked)) & set(definition.targets))
    if push:
        _check_push(session, definition)
    contexts = {} if session.dry else needs.provide(session, definition)
    extra = overlay.compose(
        definition.targets,
        project=session.settings.project,
        ca_bundle=session.settings["CA_BUNDLE"],
        contexts=contexts,
        environ=os.environ,
    )
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        metadata = Path(folder) / "metadata.json"
        argv = buildx.bake(
            session.engine.docker,
            definitions.bake_files(session.root, session.files),
            wanted,
            metadata_file=metadata,
            readable=overlay.readable(definition.targets, extra),
            no_cache=no_cache,
            push=push,
        )
        if session.dry:
            process.note("(standard input would hold labels, secrets' paths, proxies, contexts)")
            process.would_run(argv)
            return None
        return _run(session, definition, argv, overlay.serialise(extra), metadata)


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
    session: Session, definition: Definition, argv: Sequence[str], extra: str, metadata: Path
) -> Build:
    started, since = monotonic(), datetime.now(UTC)
    code = process.stream(
        argv,
        env={**session.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        cwd=session.root,
        stdin=extra,
    )
    took = monotonic() - started
    if code != 0:
        raise _failed(session, definition, since)
    return Build(_results(session, definition, json.loads(metadata.read_text())), took)


def _results(
    session: Session, definition: Definition, metadata: Mapping[str, Any]
) -> tuple[Built, ...]:
    refs = {
        name: entry["buildx.build.ref"]
        for name, entry in metadata.items()
        if isinstance(entry, dict) and "buildx.build.ref" in entry
    }
    traces = history.traces(session.engine, refs)
    return tuple(
        Built(
            target=name,
            tags=definition.targets[name].tags,
            digest=str(metadata[name].get("containerimage.digest", "")),
            seconds=traces[name].seconds,
            steps=traces[name].steps,
        )
        for name in sorted(refs)
        if name in definition.targets
    )


def _failed(session: Session, definition: Definition, since: datetime) -> BuildFailed | OutOfReach:
    """What broke, in one line: BuildKit's history knows the step even where output scrolled by."""
    alive = process.read(
        (session.engine.docker, "version", "--format", "{{.Server.Version}}"),
        env=session.engine.environment,
        check=False,
        timeout=20,
    )
    if alive.returncode != 0:
        return OutOfReach(
            f"the engine at {session.engine.host} went away during the build: {alive.reason()}; "
            "see: inv engine.status"
        )
    dockerfiles = {"Dockerfile"}  # what BuildKit calls one that is inline
    for name in definition.targets:
        stated = str(definition.raw["target"][name].get("dockerfile", "Dockerfile"))
        dockerfiles |= {stated, Path(stated).name}
    found = history.failure(session.engine, since, session.root, dockerfiles)
    if found is None:
        return BuildFailed("the build failed: buildx says above why")
    said = f" ({found.log[-1].strip()})" if found.log else ""
    place = f" at {found.step}" if found.step else ""
    line = process.plain(f"the build failed{place}: {found.reason}{said}")
    return BuildFailed(" ".join(line.split()))


def _check_push(session: Session, definition: Definition) -> None:
    registry = session.settings["REGISTRY"]
    if not registry:
        raise UsageError("--push needs a registry: set REGISTRY in .env or by --set REGISTRY=…")
    for target in definition.targets.values():
        for tag in target.tags:
            if not tag.startswith(f"{registry}/"):
                raise UsageError(f"{target.name}: tag {tag} is not in REGISTRY {registry}")
