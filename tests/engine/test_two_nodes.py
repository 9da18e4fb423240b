"""Slipway's own builds on a builder of two nodes: two real engines on one machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core.endpoint import Engine
from tasks.core.journal import history
from tasks.core.provision import registry
from tests.engine.conftest import (
    Ran,
    cache_lock,
    commit,
    copy_repository,
    emulation_lock,
    make_scratch,
    run_task,
    start_task,
)
from tests.engine.second import Listener, TwoNodes, alone

if TYPE_CHECKING:
    from docker import DockerClient

BOTH = "linux/amd64,linux/arm64"
PLACE = "slipway.test/two"
#: What "pause" holds is a secret: BuildKit takes the step for the same, however long it is.
DOCKERFILE = """\
FROM --platform=$BUILDPLATFORM node:22-bookworm-slim AS made
ARG MARK
RUN echo "$MARK" >/mark
ARG TARGETARCH
RUN --mount=type=secret,id=pause echo "$TARGETARCH" >/made && echo "be""gun on $TARGETARCH" \\
    && { [ "$TARGETARCH" = amd64 ] || sleep "$(cat /run/secrets/pause)"; }
FROM scratch
COPY --from=made /mark /made /
"""
BAKE = """\
variable "REGISTRY" { default = "" }
variable "PLATFORMS" { default = "linux/amd64" }
target "app" {
  args      = { MARK = "%s" }
  secret    = ["type=file,id=pause,src=pause"]
  platforms = split(",", PLATFORMS)
  tags      = ["${REGISTRY}/app:1"]
}
target "plain" {
  args   = { MARK = "%s" }
  secret = ["type=file,id=pause,src=pause"]
  tags   = ["${REGISTRY}/plain:1"]
}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A build of two steps, which nobody has built before, on the building machine."""
    root = make_scratch(tmp_path / "repo")
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / "docker-bake.hcl").write_text(BAKE.replace("%s", str(tmp_path)))
    (root / "pause").write_text("0")
    commit(root)
    return root


@pytest.fixture(autouse=True)
def _emulated() -> Iterator[None]:
    """Nobody turns emulation off meanwhile, or prunes what these build."""
    with emulation_lock(), cache_lock():
        yield


def around(two: TwoNodes, **more: str) -> dict[str, str]:
    names = {"BUILDER": two.builder, "REGISTRY": f"{two.registry}/{PLACE}", "PLATFORMS": BOTH}
    return {**two.environment, **names, **more}


def inv(root: Path, two: TwoNodes, *words: str) -> Ran:
    return run_task(root, *words, env=around(two))


def noted(two: TwoNodes, at: int) -> set[str]:
    """The ids of the builds on node ``at`` by buildx's notes, which are this test's alone."""
    notes = Path(two.environment["BUILDX_CONFIG"], "refs", two.builder, f"{two.builder}{at}")
    return {path.name for path in notes.iterdir()}


def test_the_backend_is_built_on_both_nodes_joined_proven_and_pushed(
    whole: TwoNodes, tmp_path: Path
) -> None:
    root = copy_repository(tmp_path / "repo")
    words = ("--target", "backend-multiarch", "--platform", BOTH, "--push", "--format", "json")
    with Listener(whole.engines) as listener:
        ran = inv(root, whole, "build.multiarch", *words)
    assert ran.code == 0, ran.err
    (target,) = ran.json()["targets"]
    made = {image["platform"]: image["digest"] for image in target["images"]}
    assert sorted(made) == BOTH.split(",")
    assert all(verdict["status"] != "failed" for verdict in ran.json()["verdicts"])
    for tag in target["tags"]:
        stored = registry.stored(whole.registry, f"{PLACE}/devops-backend", tag.rpartition(":")[2])
        assert stored == registry.Stored(target["digest"], made)

    # What each engine itself remembers: the image that it exported, and not the other's.
    for at, platform in enumerate(BOTH.split(",")):
        told = listener.heard(at)
        exported = {name for name, digest in made.items() if f"manifest {digest}" in told}
        assert exported == {platform}


def test_steps_of_both_nodes_are_in_the_result(
    whole: TwoNodes, repository: Path, client: DockerClient
) -> None:
    """Both nodes ran the step that is the same for all: it counts as one step that was run."""
    built = inv(repository, whole, "build.targets", "app")
    assert built.code == 0, built.err
    assert "0 of 5 steps were cached" in built.out
    image = client.images.get(f"{whole.registry}/{PLACE}/app:1")
    assert str(image.id)[:19] in built.out
    again = inv(repository, whole, "build.targets", "app")
    assert "everything was cached (5 steps)" in again.out


def test_a_target_without_platforms_is_for_the_engine_and_in_it(
    whole: TwoNodes, repository: Path, client: DockerClient, engine: Engine
) -> None:
    built = inv(repository, whole, "build.targets", "plain")
    assert built.code == 0, built.err
    image = client.images.get(f"{whole.registry}/{PLACE}/plain:1").attrs
    assert f"{image['Os']}/{image['Architecture']}" == engine.native_platform


def test_a_node_that_is_down_is_named_and_the_rest_builds(
    whole: TwoNodes, repository: Path
) -> None:
    whole.nodes[1].cut()
    ran = inv(repository, whole, "build.targets", "app")
    assert ran.code == 3, ran.err
    assert f"node {whole.builder}1 ({whole.nodes[1].endpoint})" in ran.said
    assert ran.said.endswith("without it can still be built: --platform linux/amd64")
    rest = run_task(repository, "build.targets", "app", env=around(whole, PLATFORMS="linux/amd64"))
    assert rest.code == 0, rest.err


def test_a_node_lost_during_the_build_leaves_nothing_and_the_retry_uses_the_cache(
    whole: TwoNodes, repository: Path, tmp_path: Path
) -> None:
    bake = repository / "docker-bake.hcl"
    bake.write_text(bake.read_text() + 'group "multiarch" { targets = ["app"] }\n')
    (repository / "pause").write_text("30")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    started = start_task(
        repository, "build.multiarch", "--push", env=around(whole, TMPDIR=str(temporary))
    )
    # Not the instruction, which buildx shows as well: what it printed.
    started.wait_until_it_says("begun on amd64")
    started.wait_until_it_says("begun on arm64")
    whole.nodes[1].cut()
    ran = started.finish()
    assert ran.code == 4, ran.err
    where = f"node {whole.builder}1 ({whole.nodes[1].endpoint}) of builder {whole.builder}"
    assert re.search(f"{re.escape(where)} was lost during it: .+; bring it back", ran.said)
    assert ran.said.endswith("or build without it: --platform linux/amd64")
    assert registry.stored(whole.registry, f"{PLACE}/app", "1") is None
    assert list(temporary.iterdir()) == []

    whole.nodes[1].mend()
    (repository / "pause").write_text("0")
    before = noted(whole, 0)
    again = inv(repository, whole, "build.targets", "app")
    assert again.code == 0, again.err
    (ref,) = noted(whole, 0) - before
    trace = history.traces(alone(whole.engines[0]), {"app": ref})["app"]
    assert [step.cached for step in trace.steps if " RUN " in step.name] == [True, True]


def test_a_step_that_fails_on_one_node_is_named(whole: TwoNodes, repository: Path) -> None:
    (repository / "pause").write_text("no number")
    ran = inv(repository, whole, "build.targets", "app")
    assert ran.code == 4, ran.err
    assert 'the build failed at [made 2/3] RUN echo "arm64" >/made' in ran.said
    assert "}: exit code: 1 (" in ran.said


def test_a_slow_node_works(whole: TwoNodes, repository: Path) -> None:
    whole.nodes[1].slow(20_000)
    before = whole.nodes[1].passed_bytes
    ran = inv(repository, whole, "build.targets", "app")
    assert ran.code == 0, ran.err
    assert whole.nodes[1].passed_bytes - before > 20_000
