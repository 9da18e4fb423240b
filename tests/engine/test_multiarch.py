"""One image for three platforms: built without emulation, proven on each, pushed as proven."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core.endpoint import Engine
from tasks.core.provision import emulation, registry
from tests.engine.conftest import (
    Ran,
    cannot_run,
    copy_repository,
    emulation_lock,
    remove_images,
    run_task,
)

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-multiarch"
FOREIGN = ("linux/arm64", "linux/arm/v7")
THREE = {"linux/amd64": "x64", "linux/arm64": "arm64", "linux/arm/v7": "arm"}
SERVICES = ("backend", "frontend")


@dataclass(frozen=True)
class Pushed:
    """Both services as one task built, proved and pushed them; ``prefix`` is its REGISTRY."""

    root: Path
    location: str
    path: str
    result: dict[str, Any]

    @property
    def prefix(self) -> str:
        return f"{self.location}/{self.path}"

    def target(self, service: str) -> dict[str, Any]:
        (found,) = [one for one in self.result["targets"] if one["target"].startswith(service)]
        return dict(found)


@pytest.fixture(scope="module")
def location(engine: Engine) -> str:
    if engine.registry is None:
        cannot_run("the engine has no registry beside it")
    return engine.registry


@pytest.fixture(scope="module")
def pushed(
    location: str, client: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pushed]:
    root = copy_repository(tmp_path_factory.mktemp("multiarch") / "repo")
    path = "slipway.test/multiarch"
    with emulation_lock():
        ran = multiarch(root, f"{location}/{path}", "--push", "--format", "json")
    assert ran.code == 0, ran.err
    yield Pushed(root, location, path, ran.json())
    remove_images(client, PROJECT)


def multiarch(root: Path, prefix: str, *words: str) -> Ran:
    return run_task(root, "build.multiarch", *words, env={"REGISTRY": prefix, "PROJECT": PROJECT})


def verify(root: Path, reference: str, *words: str) -> Ran:
    """``verify.multiarch`` of any image, with the result as JSON."""
    options = ("--format", "json", *words)
    with emulation_lock():
        return run_task(root, "verify.multiarch", reference, *options, env={"PROJECT": PROJECT})


def containers(client: DockerClient) -> list[Any]:
    mine: dict[str, Any] = {"label": f"dev.slipway.project={PROJECT}"}
    return list(client.containers.list(all=True, filters=mine, ignore_removed=True))


@pytest.mark.parametrize("service", SERVICES)
def test_the_registry_has_exactly_what_was_proven(service: str, pushed: Pushed) -> None:
    target = pushed.target(service)
    proven = {image["platform"]: image["digest"] for image in target["images"]}
    assert set(proven) == set(THREE)
    assert target["pushed"] == target["tags"]
    assert len(target["tags"]) == 2
    for tag in target["tags"]:
        repository, _, label = tag.removeprefix(f"{pushed.location}/").rpartition(":")
        stored = registry.stored(pushed.location, repository, label)
        assert stored is not None
        assert (stored.digest, stored.platforms) == (target["digest"], proven)


@pytest.mark.parametrize("platform", THREE)
@pytest.mark.parametrize("service", SERVICES)
def test_each_platform_answered_and_told_its_own_architecture(
    service: str, platform: str, pushed: Pushed
) -> None:
    verdicts = {
        one["proof"]: one
        for one in pushed.result["verdicts"]
        if one["target"].startswith(service) and one["platform"] == platform
    }
    assert "failed" not in {one["status"] for one in verdicts.values()}
    for proof in ("runtime.healthy", "runtime.stops", "identity.uids", "platforms.interpreter"):
        assert verdicts[proof]["status"] == "passed"
    assert verdicts["runtime.health-path"]["measured"] == "HTTP 200"
    assert verdicts["platforms.reported"]["measured"] == THREE[platform]
    assert verdicts["platforms.elf"]["status"] == "passed"
    assert not verdicts["platforms.elf"]["measured"].startswith("no ELF")


def test_nothing_is_emulated_in_a_build(
    pushed: Pushed, engine: Engine, client: DockerClient
) -> None:
    """The steps run anew: other dependencies, another version, and no way to emulate any."""
    package = pushed.root / "backend/package.json"
    changed = json.loads(package.read_text()) | {"description": secrets.token_hex(8)}
    package.write_text(json.dumps(changed, indent=2) + "\n")
    image = pushed.target("backend")["tags"][0]
    names = ",".join(f"{service}-multiarch" for service in SERVICES)
    version = f"VERSION=0.0.0-{secrets.token_hex(4)}"
    env = {"PLATFORMS": ",".join(FOREIGN), "REGISTRY": "slipway.test/no-emulation"}
    with without_emulation():
        assert "exec format error" in why_it_does_not_run(client, image)
        ran = run_task(
            pushed.root,
            *("build.targets", names, "--set", version),
            env={**env, "PROJECT": PROJECT, "BUILDKIT_PROGRESS": "plain"},
        )
        assert not any(emulation.is_enabled(platform) for platform in FOREIGN)
    assert ran.code == 0, ran.err
    steps = re.findall(r"^#(\d+) \[(\S+) (\S+) (\S+) \d+/\d+\] RUN", ran.err, re.MULTILINE)
    assert {platform.partition("->")[0] for _, _, platform, _ in steps} == {engine.native_platform}
    fresh = {(target, stage) for n, target, _, stage in steps if f"#{n} CACHED" not in ran.err}
    assert fresh >= {
        ("backend-multiarch", "deps-prod"),
        ("backend-multiarch", "security"),
        ("frontend-multiarch", "builder"),
    }


@contextmanager
def without_emulation() -> Iterator[None]:
    """No program of a foreign platform can be started on this machine meanwhile."""
    with emulation_lock(alone=True):
        emulation.ensure_emulation(FOREIGN)
        handlers = [emulation.BINFMT / emulation.HANDLERS[platform] for platform in FOREIGN]
        try:
            for handler in handlers:
                handler.write_text("0")
            yield
        finally:
            for handler in handlers:
                handler.write_text("1")


def why_it_does_not_run(client: DockerClient, image: str) -> str:
    """Shows that the test can fail: a step on the target's platform would end like this."""
    labels = {"dev.slipway.project": PROJECT}
    made = client.containers.create(image, ["node", "-v"], platform=FOREIGN[0], labels=labels)
    try:
        made.start()
        made.wait(timeout=30)
        return made.logs().decode()
    finally:
        made.remove(force=True)


def test_an_image_is_proven_from_the_registry_alone(pushed: Pushed, client: DockerClient) -> None:
    from docker.errors import ImageNotFound

    target = pushed.target("frontend")
    for tag in target["tags"]:
        client.api.remove_image(tag)
    ran = verify(pushed.root, target["tags"][1])
    assert ran.code == 0, ran.err
    assert ran.json()["summary"]["failed"] == 0
    reported = [one for one in ran.json()["verdicts"] if one["proof"] == "platforms.reported"]
    assert {one["platform"] for one in reported} == set(THREE)
    for name in (*target["tags"], target["digest"]):
        with pytest.raises(ImageNotFound):
            client.images.get(name)
    assert containers(client) == []
