"""`bases.lock.json` against a real registry: what a build takes, what moved, what a mirror has."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.pins import lock
from tasks.core.provision import embedded, registry
from tests.engine.conftest import Ran, make_scratch, remove_images, run_task

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-pins"
PLATFORMS = ("linux/amd64", "linux/arm64")
#: The base in every place that an image can be taken from in; nothing is run.
DOCKERFILE = """ARG NODE_IMAGE
FROM scratch AS copied
COPY --from={base} /word /copied
FROM ${{NODE_IMAGE}}
COPY --from=copied /copied /copied
COPY --from=named /word /named
"""
BAKE = """variable "NODE_IMAGE" {{ default = "" }}
target "app" {{
  args = {{ NODE_IMAGE = NODE_IMAGE }}
  contexts = {{ named = "docker-image://{base}" }}
  tags = ["slipway.test/pins:1"]
}}
"""


@dataclass(frozen=True)
class Place:
    """A repository with one target, and the base that it builds on, in a registry of ours."""

    root: Path
    engine: Engine
    base: str
    location: str
    client: DockerClient

    def run(self, *words: str, **env: str) -> Ran:
        return run_task(self.root, *words, env={"PROJECT": PROJECT, "REGISTRY": "", **env})

    def push(self, word: str) -> str:
        """Have the base's tag stand for an image with another ``word``; returns its digest."""
        folder = self.root / ".slipway" / "base"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "word").write_text(word)
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY word /word\n")
        argv = [self.engine.docker, "buildx", "build", "--quiet", "--provenance=false"]
        argv += [f"--platform={','.join(PLATFORMS)}", "--tag", self.base, "--push", str(folder)]
        process.read(argv, env=self.engine.environment)
        return self.digest(self.base)

    def digest(self, reference: str) -> str:
        """What a registry of this machine has under a name."""
        path, _, tag = reference.removeprefix(f"{self.location}/").rpartition(":")
        found = registry.stored(self.location, path, tag)
        assert found is not None
        assert set(found.platforms) == set(PLATFORMS)
        return found.digest

    def words(self) -> dict[str, str]:
        """The base's word, in every place of the image that it was taken to."""
        container = self.client.containers.create("slipway.test/pins:1", ["none"])
        try:
            return {
                name: _text(container.get_archive(name)[0]) for name in ("word", "copied", "named")
            }
        finally:
            container.remove()


def _text(stream: Any) -> str:
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        (member,) = tar.getmembers()
        file = tar.extractfile(member)
        assert file is not None
        return file.read().decode()


@pytest.fixture(scope="module")
def place(
    engine: Engine, client: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    location = engine.registry or embedded.registry_up()
    base = f"{location}/{PROJECT}/base:1"
    root = make_scratch(tmp_path_factory.mktemp("pins") / "repo")
    (root / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    (root / "docker-bake.hcl").write_text(BAKE.format(base=base))
    (root / ".env.example").write_text(f"NODE_IMAGE={base}\n")
    yield Place(root, engine, base, location, client)
    remove_images(client, PROJECT)


@pytest.fixture(scope="module")
def moved(place: Place) -> tuple[str, str]:
    """The digest that is locked, and the one that the tag moved on to afterwards."""
    first = place.push("first")
    pinned = place.run("bases.pin", "--format", "json")
    assert pinned.code == 0, pinned.err
    (entry,) = pinned.json()["bases"]
    assert (entry["reference"], entry["change"], entry["digest"]) == (place.base, "new", first)
    return first, place.push("second")


def test_a_build_keeps_to_the_lock_though_the_tag_moved(
    place: Place, moved: tuple[str, str]
) -> None:
    built = place.run("build.targets", "app", BASES_LOCK="required")
    assert built.code == 0, built.err
    assert place.words() == dict.fromkeys(("word", "copied", "named"), "first")
    assert moved[0] in built.err
    assert moved[1] not in built.err


def test_a_tag_that_moved_is_reported(place: Place, moved: tuple[str, str]) -> None:
    told = place.run("bases.outdated", "--format", "json")
    assert told.code == 0, told.err
    (entry,) = told.json()["bases"]
    assert (entry["status"], entry["locked"], entry["current"]) == ("outdated", *moved)
    failed = place.run("bases.outdated", "--exit-code")
    assert (failed.code, failed.said) == (
        1,
        f"newer than bases.lock.json: {place.base}; take them over: inv bases.update",
    )


def test_a_mirror_serves_the_locked_digest(place: Place, moved: tuple[str, str]) -> None:
    goal = f"{place.location}/{PROJECT}/mirror"
    ran = place.run("bases.mirror", goal, "--format", "json")
    assert ran.code == 0, ran.err
    copied = ran.json()["env"]["NODE_IMAGE"]
    assert copied == f"{goal}/{PROJECT}/base:1"
    assert place.digest(copied) == moved[0], "what is locked is copied, not what the tag is now"
    built = place.run("build.targets", "app", NODE_IMAGE=copied, BASES_LOCK="required")
    assert built.code == 0, built.err
    assert f"{copied}@{moved[0]}" in built.err


def test_an_updated_lock_is_what_the_next_build_takes(place: Place, moved: tuple[str, str]) -> None:
    """The last of these tests: it changes the lock for good."""
    updated = place.run("bases.update", "--base", "*/base:1")
    assert updated.code == 0, updated.err
    assert "moved" in updated.out
    built = place.run("build.targets", "app", PROVENANCE="min")
    assert built.code == 0, built.err
    assert place.words() == dict.fromkeys(("word", "copied", "named"), "second")
    (place.root / "invoke.yaml").write_text("slipway: {policy: {app: {pinned_bases: true}}}\n")
    proven = place.run("verify.production", "--target", "app", "--format", "json")
    verdicts = {each["proof"]: each["status"] for each in proven.json()["verdicts"]}
    assert verdicts["supply-chain.pinned"] == "passed", proven.out
    assert verdicts["supply-chain.base-digest"] == "passed", proven.out
    assert place.run("bases.outdated", "--exit-code").code == 0
    before = (place.root / lock.NAME).read_text()
    assert place.run("bases.pin").code == 0
    assert (place.root / lock.NAME).read_text() == before, "pinning again changes nothing"


def test_a_registry_out_of_reach_is_named(place: Place, tmp_path: Path) -> None:
    root = tmp_path / "repo"
    shutil.copytree(place.root, root)
    gone = "127.0.0.1:1/base:1"
    for name in ("Dockerfile", "docker-bake.hcl", ".env.example"):
        text = (root / name).read_text().replace(place.base, gone)
        (root / name).write_text(text)
    pins = lock.load(root) or {}
    lock.save(root, {gone: next(iter(pins.values()))})
    for task in ("bases.outdated", "bases.update", "build.targets app"):
        ran = run_task(root, *task.split(), env={"PROJECT": PROJECT})
        assert ran.code == 3, (task, ran.err)
        assert gone in ran.said
    (root / lock.NAME).write_text("{")
    damaged = run_task(root, "build.targets", "app", env={"PROJECT": PROJECT})
    assert damaged.code == 2
    assert damaged.said.startswith("bases.lock.json: it is not valid JSON")
