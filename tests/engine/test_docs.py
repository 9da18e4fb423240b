"""Every command of the documentation is run, in a copy of the repository, as it stands there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.mark import ParameterSet

from tasks.core.endpoint import Engine
from tests import markdown
from tests.engine import doc_commands
from tests.engine.conftest import (
    Ran,
    cannot_run,
    copy_repository,
    emulation_lock,
    environment,
    remove_images,
    run,
)
from tests.engine.doc_commands import CANNOT, EXITS, FILLED, LAST, LONG, PREFIX, PROJECT
from tests.engine.test_workflows import scanner
from tests.markdown import Command

if TYPE_CHECKING:
    from docker import DockerClient

#: What pages take for granted: an image as a file, a test of somebody's, npm's logins.
STRUCTURE = """schemaVersion: 2.0.0
fileExistenceTests: [{name: users, path: /etc/passwd, shouldExist: true}]
"""
#: Images that the commands of the pages need, as somebody has built them who reads on.
NEEDED = ("./inv pipeline", "./inv build.optimized")


def _case(command: Command) -> ParameterSet:
    marks = [pytest.mark.long] if command.words in LONG else []
    return pytest.param(command, id=f"{command.place} {command.words}", marks=marks)


class Shell:
    """A copy of the repository, and what a person's shell would find there."""

    def __init__(
        self, root: Path, engine: Engine, registry: str, scanner: Mapping[str, str]
    ) -> None:
        self.root, self.registry = root, registry
        self.done: dict[str, Ran] = {}
        own = {
            "PROJECT": PROJECT,
            "REGISTRY": PREFIX,
            "TOKEN": "a-token-of-somebody",
            "COLUMNS": "120",
        }
        path = f"{Path(engine.docker).parent}{os.pathsep}{scanner['PATH']}"
        own |= {
            **scanner,
            "DOCKER_HOST": engine.host,
            "PATH": path,
            "COMPOSE_PROJECT_NAME": PROJECT,
        }
        self.environment = environment({**engine.environment, **own})

    def run(self, words: str) -> Ran:
        """What comes of a command, placeholders filled in; each runs once."""
        if words not in self.done:
            command = ["sh", "-euc", doc_commands.filled(words, self.registry)]
            self.done[words] = run(command, self.root, self.environment)
            self._give_python()
            # Some fill tables of pages: images are then of another state than the checkout.
            subprocess.run(["git", "checkout", "--quiet", "--", "."], cwd=self.root, check=True)
        return self.done[words]

    def _give_python(self) -> None:
        """Spare what a command has copied the minute that a .venv of its own takes."""
        for name in ("target-branch", "../your-repository"):
            place = self.root / name
            if (place / "inv").is_file() and not (place / ".venv").exists():
                (place / ".venv").symlink_to(self.root / ".venv")


@pytest.fixture(scope="module")
def shell(
    engine: Engine, client: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shell]:
    if engine.registry is None:
        cannot_run("the engine has no registry beside it")
    root = copy_repository(tmp_path_factory.mktemp("docs") / "repository")
    # A copy: pages install into it, and `inv` makes it anew where requirements changed.
    shutil.copytree(sys.prefix, root / ".venv", symlinks=True)
    (root / "tests.yaml").write_text(STRUCTURE)
    (root / "ci.npmrc").write_text("fund=false\n")
    (root / "sboms").mkdir()
    made = Shell(root, engine, engine.registry, scanner(tmp_path_factory))
    try:
        for words in NEEDED:
            ran = made.run(words)
            assert ran.code == 0, ran.out + ran.err
        subprocess.run(
            ["docker", "save", "--output", "image.tar", f"{PREFIX}/devops-frontend:latest"],
            cwd=root,
            env=made.environment,
            check=True,
        )
        yield made
    finally:
        remove_images(client, PROJECT)


@pytest.mark.parametrize("command", list(map(_case, doc_commands.every())))
def test_it_does_what_the_page_says(command: Command, shell: Shell) -> None:
    with emulation_lock():
        ran = shell.run(command.words)
    assert ran.code == EXITS.get(command.words, 0), f"{command.place}:\n{ran.out}{ran.err}"


def test_what_is_listed_is_still_there() -> None:
    there = {command.words for page in markdown.every() for command in page.commands}
    listed = {*CANNOT, *LONG, *EXITS, *LAST}
    assert sorted(listed - there) == []


def test_every_placeholder_is_still_used() -> None:
    there = "\n".join(command.words for page in markdown.every() for command in page.commands)
    assert [text for text, _ in FILLED if text not in there] == []
