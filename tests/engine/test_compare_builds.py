"""compare.builds builds in a copy, takes the time, keeps the numbers, and leaves nothing else."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from tests.engine.conftest import run_task, start_task

BAKE = """
target "app-production" {
  context    = "app"
  dockerfile = "Dockerfile.multistage"
  target     = "production"
  tags       = ["slipway.test/compared:latest"]
  cache-to   = ["type=local,dest=cache"]
}
target "broken-production" {
  context    = "broken"
  dockerfile = "Dockerfile.multistage"
  target     = "production"
  tags       = ["slipway.test/compared:broken"]
}
"""
DOCKERFILE = """
FROM scratch AS dependencies
COPY requirements.txt /
FROM scratch AS production
COPY --from=dependencies / /
COPY app.py /
"""


@pytest.fixture
def repository(scratch: Path) -> Path:
    """Two services: one that can be changed, one whose build fails."""
    (scratch / "docker-bake.hcl").write_text(BAKE)
    for name, text in (("app", DOCKERFILE), ("broken", DOCKERFILE + "COPY nothing /\n")):
        folder = scratch / name
        folder.mkdir()
        (folder / "Dockerfile.multistage").write_text(text)
        (folder / "requirements.txt").write_text("a==1\n")
        (folder / "app.py").write_text("print()\n")
    return scratch


def state(root: Path) -> dict[str, bytes]:
    """Every file of the repository that Slipway did not write for itself."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in files
        if ".slipway" not in path.parts and "__pycache__" not in path.parts
    }


def left(client: DockerClient) -> list[Any]:
    """Images and copies that a run left behind."""
    images = client.api.images(filters={"label": "dev.slipway.project"}, all=True)
    projects = [(one["Labels"] or {}).get("dev.slipway.project", "") for one in images]
    labelled = [one for one in projects if one.startswith("slipway-compare-")]
    return [*labelled, *Path(tempfile.gettempdir()).glob("slipway-compare-*")]


@pytest.fixture
def nothing_left(client: DockerClient) -> Any:
    before = left(client)
    yield
    assert left(client) == before


@pytest.mark.usefixtures("nothing_left")
def test_every_scenario_is_measured_in_a_copy(repository: Path, client: DockerClient) -> None:
    before = state(repository)
    ran = run_task(repository, "compare.builds", "--runs", "2", "--target", "app-*")
    assert ran.code == 0, ran.err
    assert state(repository) == before
    assert not client.api.images("slipway.test/compared")
    kept = json.loads((repository / ".slipway/compare/builds.json").read_text())
    assert kept["schema"] == 1
    (subject,) = kept["subjects"]
    cached = {
        one["scenario"]: [(run["cached"], run["steps"]) for run in one["runs"]]
        for one in subject["scenarios"]
    }
    assert cached == {
        "warm": [(3, 3)] * 2,
        "source": [(2, 3)] * 2,
        "dependency": [(0, 3)] * 2,
        "cold": [(0, 3)] * 2,
    }, ran.err
    changed = {one["scenario"]: one["changed"] for one in subject["scenarios"]}
    assert changed["source"] == "app/app.py"
    assert changed["dependency"] == "app/requirements.txt"
    assert "[1/9] app-production: once beforehand … about" in ran.err
    shown = run_task(repository, "compare.variants", "--format", "json").json()["variants"]
    (row,) = [row for row in shown if row["target"] == "app-production"]
    assert len(row["figures"]["cold"]["runs"]) == 2
    assert row["figures"]["cached"]["value"] == pytest.approx(200 / 3)
    assert row["figures"]["proofs"]["reason"] == "not proven"


@pytest.mark.usefixtures("nothing_left")
def test_a_build_that_fails_has_a_reason_and_the_others_go_on(repository: Path) -> None:
    ran = run_task(repository, "compare.builds", "--runs", "1", "--scenario", "warm")
    assert ran.code == 4
    shown = run_task(repository, "compare.variants").out
    assert "No figure, the build failed: " in shown
    assert "warm of broken-production" in shown
    kept = json.loads((repository / ".slipway/compare/builds.json").read_text())
    runs = {one["target"]: len(one["scenarios"][0]["runs"]) for one in kept["subjects"]}
    assert runs == {"app-production": 1, "broken-production": 0}


@pytest.mark.usefixtures("nothing_left")
def test_ctrl_c_keeps_the_numbers_and_leaves_nothing_behind(repository: Path) -> None:
    started = start_task(repository, "compare.builds", "--runs", "100", "--target", "app-*")
    started.wait_until_it_says("warm, run 3")
    os.killpg(started.process.pid, signal.SIGINT)
    ended = started.finish()
    assert ended.code == 130
    assert ended.said == "interrupted"
    kept = json.loads((repository / ".slipway/compare/builds.json").read_text())
    assert len(kept["subjects"][0]["scenarios"][0]["runs"]) >= 2


def test_pages_are_filled(repository: Path) -> None:
    docs = repository / "docs"
    docs.mkdir()
    page = docs / "any.md"
    page.write_text("before\n<!-- variants: begin --><!-- variants: end -->\nafter\n")
    assert run_task(repository, "compare.variants", "--update").code == 0
    text = page.read_text()
    assert "| app " in text
    assert text.endswith("after\n")
    page.unlink()
    ran = run_task(repository, "compare.variants", "--update")
    assert ran.code == 2
    assert "no page of docs/ has a place for the table" in ran.said
