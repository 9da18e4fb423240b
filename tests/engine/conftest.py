"""A real engine, and copies of this repository to run tasks in.

Everything these tests make carries its own project name and tag prefix, so that the images of the
person who runs them are left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tasks.core import daemon, process
from tasks.core.endpoint import Engine
from tasks.core.engine import ensure
from tasks.core.errors import OutOfReach
from tasks.core.provision import bases
from tasks.core.provision.bases import BaseNeed

if TYPE_CHECKING:
    from docker import DockerClient

    from tests.engine.second import TwoNodes

REPOSITORY = Path(__file__).parents[2]
PROJECT = "slipway-test"
PREFIX = "slipway.test"
BASE = "node:22-bookworm-slim"
PATIENCE_SECONDS = 1500
#: What builds.
_BUILDS = re.compile(
    r"\b(build\.|pipeline|(compare|bench)\.(builds|peers)|verify\.reproducible|compose|"
    r"buildx build)\b"
)
_alone = False


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


def cannot_run(reason: str) -> NoReturn:
    """Skip a test that this machine cannot run; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"in CI no engine test is skipped: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that tasks would use, brought up when there is none, and BASE in its reach.

    Tests that build without a task, which would see to it, stand on that.
    """
    try:
        found = ensure(os.environ.get("ENGINE", "auto"))
        bases.ensure_bases(found, [BaseNeed(BASE)], process.note)
    except OutOfReach as error:
        cannot_run(str(error))
    return found


@pytest.fixture(scope="session")
def client(engine: Engine) -> Iterator[DockerClient]:
    """The engine's API."""
    with contextlib.closing(daemon.connect(engine)) as connected:
        yield connected


@contextlib.contextmanager
def emulation_lock(*, alone: bool = False) -> Iterator[None]:
    """Hold this while containers of foreign platforms run; ``alone`` to turn emulation off.

    The kernel's handlers are the whole machine's: tests that run side by side share them.
    """
    with _lock("emulation", alone=alone):
        yield


@contextlib.contextmanager
def cache_lock(*, alone: bool = False) -> Iterator[None]:
    """Hold this while something is built (`run` does); ``alone`` to count hits, or to use no cache.

    A step that another build, still at work, ran is shared with it, and BuildKit then looks for no
    cache behind it: all that follows runs again (moby/buildkit issue 4674). Whoever has it alone
    knows that all builds which it may have shared steps with are over.
    """
    global _alone
    if _alone:
        yield
        return
    with _lock("cache", alone=alone):
        _alone = alone
        try:
            yield
        finally:
            _alone = False


@contextlib.contextmanager
def _lock(name: str, *, alone: bool) -> Iterator[None]:
    with Path(tempfile.gettempdir(), f"slipway-test-{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def remove_images(client: DockerClient, project: str) -> None:
    """Remove what tests built under a project of their own, under all of its names."""
    from docker.errors import ImageNotFound

    for image in client.images.list(filters={"label": f"dev.slipway.project={project}"}):
        for name in image.tags or [str(image.id)]:
            with contextlib.suppress(ImageNotFound):  # it went with another name
                client.images.remove(name)


@pytest.fixture(scope="module")
def two(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    """Two engines joined as one builder, for the tests of one file."""
    from tests.engine.second import two_nodes  # late: it takes helpers from here

    with two_nodes(engine, tmp_path_factory.mktemp("two")) as joined:
        yield joined


@pytest.fixture
def whole(two: TwoNodes) -> Iterator[TwoNodes]:
    """The two nodes, whole again whatever a test did to them."""
    yield two
    for node in two.nodes:
        node.mend()
        node.slow(None)


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


def task_command(root: Path, *words: str) -> list[str]:
    """As ``inv`` runs a task, with the Python that runs the tests."""
    program = root / "tasks/core/program.py"
    return [sys.executable, "-P", str(program), "--search-root", str(root), *words]


def run_task(root: Path, *words: str, env: Mapping[str, str] | None = None) -> Ran:
    """Run a task of the repository at ``root`` to its end."""
    return run(task_command(root, *words), root, environment(env))


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Ran:
    """Run anything to its end; what builds holds the lock for it."""
    builds = _BUILDS.search(" ".join(command))
    with cache_lock() if builds else contextlib.nullcontext():
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Started:
    """A task that runs in the background; what it says goes to a file."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_until_it_says(self, text: str, seconds: float = 120) -> None:
        """Return once ``text`` was printed; fail when the task ends or the time is up before."""
        deadline = time.monotonic() + seconds
        while text not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"it never said {text!r}:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.05)

    def finish(self, seconds: float = 120) -> Ran:
        """The task's end."""
        code = self.process.wait(timeout=seconds)
        return Ran(code, "", self.log.read_text(errors="replace"))


def start_task(root: Path, *words: str, env: Mapping[str, str] | None = None) -> Started:
    """Start a task of the repository at ``root``; it is a process group of its own."""
    log = root.parent / f"{root.name}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            task_command(root, *words),
            cwd=root,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    return Started(process, log)


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether ``condition`` comes true soon."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def make_scratch(root: Path) -> Path:
    """A repository that has nothing but ``tasks/``, a two-line Dockerfile and a bake file."""
    root.mkdir(parents=True)
    for name in ("tasks.py", "inv", "requirements.txt"):
        shutil.copy2(REPOSITORY / name, root / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "tasks", root / "tasks", ignore=ignored)
    (root / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    (root / "docker-bake.hcl").write_text('target "app" {\n  tags = ["scratch-app:latest"]\n}\n')
    return root


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A repository of one's own, see ``make_scratch``."""
    return make_scratch(tmp_path / "scratch")
