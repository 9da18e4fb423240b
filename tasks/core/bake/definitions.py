"""The targets of a bake file, learnt from ``docker buildx bake --print`` and from nowhere else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tasks.core import process
from tasks.core.bake import buildx
from tasks.core.errors import UsageError

BAKE_FILES = ("docker-bake.hcl", "docker-bake.json")
BASELINE = "baseline"
DEFAULT = "default"
#: Groups that tasks are named after; a Dockerfile suffix of that name does as well.
VARIANTS = (BASELINE, "multistage", "multiarch", "optimized")
PRODUCTION = "production"
#: Stages that ship: what runs in production is called by either name.
SHIPPED = (PRODUCTION, "runtime", None)
TESTING = "testing"
#: How a context says that it is what another target makes.
TARGET = "target:"
REMOTE = ("git@", "github.com/", "gitlab.com/")


@dataclass(frozen=True)
class Target:
    """One bake target, resolved. ``context`` is None where it is not a folder of this machine."""

    name: str
    service: str
    variant: str
    stage: str | None
    context: Path | None
    dockerfile: Path | None
    #: The text of a Dockerfile that stands in the bake file.
    inline: str | None
    args: Mapping[str, str]
    labels: Mapping[str, str]
    tags: tuple[str, ...]
    platforms: tuple[str, ...]
    secrets: tuple[Mapping[str, str], ...]
    contexts: Mapping[str, str]

    @property
    def released(self) -> bool:
        """Whether this is an image that ships, by its stage, or as a whole Dockerfile."""
        return self.stage in SHIPPED and self.variant != BASELINE


@dataclass(frozen=True)
class Definition:
    """What a bake call would build: its targets by name, its groups, and buildx's own JSON."""

    targets: Mapping[str, Target]
    groups: Mapping[str, tuple[str, ...]]
    raw: Mapping[str, Any]

    def asked(self, names: Sequence[str]) -> tuple[str, ...]:
        """The targets that ``names`` (targets or groups) stand for.

        ``targets`` also holds those that these take a context from; nobody asked for them.
        """
        found: dict[str, None] = {}
        for name in names:
            members = self.groups.get(name)
            whole = (name,) if members is None or name in self.targets else self.asked(members)
            found |= dict.fromkeys(one for one in whole if one in self.targets)
        return tuple(found)

    def whole(self, names: Iterable[str]) -> Definition:
        """Only ``names``, and the targets that these take a context from."""
        kept = dict.fromkeys(name for name in names if name in self.targets)
        waiting = list(kept)
        while waiting:
            for at in self.targets[waiting.pop()].contexts.values():
                other = at.removeprefix(TARGET)
                if at.startswith(TARGET) and other in self.targets and other not in kept:
                    kept[other] = None
                    waiting.append(other)
        found = {name: target for name, target in self.targets.items() if name in kept}
        return Definition(found, self.groups, self.raw)

    def narrowed(self, patterns: Sequence[str]) -> Definition:
        """Only the targets that match one of ``patterns``; all of them without patterns.

        Raises UsageError for a pattern that matches nothing: a typing error must not pass as
        "nothing to do".
        """
        if not patterns:
            return self
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in self.targets):
                known = ", ".join(sorted(self.targets))
                raise UsageError(f"--target {pattern!r} matches no target; there are: {known}")
        kept = {
            name: target
            for name, target in self.targets.items()
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        }
        return Definition(kept, self.groups, self.raw)


def bake_files(root: Path, given: Sequence[str] = ()) -> tuple[str, ...]:
    """The bake files to read, relative to ``root``.

    They are always named to buildx, which otherwise merges compose files that lie beside them.
    """
    for name in given:
        if not (root / name).is_file():
            raise UsageError(f"--file {name}: no such file")
    if given:
        return tuple(given)
    found = tuple(name for name in BAKE_FILES if (root / name).is_file())
    if not found:
        raise UsageError(
            f"no bake file in {root.name}/: make {BAKE_FILES[0]}, or name one by --file"
        )
    return found[:1]


def has_bake_file(root: Path, given: Sequence[str] = ()) -> bool:
    """Whether there is anything to read targets from."""
    return bool(given) or any((root / name).is_file() for name in BAKE_FILES)


def everything(
    docker: str, root: Path, files: Sequence[str], environment: Mapping[str, str]
) -> Definition:
    """Every target and group of the bake files, resolved."""
    listed = process.read(
        buildx.list_targets(docker, files),
        env=environment,
        cwd=root,
        check=False,
    )
    if listed.returncode != 0:
        raise UsageError(_bake_error(listed, files))
    entries = json.loads(listed.stdout)
    names = [entry["name"] for entry in entries if not entry.get("group")]
    groups = [entry["name"] for entry in entries if entry.get("group")]
    if not names:
        raise UsageError(f"{files[0]} defines no target")
    # bake answers with a group "default" of what it was asked for: the real one is asked apart.
    asked = ([*names, *(group for group in groups if group != DEFAULT)], [DEFAULT])
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(load, docker, root, files, environment, each)
            for each in asked[: 2 if DEFAULT in groups else 1]
        ]
        whole = jobs[0].result()
        known = {name: members for name, members in whole.groups.items() if name != DEFAULT}
        if DEFAULT in groups:
            known[DEFAULT] = jobs[1].result().groups[DEFAULT]
    return Definition(whole.targets, known, whole.raw)


def load(
    docker: str,
    root: Path,
    files: Sequence[str],
    environment: Mapping[str, str],
    names: Sequence[str],
) -> Definition:
    """The targets that bake would build for ``names`` (targets or groups).

    ``docker`` is the docker program, ``environment`` what it gets on top of this process's own.
    Raises UsageError with bake's own complaint for a name or a file that it does not accept.
    """
    done = process.read(
        buildx.print_definition(docker, files, names),
        env=environment,
        cwd=root,
        check=False,
    )
    if done.returncode != 0:
        raise UsageError(_bake_error(done, files))
    return parse(root, json.loads(done.stdout))


def parse(root: Path, document: Mapping[str, Any]) -> Definition:
    """A definition from the JSON of ``bake --print``."""
    targets = {
        name: _target(root, name, entry) for name, entry in document.get("target", {}).items()
    }
    groups = {
        name: tuple(entry.get("targets", ())) for name, entry in document.get("group", {}).items()
    }
    return Definition(targets, groups, document)


def _target(root: Path, name: str, entry: Mapping[str, Any]) -> Target:
    context = folder(root, entry.get("context", "."))
    dockerfile = entry.get("dockerfile", "Dockerfile")
    inside = "dockerfile-inline" not in entry and context is not None
    return Target(
        name=name,
        service=_service(root, name, entry, context),
        variant=_variant(dockerfile),
        stage=entry.get("target") or None,
        context=context,
        dockerfile=context / dockerfile if inside and context else None,
        inline=entry.get("dockerfile-inline"),
        args=dict(entry.get("args", {})),
        labels=dict(entry.get("labels", {})),
        tags=tuple(entry.get("tags", ())),
        platforms=tuple(entry.get("platforms", ())),
        secrets=tuple(entry.get("secret", ())),
        contexts=dict(entry.get("contexts", {})),
    )


def _service(root: Path, name: str, entry: Mapping[str, Any], context: Path | None) -> str:
    """The context's folder below ``root``; for the root itself the name without its suffixes."""
    if context is not None and context != root:
        return Path(os.path.relpath(context, root)).as_posix()
    variant = _variant(entry.get("dockerfile", "Dockerfile"))
    for suffix in (entry.get("target"), variant, BASELINE):
        name = name.removesuffix(f"-{suffix}")
    return name


def folder(root: Path, context: str) -> Path | None:
    """A context as a folder of this machine; None for a URL or another target."""
    if "://" in context or context.startswith(REMOTE):
        return None
    return (root / context).resolve() if context != "." else root


def _variant(dockerfile: str) -> str:
    """``Dockerfile.optimized`` and ``optimized.Dockerfile`` -> ``optimized``."""
    name = Path(dockerfile).name
    if name.startswith("Dockerfile."):
        return name.removeprefix("Dockerfile.")
    return name.removesuffix(".Dockerfile") if name.endswith(".Dockerfile") else "default"


def _bake_error(done: process.Completed, files: Sequence[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    reason = lines[-1].removeprefix("ERROR: ") if lines else done.reason()
    if reason.startswith("failed to find target"):
        return f"{files[0]}: {reason}; `inv build.print` shows what there is"
    return reason if reason.startswith(str(files[0])) else f"{files[0]}: {reason}"
