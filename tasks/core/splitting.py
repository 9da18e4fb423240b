"""What one bake call is to build, and into which archives: whole targets, or one a platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.core import exporting, overlay
from tasks.core.definitions import Definition
from tasks.core.overlay import Additions


@dataclass(frozen=True)
class Plan:
    """The targets to name to bake, the overlay, and by target the archives that will be there."""

    names: tuple[str, ...]
    overlay: Mapping[str, Any]
    archives: Mapping[str, tuple[Path, ...]]
    split: Mapping[str, tuple[str, ...]]

    def parts(self, target: str) -> tuple[str, ...]:
        """The bake targets that ``target`` was built as."""
        return self.split.get(target, (target,))


def plan(
    definition: Definition,
    wanted: Sequence[str],
    additions: Additions,
    folder: Path,
    *,
    archived: bool,
    nodes: int = 1,
) -> Plan:
    """Lay out the call for the targets ``wanted``; archives go into ``folder``.

    With several ``nodes`` buildx merges the platforms of an image in a registry only, under its
    tags, before anybody has proven it. So each platform becomes a target of its own, which buildx
    gives to the node that does it, and the archives are joined here.
    """
    if not archived:
        return Plan(tuple(wanted), overlay.compose(definition.targets, additions), {}, {})
    split: dict[str, tuple[str, ...]] = {}
    archives: dict[str, tuple[Path, ...]] = {}
    outputs: dict[str, Mapping[str, str]] = {}
    extra: dict[str, Any] = {}
    for name in wanted:
        platforms = definition.targets[name].platforms or additions.platforms.get(name, ())
        parts = {_part(name, each): each for each in platforms} if nodes > 1 else {}
        if len(parts) < 2:
            parts = {name: ""}
        else:
            split[name] = tuple(parts)
        archives[name] = tuple(folder / f"{part}.part.tar" for part in parts)
        for (part, platform), archive in zip(parts.items(), archives[name], strict=True):
            if platform:
                extra[part] = _derived(name, platform, archive)
            else:
                outputs[name] = exporting.output(archive)
    composed = overlay.compose(definition.targets, replace(additions, outputs=outputs))
    names = [part for name in wanted for part in split.get(name, (name,))]
    return Plan(tuple(names), {"target": {**composed["target"], **extra}}, archives, split)


def _part(target: str, platform: str) -> str:
    return f"{target}--{platform.replace('/', '-')}"


def _derived(target: str, platform: str, archive: Path) -> dict[str, Any]:
    return {
        "inherits": [target],
        "platforms": [platform],
        "output": [exporting.output(archive)],
    }
