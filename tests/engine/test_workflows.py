"""What the workflows run is run here in the same order: the steps of the files themselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core.endpoint import Engine
from tests import workflows
from tests.engine.conftest import (
    Ran,
    cannot_run,
    copy_repository,
    emulation_lock,
    environment,
    remove_images,
    run,
)
from tests.scanner import database, program
from tests.unit.test_workflows import PLUMBING
from tests.workflows import PULL_REQUEST, RELEASE, Step

if TYPE_CHECKING:
    from docker import DockerClient

#: It builds the repository twice, and the target branch once.
pytestmark = pytest.mark.long

#: Names of its own: what it builds and measures is nobody else's.
PROJECT, PREFIX = "slipway-workflows", "slipway.workflows"
#: What stands for expressions that only GitHub can fill in; what a step must not need is not here.
STAND_INS = {
    "${{ github.workspace }}": "{root}",
    "${{ vars.REGISTRY }}": "{registry}/" + PREFIX,
}
#: SBOM and gate need images that no registry here has, and each platform takes a minute.
RELEASED_HERE = {"SBOM": "off", "SCAN_GATE": "off", "PLATFORMS": "linux/amd64,linux/arm64"}


@dataclass(frozen=True)
class Runner:
    """A machine of CI: the repository that was checked out, and its engine."""

    root: Path
    registry: str
    around: Mapping[str, str]

    def run(self, step: Step, extra: Mapping[str, str] | None = None) -> Ran:
        """What comes of a step."""
        own = {name: self._filled(value) for name, value in step.environment.items()}
        command = ["bash", "-euo", "pipefail", "-c", step.run]
        around = environment({**self.around, **own, **(extra or {})})
        return run(command, self.root / step.folder, around)

    def _filled(self, text: str) -> str:
        for expression, instead in STAND_INS.items():
            text = text.replace(expression, instead.format(root=self.root, registry=self.registry))
        assert "${{" not in text, f"nothing stands for {text}"
        return text


@pytest.fixture(scope="module")
def runner(
    engine: Engine, client: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    if engine.registry is None:
        cannot_run("the engine has no registry beside it")
    root = copy_repository(tmp_path_factory.mktemp("runner") / "repository")
    # A copy: what `inv` makes anew where requirements changed must not be what runs the tests.
    shutil.copytree(sys.prefix, root / ".venv", symlinks=True)
    around = {"PROJECT": PROJECT, "REGISTRY": PREFIX, "COLUMNS": "120", **scanner(tmp_path_factory)}
    yield Runner(root, engine.registry, around)
    remove_images(client, PROJECT)


def scanner(folders: pytest.TempPathFactory) -> dict[str, str]:
    """The scanner and the database that stand in for those that CI downloads."""
    try:
        trivy = program.folder()
    except (subprocess.SubprocessError, OSError) as error:
        cannot_run(f"the package index does not give trivy: {error}")
    known = database.write(folders.mktemp("known"))
    return {"PATH": f"{trivy}{os.pathsep}{os.environ['PATH']}", "TRIVY_DB": str(known)}


def check_out(runner: Runner, step: Step) -> None:
    """Stand in for actions/checkout where it fetches the target branch."""
    if "path" in step.options:
        place = runner.root / step.options["path"]
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", runner.root, place], check=True)
        (place / ".venv").symlink_to(runner.root / ".venv")


def steps(path: Path) -> list[Step]:
    found = workflows.steps(path, "images")
    return [step for step in found if step.name not in PLUMBING]


def pull_request(runner: Runner, extra: Mapping[str, str]) -> None:
    """Every step of the workflow in its order; each has to succeed, and leave what is uploaded."""
    results = {}
    for step in steps(PULL_REQUEST):
        if step.uses.startswith("actions/checkout@"):
            check_out(runner, step)
        if step.run:
            ran = runner.run(step, extra)
            assert ran.code == 0, f"{step.name}:\n{ran.out}{ran.err}"
        if step.uses.startswith("actions/upload-artifact@"):
            results = {name: list(runner.root.glob(name)) for name in listed(step)}
    assert results
    assert [name for name, found in results.items() if not found] == []


def test_a_pull_request(runner: Runner) -> None:
    """Without the cache between runs, which takes a minute to write."""
    pull_request(runner, {"CACHE": "off"})
    assert "production" in (runner.root / "sizes.md").read_text()
    assert json.loads((runner.root / "proofs.sarif").read_text())["runs"]


def test_a_pull_request_with_the_cache_of_the_last_run(runner: Runner) -> None:
    pull_request(runner, {})
    kept = {path.name for path in (runner.root / ".slipway/build-cache").iterdir()}
    assert {"backend-production", "frontend-production", "frontend-testing"} <= kept


def test_growth_stops_a_pull_request(runner: Runner) -> None:
    """The images of the test before, held against a smaller target branch."""
    (step,) = (step for step in steps(PULL_REQUEST) if step.name.startswith("Compare sizes"))
    lock = runner.root / "target-branch/sizes.lock.json"
    smaller: dict[str, Any] = json.loads(lock.read_text())
    for platforms in smaller["targets"].values():
        for image in platforms.values():
            image["compressed_bytes"] //= 2
    lock.write_text(json.dumps(smaller))
    policy = runner.root / "invoke.yaml"
    policy.write_text(
        policy.read_text().replace("port: 8000", "port: 8000\n      max_growth_mib: 2")
    )
    ran = runner.run(step)
    assert ran.code == 1, ran.out + ran.err
    assert "backend-production" in ran.said


def test_a_release(runner: Runner) -> None:
    for step in steps(RELEASE):
        with emulation_lock():
            ran = runner.run(step, RELEASED_HERE) if step.run else None
        assert ran is None or ran.code == 0, f"{step.name}:\n{ran.out}{ran.err}"
    (signing,) = (s for s in workflows.steps(RELEASE) if s.name == "Say what is to be signed")
    output = runner.root / "github-output"
    said = runner.run(signing, {"GITHUB_OUTPUT": str(output)})
    assert said.code == 0, said.err
    name, _, value = output.read_text().strip().partition("=")
    assert name == "images"
    for image in json.loads(value):
        assert image["name"].startswith(f"{runner.registry}/{PREFIX}/devops-")
        assert image["digest"].startswith("sha256:")


def listed(step: Step) -> list[str]:
    return str(step.options["path"]).split()
