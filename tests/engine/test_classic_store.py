"""An engine with the image store that engines had before containerd's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.endpoint import Engine
from tests.engine.conftest import Ran, run_task
from tests.engine.second import second_engine

GROUPS = """
group "multiarch" { targets = ["app"] }
group "optimized" { targets = ["app"] }
group "multistage" { targets = ["app"] }
"""


@pytest.fixture(scope="module")
def classic(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    root = tmp_path_factory.mktemp("classic")
    with second_engine(engine, root / "engine", classic=True) as second:
        yield second


@pytest.fixture
def repository(scratch: Path) -> Path:
    bake = scratch / "docker-bake.hcl"
    bake.write_text(bake.read_text() + GROUPS)
    return scratch


def inv(root: Path, engine: Engine, *words: str) -> Ran:
    return run_task(root, *words, env=engine.environment)


def test_an_image_of_several_platforms_cannot_be_held_and_the_mend_is_said(
    classic: Engine, repository: Path
) -> None:
    for words in (("build.multiarch",), ("build.multiarch", "--push")):
        ran = inv(repository, classic, *words)
        assert ran.code == 3, ran.err
        assert len(ran.err.strip().splitlines()) == 1
        assert "classic image store" in ran.said
        assert "containerd-snapshotter" in ran.said
        assert "ENGINE=embedded" in ran.said


def test_optimized_builds_and_says_what_is_lost(classic: Engine, repository: Path) -> None:
    ran = inv(repository, classic, "build.optimized")
    assert ran.code == 0, ran.err
    assert "scratch-app:latest" in ran.out
    assert "building this commit again will give other digests" in ran.err


def test_multistage_builds(classic: Engine, repository: Path) -> None:
    ran = inv(repository, classic, "build.multistage")
    assert ran.code == 0, ran.err
    assert "scratch-app:latest" in ran.out
