"""The optimized images: small, quick to build again from any cache, the same from one commit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.images import archive
from tasks.core.provision import bases, embedded
from tasks.core.provision.bases import BaseNeed
from tests.engine.conftest import PREFIX, Ran, cache_lock, copy_repository, run_task
from tests.engine.second import second_engine
from tests.engine.test_layers import demand_dives_figures

if TYPE_CHECKING:
    from docker import DockerClient

SERVICES = ("backend", "frontend")
#: What each optimized image stands on, as .env.example has it.
BASES = {
    "backend": "distroless/nodejs22-debian13:nonroot",
    "frontend": "nginxinc/nginx-unprivileged:1.30-alpine-slim",
}
#: How buildx names a step where nobody watches: "#7 [backend-optimized deps 2/2] RUN …".
STEP = re.compile(r"^#(\d+) \[[^\]]*?(?:\d+/\d+)\] (.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("optimized") / "devops")


@pytest.fixture(scope="module")
def reproduced(root: Path, engine: Engine) -> Ran:
    """Both images, built twice without cache: first, so that the other builds have the steps."""
    with cache_lock(alone=True):  # what others build meanwhile would find no cache either
        return run_task(root, "verify.reproducible", "--format", "json")


@pytest.fixture(scope="module")
def made(root: Path, reproduced: Ran) -> Ran:
    return run_task(root, "build.optimized")


@pytest.fixture(scope="module")
def sizes(root: Path, made: Ran) -> Mapping[str, Any]:
    """The rows of report.sizes, by target."""
    baseline = run_task(root, "build.baseline")
    assert baseline.code == 0, baseline.err[-4000:]
    words = ("--target", "*-optimized", "--target", "*-baseline", "--format", "json")
    report = run_task(root, "report.sizes", *words)
    assert report.code == 0, report.err[-4000:]
    return {image["target"]: image for image in report.json()["images"]}


def shares(ran: Ran) -> tuple[int, int]:
    """How many steps of a build were cached, and of how many, from its last line."""
    last = ran.out.strip().splitlines()[-1]
    some = re.search(r"(\d+) of (\d+) steps were cached", last)
    every = re.search(r"everything was cached \((\d+) steps\)", last)
    if some:
        return int(some[1]), int(some[2])
    assert every, ran.out + ran.err[-4000:]
    return int(every[1]), int(every[1])


def steps_run(ran: Ran) -> list[str]:
    """The instructions that were run rather than taken from a cache, from buildx's progress."""
    cached = set(re.findall(r"^#(\d+) CACHED$", ran.err, re.MULTILINE))
    return [name for number, name in STEP.findall(ran.err) if number not in cached]


def test_both_images_are_built_and_proven(root: Path, made: Ran) -> None:
    assert made.code == 0, made.err[-4000:]
    proven = run_task(root, "verify.production", "--target", "*-optimized", "--format", "json")
    assert proven.code == 0, proven.out + proven.err[-4000:]
    report = proven.json()
    assert {verdict["target"] for verdict in report["verdicts"]} == {
        f"{service}-optimized" for service in SERVICES
    }
    skipped = {one["proof"] for one in report["verdicts"] if one["status"] == "skipped"}
    assert not {name for name in skipped if name.startswith(("runtime.", "identity."))}
    assert "budget.compressed" not in skipped


def test_buildx_has_nothing_to_complain_of(made: Ran) -> None:
    assert "WARN" not in made.err


def test_a_build_of_the_same_finds_everything_cached(root: Path, made: Ran) -> None:
    with cache_lock(alone=True):
        again = run_task(root, "build.optimized")
    assert again.code == 0, again.err[-4000:]
    assert "everything was cached" in again.out, again.out
    digests = [re.findall(r"sha256:[0-9a-f]+", ran.out) for ran in (made, again)]
    assert digests[0] == digests[1] != []


@pytest.mark.parametrize("service", SERVICES)
def test_its_layers_have_dives_figures(
    service: str, root: Path, made: Ran, engine: Engine, tmp_path: Path
) -> None:
    ran = run_task(root, "report.layers", "--target", f"{service}-optimized", "--format", "json")
    demand_dives_figures(engine, f"{PREFIX}/devops-{service}:optimized", ran, tmp_path)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_hardly_larger_than_its_base(
    service: str, engine: Engine, client: DockerClient, sizes: Mapping[str, Any]
) -> None:
    reference = BASES[service]
    context = bases.ensure_bases(engine, [BaseNeed(reference)], process.note).get(reference)
    name = context.removeprefix("docker-image://") if context else reference
    platform = engine.native_platform
    digest = str(client.images.pull(name, platform=platform).id)
    (base,) = (
        image
        for image in archive.read(client.api.get_image(digest), name, digest)
        if image.platform == platform
    )
    assert base.compressed_bytes
    assert sizes[f"{service}-optimized"]["compressed_bytes"] <= 1.1 * base.compressed_bytes


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_a_quarter_of_the_baseline_at_most(
    service: str, sizes: Mapping[str, Any]
) -> None:
    row = sizes[f"{service}-optimized"]
    assert row["reduction_percent"] >= 75
    assert row["unpacked_reduction_percent"] >= 75


@dataclass(frozen=True)
class Elsewhere:
    """Another machine: an engine of its own, with nothing but the first one's registry."""

    engine: Engine

    def build(self, root: Path, target: str, env: Mapping[str, str]) -> Ran:
        """Build ``target`` there, with nothing in the store that an earlier build left."""
        for command in (("prune", "--all", "--force"), ("du",)):
            words = (self.engine.docker, "buildx", *command)
            said = process.read(words, env=self.engine.environment, timeout=120)
        assert re.search(r"^Total:\s+0B$", said.stdout, re.MULTILINE), said.stdout
        env = {**self.engine.environment, **env}
        return run_task(root, "build.optimized", "--target", target, env=env)


@pytest.fixture(scope="module")
def elsewhere(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with second_engine(engine, tmp_path_factory.mktemp("elsewhere") / "engine") as second:
        yield Elsewhere(second)


@pytest.mark.parametrize(("kind", "service"), [("registry", "backend"), ("local", "frontend")])
def test_another_machine_goes_on_from_the_cache(
    kind: str, service: str, root: Path, made: Ran, engine: Engine, elsewhere: Elsewhere
) -> None:
    location = engine.registry or embedded.registry_up()
    env = {"CACHE": kind, "CACHE_REF": f"{location}/{PREFIX}/build-cache"}
    target = f"{service}-optimized"
    filled = run_task(root, "build.optimized", "--target", target, env=env)
    assert filled.code == 0, filled.err[-4000:]
    there = elsewhere.build(root, target, env)
    assert there.code == 0, there.err[-4000:]
    cached, steps = shares(there)
    assert cached >= 0.8 * steps > 0, there.err[-4000:]
    assert not [name for name in steps_run(there) if "npm ci" in name]


def test_a_folder_anywhere_can_be_the_cache(scratch: Path, engine: Engine, tmp_path: Path) -> None:
    """Outside of the repository too: bake asks for leave there."""
    env = {"CACHE": "local", "CACHE_DIR": str(tmp_path / "caches")}
    ran = run_task(scratch, "build.targets", "app", env=env)
    assert ran.code == 0, ran.err[-4000:]
    assert (tmp_path / "caches/app/index.json").is_file()


def test_a_cache_can_lie_in_the_image(root: Path, made: Ran) -> None:
    words = ("build.optimized", "--target", "frontend-optimized")
    ran = run_task(root, *words, env={"CACHE": "inline", "REGISTRY": ""})
    assert ran.code == 0, ran.err[-4000:]
    assert "ERROR" not in ran.err, "without a registry there is nowhere to read it from"


#: case: (words, environment, part of the line)
REFUSED: dict[str, tuple[str, dict[str, str], str]] = {
    "registry without a place": ("", {"CACHE": "registry", "REGISTRY": ""}, "CACHE_REF"),
    "GitHub's cache elsewhere": ("", {"CACHE": "gha"}, "ACTIONS_RUNTIME_TOKEN"),
    "GitHub's cache without a way": (
        "",
        {"CACHE": "gha", "ACTIONS_RUNTIME_TOKEN": "x"},
        "needs ACTIONS_RESULTS_URL or ACTIONS_CACHE_URL",
    ),
    "unknown cache": ("--set CACHE=disk", {}, "CACHE: 'disk' is not one of"),
    "npmrc that is not there": ("--npmrc /nowhere", {}, "NPMRC: '/nowhere' is not a file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_one_line(case: str, root: Path, engine: Engine) -> None:
    words, given, expected = REFUSED[case]
    none = {"ACTIONS_RUNTIME_TOKEN": "", "ACTIONS_RESULTS_URL": "", "ACTIONS_CACHE_URL": ""}
    ran = run_task(root, "build.optimized", *words.split(), env={**none, **given})
    assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
    assert expected in ran.said


#: The frontend that nobody serves, and what it must not change.
SYNTAX = "# syntax=slipway.invalid/dockerfile:1\n"


def test_a_frontend_out_of_reach_is_done_without(scratch: Path, engine: Engine) -> None:
    text = "# escape=`\nFROM scratch`\n  AS app\nCOPY Dockerfile `\n  /\n"
    (scratch / "Dockerfile").write_text(SYNTAX + text)
    ran = run_task(scratch, "build.targets", "app")
    assert ran.code == 0, ran.err[-4000:]


def test_what_fails_is_named_without_the_frontend(scratch: Path, engine: Engine) -> None:
    text = "# escape=`\nFROM node:22-bookworm-slim\n\nRUN exit 9\n"
    (scratch / "Dockerfile").write_text(SYNTAX + text)
    ran = run_task(scratch, "build.targets", "app")
    assert ran.code == 4, ran.err[-4000:]
    assert "Dockerfile:5" in ran.err, "lines keep their numbers"
    assert "RUN exit 9: exit code: 9" in ran.said


def test_both_images_are_reproducible(reproduced: Ran) -> None:
    assert reproduced.code == 0, reproduced.out + reproduced.err[-4000:]


def test_what_is_not_reproducible_is_named(scratch: Path, engine: Engine) -> None:
    node = "node:22-bookworm-slim"
    (scratch / "Dockerfile").write_text(f"FROM {node}\nRUN date +%N > /moment\n")
    ran = run_task(scratch, "verify.reproducible", "--target", "app")
    assert ran.code == 1, ran.err[-4000:]
    assert "/moment" in ran.out
