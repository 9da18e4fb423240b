"""Images that lie about their platforms, platforms nobody has, and what is asked wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.provision import registry
from tests.engine.conftest import (
    Ran,
    cannot_run,
    emulation_lock,
    make_scratch,
    remove_images,
    run_task,
)

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-flaws"
PATH = "slipway.test/flaws"
BAKE = """
variable "REGISTRY" {{ default = "" }}
group "multiarch" {{ targets = ["{name}"] }}
group "multiarch-debug" {{ targets = ["{name}"] }}
target "{name}" {{
  target = "{stage}"
  tags   = [REGISTRY == "" ? "slipway.test/{name}:1" : "${{REGISTRY}}/{name}:1"]
}}
"""
#: In "copied" one program is the builder's, in "whole" everything is; "plain" runs nowhere.
DOCKERFILE = """\
FROM --platform=$BUILDPLATFORM node:22-bookworm-slim AS made
FROM scratch AS copied
COPY --from=made /usr/bin/true /bin/tool
CMD ["/bin/tool"]
FROM made AS whole
USER 1000
CMD ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"]
FROM node:22-bookworm-slim AS sound
USER 1000
CMD ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"]
FROM scratch AS plain
COPY Dockerfile /
"""


#: What is asked of these images: they have neither labels nor a server.
POLICY = """
slipway:
  policy:
    "*": { proofs: ["platforms.*", runtime.healthy, runtime.stops, identity.uids] }
"""


@pytest.fixture(scope="module")
def location(engine: Engine) -> str:
    if engine.registry is None:
        cannot_run("the engine has no registry beside it")
    return engine.registry


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, client: DockerClient) -> Iterator[Path]:
    made = make_scratch(tmp_path_factory.mktemp("flaws") / "repo")
    (made / "Dockerfile").write_text(DOCKERFILE)
    (made / "invoke.yaml").write_text(POLICY)
    yield made
    remove_images(client, PROJECT)


def run(root: Path, name: str, *words: str, prefix: str = "") -> Ran:
    """Run a task on a bake file whose only target is the stage ``name``."""
    (root / "docker-bake.hcl").write_text(BAKE.format(name=name, stage=name))
    with emulation_lock():
        return run_task(root, *words, env={"PROJECT": PROJECT, "REGISTRY": prefix})


def by_hand(engine: Engine, root: Path, reference: str, stage: str, *platforms: str) -> None:
    build = (
        *("buildx", "build", "--provenance=false", "--push", "--tag", reference),
        *("--target", stage, "--platform", ",".join(platforms), str(root)),
    )
    process.read((engine.docker, *build), env=engine.environment, timeout=120)


@pytest.mark.parametrize(
    ("stage", "file"), [("copied", "/bin/tool is x86-64"), ("whole", "/usr/bin/")]
)
def test_the_wrong_architecture_is_caught_and_not_pushed(
    stage: str, file: str, root: Path, location: str, client: DockerClient
) -> None:
    words = ("build.multiarch", "--platform", "linux/arm64", "--push")
    ran = run(root, stage, *words, prefix=f"{location}/{PATH}")
    assert ran.code == 1, ran.err
    assert ran.said.startswith(f"{stage}: platforms.")
    assert file in ran.said
    assert "not AArch64" in ran.said
    assert "nothing is pushed: a proof failed" in ran.err
    assert registry.stored(location, f"{PATH}/{stage}", "1") is None


@pytest.mark.parametrize("stage", ["copied", "whole"])
def test_so_it_is_in_an_image_that_somebody_pushed(
    stage: str, root: Path, location: str, engine: Engine, client: DockerClient
) -> None:
    from docker.errors import ImageNotFound

    reference = f"{location}/{PATH}/pushed-{stage}:1"
    by_hand(engine, root, reference, stage, "linux/arm64")
    client.api.remove_image(reference)
    ran = run(root, "plain", "verify.multiarch", reference)
    assert ran.code == 1, ran.err
    assert "x86-64, not AArch64" in ran.out
    with pytest.raises(ImageNotFound):
        client.images.get(reference)


def test_a_platform_that_is_missing_is_named(
    root: Path, location: str, engine: Engine, client: DockerClient
) -> None:
    reference = f"{location}/{PATH}/two:1"
    by_hand(engine, root, reference, "plain", "linux/amd64", "linux/arm64")
    client.api.remove_image(reference)
    promised = "linux/amd64,linux/arm64,linux/arm/v7"
    ran = run(root, "plain", "verify.multiarch", reference, "--platform", promised)
    assert ran.code == 1, ran.err
    assert "linux/arm/v7 is missing" in ran.out


def test_one_foreign_platform_alone(root: Path, location: str) -> None:
    words = ("build.multiarch", "--platform", "linux/arm64", "--push", "--format", "json")
    ran = run(root, "sound", *words, prefix=f"{location}/{PATH}")
    assert ran.code == 0, ran.err
    (target,) = ran.json()["targets"]
    stored = registry.stored(location, f"{PATH}/sound", "1")
    assert stored is not None
    assert stored.digest == target["digest"]
    assert list(stored.platforms) == ["linux/arm64"]


#: case: (words, exit code, part of the line)
CASES = {
    "platform that nobody emulates": ("build.multiarch --platform linux/s390x", 3, "linux/s390x"),
    "platform of nobody": ("build.multiarch --platform amiga", 2, "'amiga' is not a platform"),
    "platform twice": (
        "build.multiarch --platform linux/arm64,linux/aarch64",
        2,
        "'linux/arm64' is listed twice",
    ),
    "push without a registry": ("build.multiarch --push", 2, "--push needs a registry"),
    "debug and push": ("build.multiarch --debug --push", 2, "leave out --push and --platform"),
    "debug and platform": (
        "build.multiarch --debug --platform linux/arm64",
        2,
        "leave out --push and --platform",
    ),
    "debug as JSON": (
        "build.multiarch --debug --format json",
        2,
        "--debug prints a table: leave out --format",
    ),
    "unknown format": ("build.multiarch --format xml", 2, "--format 'xml' is not one of"),
    "unknown target": ("build.multiarch --target x*", 2, "--target 'x*' matches no"),
    "image of nobody": (
        "verify.multiarch slipway.invalid/nope:1",
        3,
        "neither the engine nor a registry has slipway.invalid/nope:1: ",
    ),
    "no name": ("verify.multiarch no:such:name", 2, "'no:such:name' is not the name of an image"),
    "no name at all": ("verify.multiarch ", 2, "did not receive required"),
    "verify, platform of nobody": ("verify.multiarch x --platform amiga", 2, "--platform: 'amiga'"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_is_built(case: str, root: Path, engine: Engine) -> None:
    words, code, expected = CASES[case]
    ran = run(root, "plain", *words.split())
    assert ran.code == code, (ran.out, ran.err)
    assert expected in ran.said, ran.err
    assert "Traceback" not in ran.err
    assert "[internal] load" not in ran.err


def test_a_dry_run_changes_nothing(root: Path, location: str, client: DockerClient) -> None:
    prefix = f"{location}/{PATH}/dry"
    ran = run(root, "plain", "--dry", "build.multiarch", "--push", prefix=prefix)
    assert ran.code == 0, ran.err
    assert "buildx bake" in ran.out
    assert client.images.list(name=f"{prefix}/plain") == []
    assert registry.stored(location, f"{PATH}/dry/plain", "1") is None
    verified = run(root, "plain", "--dry", "verify.multiarch", f"{prefix}/plain:1")
    assert verified.code == 0, verified.err
    assert "dry run: " in verified.err
