"""An engine and a session with as much to them as comparing sizes asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tasks.core import daemon
from tasks.core.bake.definitions import Definition, Target
from tests.unit import archives
from tests.unit.archives import digest_of
from tests.unit.layers import file, layer
from tests.unit.test_sizes import FakeApi, FakeClient, target

KIB = 2**10
APP = target("app-production", "multistage", "production")
WEB = target("web-production", "multistage", "production")


def archive(*stack: bytes, **changes: Any) -> bytes:
    """An image's archive, its layers not compressed: sizes can be told beforehand."""
    told = archives.config(stack, **changes)
    return archives.single(layers=stack, settings=told, compress=bytes)


SMALL_LAYER = layer(file("opt/data/a", b"a" * 100 * KIB), file("etc/b", b"b" * 20 * KIB))
MORE_LAYER = layer(file("opt/data/new", b"c" * 200 * KIB))
SMALL = archive(SMALL_LAYER)
LARGE = archive(SMALL_LAYER, MORE_LAYER)
Make = Callable[..., "FakeSession"]


@dataclass
class FakeSession:
    """As much of a session as comparing asks for."""

    root: Path
    targets: Mapping[str, Target]
    policy: Mapping[str, Any] = field(default_factory=dict)
    engine: None = None
    files: tuple[str, ...] = ()

    @property
    def config(self) -> Mapping[str, Any]:
        return {"policy": self.policy}

    def everything(self) -> Definition:
        return Definition(self.targets, {}, {})


class ById(FakeApi):
    """An engine in which another content of a tag has another id."""

    def images(self, filters: Any) -> list[dict[str, Any]]:
        del filters
        return [{"Id": digest_of(each), "Size": 9} for each in self.archives.values()]

    def inspect_image(self, tag: str) -> dict[str, str]:
        from docker.errors import ImageNotFound

        if tag not in self.archives:
            raise ImageNotFound("no such image")
        return {"Id": digest_of(self.archives[tag])}

    def get_image(self, image_id: str) -> Iterator[bytes]:
        [content] = {each for each in self.archives.values() if digest_of(each) == image_id}
        return archives.pieces(content, 50_000)


def maker(root: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes sessions whose engine has the images that are given by their targets' names."""

    def make(policy: Mapping[str, Any] | None = None, **images: bytes) -> FakeSession:
        held = {f"{name.replace('_', '-')}:latest": content for name, content in images.items()}
        client = FakeClient(ById(held))
        monkeypatch.setattr(daemon, "connect", lambda _engine: client)
        return FakeSession(root, {one.name: one for one in (APP, WEB)}, policy or {})

    return make
