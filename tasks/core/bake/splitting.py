"""What one bake call is to build, and into which layouts: whole targets, or one a platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.core import source
from tasks.core.bake import exporting, overlay
from tasks.core.bake.caching import Cache
from tasks.core.bake.definitions import Definition
from tasks.core.bake.overlay import Additions


@dataclass(frozen=True)
class Plan:
    """The targets to name to bake, the overlay, and by target the layouts that will be there.

    ``platforms`` has the platform of each bake target that is built for one alone.
    """

    names: tuple[str, ...]
    overlay: Mapping[str, Any]
    layouts: Mapping[str, tuple[Path, ...]]
    split: Mapping[str, tuple[str, ...]]
    platforms: Mapping[str, str] = field(default_factory=dict)

    def parts(self, target: str) -> tuple[str, ...]:
        """The bake targets that ``target`` was built as."""
        return self.split.get(target, (target,))


def plan(
    definition: Definition,
    wanted: Sequence[str],
    additions: Additions,
    folder: Path,
    *,
    as_layouts: bool,
    exporter: str = "docker",
    nodes: int = 1,
) -> Plan:
    """Lay out the call for the targets ``wanted``: into layouts in ``folder``, or to ``exporter``.

    With several ``nodes`` buildx merges the platforms of an image in a registry only, under its
    tags, before anybody has proven it. So each platform becomes a target of its own, which buildx
    gives to the node that does it, and the layouts are joined later. ``additions`` may have a cache
    for each of those under its own name, see ``part``.
    """
    platforms = {
        name: definition.targets[name].platforms or additions.platforms.get(name, ())
        for name in wanted
    }
    alone = {name: listed[0] for name, listed in platforms.items() if len(listed) == 1}
    epochs = {name: _epoch(definition, name, additions) for name in wanted}
    if not as_layouts:
        outputs = {
            name: exporting.dated(_outputs(definition, name), exporter, epochs[name])
            for name in wanted
        }
        composed = overlay.compose(definition.targets, replace(additions, outputs=outputs))
        return Plan(tuple(wanted), composed, {}, {}, alone)
    parts = {
        name: {part(name, each): each for each in listed}
        for name, listed in platforms.items()
        if nodes > 1 and len(listed) > 1
    }
    layouts = {name: tuple(folder / each for each in parts.get(name, (name,))) for name in wanted}
    whole = {
        name: [exporting.output(layouts[name][0], epochs[name])]
        for name in wanted
        if name not in parts
    }
    composed = overlay.compose(definition.targets, replace(additions, outputs=whole))
    derived = {
        each: entry
        for name in parts
        for each, entry in _derived(
            name, parts[name], layouts[name], epochs[name], additions.caches
        )
    }
    return Plan(
        names=tuple(each for name in wanted for each in parts.get(name, (name,))),
        overlay={"target": {**composed["target"], **derived}},
        layouts=layouts,
        split={name: tuple(each) for name, each in parts.items()},
        platforms={**alone, **{k: v for each in parts.values() for k, v in each.items()}},
    )


def part(target: str, platform: str) -> str:
    """What the target is called that builds ``target`` for ``platform`` alone."""
    return f"{target}--{platform.replace('/', '-')}"


def _outputs(definition: Definition, name: str) -> Sequence[Any]:
    """The outputs that the bake file names for a target."""
    return definition.raw.get("target", {}).get(name, {}).get("output") or ()


def _epoch(definition: Definition, name: str, additions: Additions) -> int:
    """The date of a target's image, in seconds since 1970: its own argument goes first."""
    own = str(definition.targets[name].args.get(source.EPOCH, ""))
    return int(own) if own.isdecimal() else additions.epoch


def _derived(
    target: str,
    parts: Mapping[str, str],
    layouts: Sequence[Path],
    epoch: int,
    caches: Mapping[str, Cache],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The bake targets that build ``target``, one a platform.

    Two that write to one cache overwrite each other: what names a cache of its own keeps it for
    its first platform alone.
    """
    for at, ((name, platform), layout) in enumerate(zip(parts.items(), layouts, strict=True)):
        entry: dict[str, Any] = {
            "inherits": [target],
            "platforms": [platform],
            "output": [exporting.output(layout, epoch)],
        }
        cache = caches.get(name, Cache())
        if cache.sources:
            entry["cache-from"] = list(cache.sources)
        if cache.destinations or at:
            entry["cache-to"] = list(cache.destinations)
        yield name, entry
