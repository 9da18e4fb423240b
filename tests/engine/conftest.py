"""A real engine, and copies of this repository to run tasks in.

Everything these tests make carries its own project name and tag prefix, so that the images of the
person who runs them are left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core import daemon
from tasks.core.engine import Engine, ensure
from tasks.core.errors import OutOfReach

if TYPE_CHECKING:
    from docker import DockerClient

REPOSITORY = Path(__file__).parents[2]
PROJECT = "slipway-test"
PREFIX = "slipway.test"


@dataclass(frozen=True)
class Ran:
    """A finished task: exit code, standard output (the result), standard error (the progress)."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The result, read as JSON."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """The last line of standard error: what a person reads when it failed."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that tasks would use, brought up when there is none."""
    try:
        return ensure(os.environ.get("ENGINE", "auto"))
    except OutOfReach as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no engine, and CI must not skip: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def client(engine: Engine) -> Iterator[DockerClient]:
    """The engine's API."""
    with contextlib.closing(daemon.connect(engine)) as connected:
        yield connected


def copy_repository(destination: Path) -> Path:
    """What git would clone, and what is not committed yet; a checkout of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, target = REPOSITORY / name, destination / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    commit(destination)
    return destination


def commit(root: Path) -> None:
    """Make ``root`` a checkout whose only commit has the same id whenever it holds the same."""
    fixed = {
        **os.environ,
        **{f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME",)},
        **{f"GIT_{who}_EMAIL": "test@example.invalid" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_DATE": "2026-01-02T03:04:05Z" for who in ("AUTHOR", "COMMITTER")},
    }
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "copy"]):
        subprocess.run(
            ["git", "-c", "commit.gpgsign=false", *words], cwd=root, check=True, env=fixed
        )


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with the tests' own names laid over it."""
    return {**os.environ, "PROJECT": PROJECT, "REGISTRY": PREFIX, **(extra or {})}


def run_task(root: Path, *words: str, env: Mapping[str, str] | None = None) -> Ran:
    """Run a task of the repository at ``root`` with the Python that runs the tests."""
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            str(root / "tasks/core/program.py"),
            "--search-root",
            str(root),
            *words,
        ],
        cwd=root,
        env=environment(env),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=1500,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


Inv = Callable[..., Ran]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A repository that has nothing but ``tasks/``, a two-line Dockerfile and a bake file."""
    root = tmp_path / "scratch"
    root.mkdir()
    for name in ("tasks.py", "inv", "requirements.txt"):
        shutil.copy2(REPOSITORY / name, root / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "tasks", root / "tasks", ignore=ignored)
    (root / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    (root / "docker-bake.hcl").write_text('target "app" {\n  tags = ["scratch-app:latest"]\n}\n')
    return root


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository; tests that change it take a copy of their own."""
    return copy_repository(tmp_path_factory.mktemp("copy") / "devops")
