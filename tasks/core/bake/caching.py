"""Where build caches are kept besides the builder's own: the setting CACHE as buildx options."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import UsageError

Options = dict[str, str]


@dataclass(frozen=True)
class Cache:
    """The cache of one target: where it is read from, and where it is written to."""

    sources: tuple[Options, ...] = ()
    destinations: tuple[Options, ...] = ()


def of(
    settings: Mapping[str, str],
    target: str,
    tags: tuple[str, ...],
    environ: Mapping[str, str] | None = None,
) -> Cache:
    """The cache of ``target`` by the settings CACHE, CACHE_REF, CACHE_DIR and REGISTRY.

    Each target has a place of its own: two that write to one overwrite each other, and buildx says
    nothing. ``mode=max`` keeps the steps of every stage, not of the last one alone. ``environ`` is
    where GitHub says how its cache is reached (None: this process's environment). Raises UsageError
    for a cache that there is no way to.
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
        _demand_github(os.environ if environ is None else environ)
        where = {"type": "gha", "scope": target}
        return Cache((where,), ({**where, "mode": "max"},))
    if kind == "inline":
        # Without a registry the tag would be looked for on Docker Hub, as somebody else's image.
        pushed = tags[:1] if settings["REGISTRY"] else ()
        sources = tuple({"type": "registry", "ref": tag} for tag in pushed)
        return Cache(sources, ({"type": "inline"},))
    return Cache()


def make_folders(folders: Iterable[str]) -> None:
    """Make the folders of local caches: bake gives leave to use only what is there.

    Raises UsageError for one that cannot be made.
    """
    for folder in folders:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"CACHE=local: the folder {folder} cannot be made: {error.strerror}; "
                "set another CACHE_DIR"
            ) from None


def _repository(settings: Mapping[str, str]) -> str:
    if settings["CACHE_REF"]:
        return settings["CACHE_REF"]
    if not settings["REGISTRY"]:
        raise UsageError("CACHE=registry needs a place: set REGISTRY, or CACHE_REF")
    return f"{settings['REGISTRY']}/build-cache"


def _demand_github(environ: Mapping[str, str]) -> None:
    """Raise UsageError unless GitHub's cache can be reached; buildx just builds without it."""
    token, urls = "ACTIONS_RUNTIME_TOKEN", ("ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL")
    missing = [] if environ.get(token) else [token]
    if not any(environ.get(name) for name in urls):
        missing.append(" or ".join(urls))
    if missing:
        raise UsageError(
            f"CACHE=gha needs {' and '.join(missing)}: in a job of GitHub Actions hand them on to "
            "this step, elsewhere set CACHE=registry or CACHE=local"
        )
