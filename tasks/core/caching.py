"""Where build caches are kept besides the builder's own: the setting CACHE as buildx options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.core.errors import UsageError

Options = dict[str, str]


@dataclass(frozen=True)
class Cache:
    """The cache of one target: where it is read from, and where it is written to."""

    sources: tuple[Options, ...] = ()
    destinations: tuple[Options, ...] = ()


def of(settings: Mapping[str, str], target: str, tags: tuple[str, ...]) -> Cache:
    """The cache of ``target`` by the settings CACHE, CACHE_REF, CACHE_DIR and REGISTRY.

    Each target has a place of its own: two that write to one overwrite each other, and buildx says
    nothing. ``mode=max`` keeps the steps of every stage, not of the last one alone.
    """
    kind = settings["CACHE"]
    if kind == "registry":
        ref = f"{_repository(settings)}:{target}"
        where = {"type": "registry", "ref": ref}
        return Cache((where,), ({**where, "mode": "max", "image-manifest": "true"},))
    if kind == "local":
        folder = f"{settings['CACHE_DIR']}/{target}"
        return Cache(
            ({"type": "local", "src": folder},), ({"type": "local", "dest": folder, "mode": "max"},)
        )
    if kind == "gha":
        where = {"type": "gha", "scope": target}
        return Cache((where,), ({**where, "mode": "max"},))
    if kind == "inline":
        sources = tuple({"type": "registry", "ref": tag} for tag in tags[:1])
        return Cache(sources, ({"type": "inline"},))
    return Cache()


def _repository(settings: Mapping[str, str]) -> str:
    if settings["CACHE_REF"]:
        return settings["CACHE_REF"]
    if not settings["REGISTRY"]:
        raise UsageError("CACHE=registry needs a place: set REGISTRY, or CACHE_REF")
    return f"{settings['REGISTRY']}/build-cache"
