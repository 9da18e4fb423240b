"""The files of CI: clean by actionlint and zizmor, few rights, and nothing but our tasks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import workflows
from tests.workflows import GITLAB, PULL_REQUEST, RELEASE, ROOT

FLOWS = (PULL_REQUEST, RELEASE)
TOOLS = Path(sys.executable).parent
#: Steps that are no tasks of ours, by name: what only GitHub's machines and its API need.
PLUMBING = {
    "Have an image store that exports caches",
    "Have an image store for several platforms, and emulation to prove them with",
    "Log in",
    "Say what is to be signed",
    "Write the comment, or the last one anew",
}
#: The same in GitLab's file, by the first word.
GITLAB_PLUMBING = ("cd", "git", "printf")
FLAWED = """
name: Flawed
on: pull_request_target
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v4
      - run: echo ${{ github.event.pull_request.title }} ${{ no.such.context }}
"""


def judged(tool: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOOLS / tool, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def actionlint(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Without the checkers of scripts that may be on PATH, so that it says the same everywhere."""
    return judged("actionlint", "-shellcheck=", "-pyflakes=", *map(str, paths))


def zizmor(path: Path) -> subprocess.CompletedProcess[str]:
    return judged("zizmor", "--offline", "--no-config", "--persona", "auditor", str(path))


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.name)
def test_actionlint_and_zizmor_have_nothing_to_say(path: Path) -> None:
    for done in (actionlint(path), zizmor(path)):
        assert done.returncode == 0, done.stdout + done.stderr


def test_they_say_something_of_a_flawed_one(tmp_path: Path) -> None:
    path = tmp_path / ".github/workflows/flawed.yml"
    path.parent.mkdir(parents=True)
    path.write_text(FLAWED)
    linted, audited = actionlint(path), zizmor(path)
    assert linted.returncode != 0
    assert "no.such.context" in linted.stdout
    assert audited.returncode != 0
    rules = ("dangerous-triggers", "unpinned-uses", "artipacked", "excessive-permissions")
    assert [rule for rule in rules if rule not in audited.stdout] == []


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert used
    for action, remark in used:
        assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", remark), action


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.name)
def test_rights_are_given_job_by_job(path: Path) -> None:
    flow = workflows.read(path)
    assert flow["permissions"] == {}
    for name, job in flow["jobs"].items():
        ran = {step.run for step in workflows.steps(path, name)}
        writes = [right for right, level in job["permissions"].items() if level == "write"]
        assert not (writes and any("./inv" in run for run in ran)), f"{name} may write, and builds"


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.name)
def test_what_is_done_is_done_by_our_tasks(path: Path) -> None:
    for step in workflows.steps(path):
        if step.run and step.name not in PLUMBING:
            assert all(line.startswith("./inv ") for line in step.commands), step.name
        assert "${{" not in step.run, f"{step.name}: texts of others belong into variables"


def test_gitlab_says_the_same_words() -> None:
    words = {line for path in FLOWS for step in workflows.steps(path) for line in step.commands}
    for job, lines in workflows.scripts(GITLAB).items():
        ours = [line for line in lines if not line.startswith(GITLAB_PLUMBING)]
        assert ours, job
        assert [line for line in ours if line not in words] == [], job


def test_no_file_of_ci_names_a_registry() -> None:
    for path in (*FLOWS, GITLAB):
        assert not re.search(r"\b[\w-]+\.(io|com|dev|cloud)\b", path.read_text()), path.name
