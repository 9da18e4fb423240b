"""The setting CACHE as options of buildx, each target with a place of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.core.bake import caching
from tasks.core.bake.caching import Cache
from tasks.core.errors import UsageError

NOTHING = {"CACHE": "off", "CACHE_REF": "", "CACHE_DIR": "/cache", "REGISTRY": ""}
TAGS = ("host/app:1", "host/app:latest")
GITHUB = {"ACTIONS_RUNTIME_TOKEN": "x", "ACTIONS_RESULTS_URL": "https://host/"}


def of(target: str = "app", **settings: str) -> Cache:
    return caching.of({**NOTHING, **settings}, target, TAGS, GITHUB)


def test_off_is_nothing() -> None:
    assert of() == Cache()


@pytest.mark.parametrize(
    ("settings", "repository"),
    [
        ({"REGISTRY": "host/team"}, "host/team/build-cache"),
        ({"REGISTRY": "host/team", "CACHE_REF": "other/cache"}, "other/cache"),
        ({"CACHE_REF": "other/cache"}, "other/cache"),
    ],
)
def test_registry(settings: dict[str, str], repository: str) -> None:
    where = {"type": "registry", "ref": f"{repository}:app"}
    written = {**where, "mode": "max", "image-manifest": "true"}
    assert of(CACHE="registry", **settings) == Cache((where,), (written,))


def test_registry_without_a_place() -> None:
    with pytest.raises(
        UsageError, match="CACHE=registry needs a place: set REGISTRY, or"
    ) as raised:
        of(CACHE="registry")
    assert raised.value.code == 2


def test_a_folder() -> None:
    assert of(CACHE="local") == Cache(
        ({"type": "local", "src": "/cache/app"},),
        ({"type": "local", "dest": "/cache/app", "mode": "max"},),
    )


def test_github() -> None:
    where = {"type": "gha", "scope": "app"}
    assert of(CACHE="gha") == Cache((where,), ({**where, "mode": "max"},))


def test_inline_is_read_from_the_image_of_last_time() -> None:
    found = of(CACHE="inline", REGISTRY="host")
    assert found == Cache(({"type": "registry", "ref": TAGS[0]},), ({"type": "inline"},))
    assert caching.of({**NOTHING, "CACHE": "inline"}, "app", ()).sources == ()


@pytest.mark.parametrize("kind", ["registry", "local", "gha"])
def test_two_targets_never_write_to_one_place(kind: str) -> None:
    def places(target: str) -> list[dict[str, Any]]:
        made = of(target, CACHE=kind, REGISTRY="host")
        return [*made.sources, *made.destinations]

    assert not [one for one in places("app") if one in places("web")]
