"""Pushes over a way that stumbles: tried again where that helps, never where it was refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core.endpoint import Engine
from tasks.core.provision import registry
from tasks.core.provision.registry import Stored
from tests.engine.conftest import Ran, cannot_run, make_scratch, remove_images, run_task
from tests.engine.flaky import Fault, Flaky, flaky

if TYPE_CHECKING:
    from docker import DockerClient

BAKE = """
variable "REGISTRY" { default = "" }
group "optimized" { targets = ["app"] }
target "app" {
  tags = ["${REGISTRY}/app:1", "${REGISTRY}/app"]
}
"""
PROJECT = "slipway-test-pushing"
PATH = "slipway.test/pushing"


@pytest.fixture
def relay(engine: Engine) -> Iterator[Flaky]:
    if engine.registry is None:
        cannot_run("the engine has no registry beside it")
    with flaky(engine.registry) as running:
        yield running


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, client: DockerClient) -> Iterator[Path]:
    made = make_scratch(tmp_path_factory.mktemp("pushing") / "repo")
    (made / "docker-bake.hcl").write_text(BAKE)
    (made / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile mark* /\n")
    yield made
    remove_images(client, PROJECT)


def push(root: Path, relay: Flaky, name: str) -> Ran:
    """Push a new image through the relay into a repository of its own."""
    (root / "mark").write_text(f"{name} {relay.address}")
    env = {"PROJECT": PROJECT, "REGISTRY": f"{relay.address}/{PATH}/{name}"}
    return run_task(root, "build.optimized", "--push", env=env)


def stored(relay: Flaky, name: str, tag: str = "1") -> Stored | None:
    return registry.stored(relay.upstream, f"{PATH}/{name}/app", tag)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("busy", Fault("PUT .*/manifests/", 503, 2)),
        ("blob", Fault("POST .*/blobs/uploads", 502, 1)),
        ("reset", Fault("PUT .*/manifests/", 0, 2)),
        ("reading-back", Fault("GET .*/manifests/", 504, 1)),
    ],
)
def test_a_stumble_is_tried_again(name: str, fault: Fault, root: Path, relay: Flaky) -> None:
    relay.faults.append(fault)
    ran = push(root, relay, name)
    assert ran.code == 0, ran.err
    assert fault.times == 0
    assert "trying again in 1 s" in ran.err
    found = [stored(relay, name, tag) for tag in ("1", "latest")]
    assert found[0] is not None
    assert found[0] == found[1]
    assert found[0].digest[:19] in ran.out


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_not_tried_again(status: int, root: Path, relay: Flaky) -> None:
    relay.faults.append(Fault("(POST|PUT|PATCH) ", status, 99))
    began = time.monotonic()
    ran = push(root, relay, f"refused-{status}")
    assert ran.code == 3, ran.err
    assert "the registry refuses: " in ran.said
    assert ran.said.endswith("; run: docker login")
    assert "trying again" not in ran.err
    assert time.monotonic() - began < 15
    assert stored(relay, f"refused-{status}") is None


def test_it_gives_up_after_a_while(root: Path, relay: Flaky) -> None:
    relay.faults.append(Fault("PUT .*/manifests/", 503, 99))
    ran = push(root, relay, "down")
    assert ran.code == 3, ran.err
    assert [f"in {pause} s" in ran.err for pause in (1, 2, 4, 8)] == [True] * 4
    assert "the push failed 5 times: " in ran.said
    assert "503" in ran.said
    assert stored(relay, "down") is None


def test_what_somebody_else_pushed_meanwhile_is_noticed(root: Path, relay: Flaky) -> None:
    assert push(root, relay, "other").code == 0
    found = stored(relay, "other")
    assert found is not None
    for reference in ("1", found.digest):
        mine, other = (f"/v2/{PATH}/{name}/app/manifests/{reference}" for name in ("mine", "other"))
        relay.swapped[mine] = other
    ran = push(root, relay, "mine")
    assert ran.code == 3, ran.err
    pushed = stored(relay, "mine")
    assert pushed is not None
    assert f"the registry has {found.digest}, but {pushed.digest} was proven" in ran.said
