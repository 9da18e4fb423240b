"""The main job, end to end, in a fresh copy: built, tested, proven, measured, cleaned."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core.endpoint import Engine
from tasks.core.verifying.catalogue import IDS
from tests.engine.conftest import Ran, cache_lock, copy_repository, environment, run
from tests.engine.test_layers import demand_dives_figures

if TYPE_CHECKING:
    from docker import DockerClient


#: Names of its own: it cleans all of its project, and other files build meanwhile.
PROJECT = "slipway-test-pipeline"
PREFIX = "slipway.pipeline"
OWN = {"PROJECT": PROJECT, "REGISTRY": PREFIX}
MINE: dict[str, Any] = {"label": f"dev.slipway.project={PROJECT}"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("clone") / "devops")


def inv(root: Path, *words: str) -> Ran:
    """As a person would: by ``./inv``, which makes its own environment first."""
    return run(["./inv", *words], root, environment(OWN))


@pytest.fixture(scope="module")
def first(root: Path, engine: Engine) -> Ran:
    return inv(root, "pipeline")


@pytest.fixture(scope="module")
def foreign(client: DockerClient, first: Ran) -> str:
    """Somebody else's container, running one of our images: nobody's business but theirs."""
    container = client.containers.create(
        f"{PREFIX}/devops-backend:latest", name=f"{PROJECT}-not-ours"
    )
    return str(container.id)


def test_the_first_run_builds_and_proves_everything(first: Ran) -> None:
    assert first.code == 0, first.err[-4000:]
    summary = first.out[first.out.rindex("\nstage ") :]
    for stage in (
        "settings",
        "engine",
        "bases",
        "baseline",
        "multistage",
        "tests",
        "verify",
        "sizes",
    ):
        line = next(line for line in summary.splitlines() if line.startswith(f"{stage} "))
        assert " ok " in line


def test_the_second_run_finds_everything_cached(root: Path, first: Ran) -> None:
    with cache_lock(alone=True):
        again = inv(root, "pipeline")
    assert again.code == 0, again.err[-4000:]
    assert again.out.count("everything was cached") == 4  # two groups: at the build, in the summary


def test_every_service_has_its_images(client: DockerClient, first: Ran) -> None:
    tags = {tag for image in client.images.list(filters=MINE) for tag in image.tags}
    expected = {
        f"{PREFIX}/devops-{service}:{tag}"
        for service in ("frontend", "backend")
        for tag in ("baseline", "dev", "test", "latest")
    }
    assert expected | {f"{PREFIX}/devops-backend:debug"} <= tags


def test_verdicts_are_json_and_prove_every_claim(root: Path, first: Ran) -> None:
    ran = inv(root, "verify.production", "--format", "json")
    assert ran.code == 0, ran.err[-4000:]
    report = ran.json()
    assert report["schema"] == 1
    asked = ("runtime.", "identity.", "filesystem.", "platforms.")
    for target in ("frontend-production", "backend-production"):
        mine = [one for one in report["verdicts"] if one["target"] == target]
        assert "failed" not in {one["status"] for one in mine}
        passed = {one["proof"] for one in mine if one["status"] == "passed"}
        assert passed >= {"supply-chain.version", "supply-chain.commit", "supply-chain.revision"}
        every = {proof for proof in IDS if proof.startswith(asked)}
        # One index with one platform says nothing of it; the policy allows a shell and npm.
        allowed = {"platforms.config", "filesystem.shell", "filesystem.package-manager"}
        assert every - passed <= allowed


def test_production_is_less_than_half_of_the_baseline(root: Path, first: Ran) -> None:
    report = inv(root, "report.sizes", "--format", "json").json()
    sizes = {(image["target"].split("-")[0], image["variant"]): image for image in report["images"]}
    for service in ("frontend", "backend"):
        small, large = sizes[service, "multistage"], sizes[service, "baseline"]
        assert small["reduction_percent"] >= 50
        assert small["compressed_bytes"] <= large["compressed_bytes"] / 2
        assert small["unpacked_bytes"] <= large["unpacked_bytes"] / 2


@pytest.mark.parametrize("service", ["frontend", "backend"])
def test_layers_have_dives_figures(
    service: str, root: Path, engine: Engine, first: Ran, tmp_path: Path
) -> None:
    ran = inv(root, "report.layers", "--target", f"{service}-production", "--format", "json")
    demand_dives_figures(engine, f"{PREFIX}/devops-{service}:latest", ran, tmp_path)


def test_bake_by_hand_gives_the_same_targets(root: Path, engine: Engine, first: Ran) -> None:
    """Without ``--file``, bake also reads the compose files that it finds."""
    done = subprocess.run(
        [engine.docker, "buildx", "bake", "--print"],
        cwd=root,
        env={**environment(OWN), **engine.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    import json

    by_hand = set(json.loads(done.stdout)["target"])
    ours = inv(root, "build.print", "--format", "json").json()
    assert by_hand == set(ours["groups"]["multistage"])
    assert by_hand <= set(ours["targets"])


def test_compose_by_hand_builds_what_the_tasks_built(
    root: Path, engine: Engine, client: DockerClient, first: Ran
) -> None:
    """No Slipway is about: the compose files alone, with the variables of the environment."""
    hand = f"{PREFIX}.hand"

    def compose(*words: str) -> str:
        own = {"REGISTRY": hand, "VERSION": "latest", **engine.environment}
        done = run([engine.docker, "compose", *words], root, environment(own))
        assert done.code == 0, done.err[-2000:]
        return done.out + done.err

    services = ("frontend", "backend")
    production = compose("-f", "compose.yaml", "--profile", "production", "config", "--images")
    assert set(production.split()) == {f"{hand}/devops-{name}:latest" for name in services}
    assert "target: debug" in compose("config")
    cached = compose("--progress=plain", "build", "backend-dev")
    client.images.remove(f"{hand}/devops-backend:debug")
    assert "CACHED" in cached


def test_a_commit_that_changes_no_file_costs_no_step(root: Path, first: Ran) -> None:
    """Its date and its version are new: only the frontend's bundle says these in a file."""
    who = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    words = ("git", *who, "commit", "--quiet", "--allow-empty", "--message", "nothing")
    assert not {"BUILD_DATE", "SOURCE_DATE_EPOCH"} & set(environment()), "the date has to change"
    later = {**environment(), "GIT_COMMITTER_DATE": "2030-01-02T03:04:05Z"}
    subprocess.run(words, cwd=root, env=later, check=True)
    with cache_lock(alone=True):
        built = inv(root, "build.targets", "backend-production,backend-debug,frontend-testing")
    subprocess.run(("git", "reset", "--quiet", "--soft", "HEAD~1"), cwd=root, check=True)
    assert built.code == 0, built.err[-4000:]
    assert "everything was cached" in built.out


def test_clean_takes_all_that_is_ours_and_nothing_else(
    root: Path, client: DockerClient, first: Ran, foreign: str
) -> None:
    # By the plain listing: the SDK's asks for each image again, and other files remove theirs.
    ours = {image["Id"] for image in client.api.images(filters=MINE)}
    every = client.api.images()
    others = {name for one in every if one["Id"] not in ours for name in one["RepoTags"] or ()}
    assert ours
    assert others
    dry = inv(root, "--dry", "clean.all")
    assert dry.code == 0, dry.err
    assert "image rm" in dry.out
    assert not others & set(dry.out.split())
    refused = inv(root, "clean.all")
    assert refused.code == 2
    assert "--yes" in refused.said
    kept = inv(root, "clean.all", "--yes")
    assert kept.code == 0, kept.err
    assert [container.id for container in client.containers.list(all=True, filters=MINE)] == [
        foreign
    ]
    client.containers.get(foreign).remove(v=True)
    cleaned = inv(root, "clean.all", "--yes")
    assert cleaned.code == 0, cleaned.err
    assert client.images.list(filters=MINE) == []
    assert client.containers.list(all=True, filters=MINE) == []
