"""Bad luck while images are proven: interrupted, killed, the engine gone. Nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core import daemon
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.provision import daemons, embedded, tools
from tasks.core.provision import home as homes
from tasks.core.provision.daemons import Daemon
from tasks.core.provision.home import Home
from tests.engine.conftest import Ran, Started, cannot_run, remove_images, run_task, start_task
from tests.engine.gallery import building
from tests.engine.gallery.exhibit import Exhibit
from tests.engine.second import second_engine

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = pytest.mark.long

PROJECT = "slipway-robust"
AROUND = {"PROJECT": PROJECT}
IMAGES = (Exhibit("one", "nothing"), Exhibit("two", "nothing"))
WORDS = ("verify.all", "--target", "*", "--jobs", "2")
#: When each is interrupted differs from run to run; a failure says how to have it again.
SEED = int(os.environ.get("SLIPWAY_TEST_SEED", time.time_ns() % 10**9))
FIRST_SECONDS = 0.05
#: How long an end may take at most.
PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Repository:
    """Where the images are proven, and how many seconds that takes when nothing happens."""

    root: Path
    seconds: float


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine, client: DockerClient
) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("robust") / "scratch"
    try:
        root = building.build(engine, folder, IMAGES, PROJECT)
        began = time.monotonic()
        ran = run_task(root, *WORDS, env=AROUND)
        assert ran.code == 0, ran.err + ran.out
        yield Repository(root, time.monotonic() - began)
    except OutOfReach as reason:
        cannot_run(str(reason))
    finally:
        remove_images(client, PROJECT)


def moment(number: int, seconds: float) -> float:
    """When the interruption of that number comes, in seconds after the start."""
    return random.Random(SEED + number).uniform(FIRST_SECONDS, seconds)  # noqa: S311 - no secret


def to_all(group: int, number: signal.Signals) -> None:
    """As a terminal does it: to the task and its children, but for those that read images."""
    os.killpg(group, number)


def to_it(pid: int, number: signal.Signals) -> None:
    """As a supervisor does it."""
    os.kill(pid, number)


@pytest.mark.parametrize("number", range(10))
def test_interrupted_at_any_moment(
    number: int, repository: Repository, client: DockerClient
) -> None:
    ending, send = (signal.SIGINT, to_all) if number % 2 else (signal.SIGTERM, to_it)
    after = moment(number, repository.seconds)
    told = f"seed {SEED}, {ending.name} after {after:.3f} s"
    task = start_task(repository.root, *WORDS, env=AROUND)
    time.sleep(after)
    ran = ended(task, lambda pid: send(pid, ending))
    assert ran.code in (130, *((0,) if after > repository.seconds * 0.7 else ())), told + ran.err
    # Before there is a task, nothing is said.
    assert ran.code == 0 or ran.said in ("interrupted", ""), told + ran.err
    assert "Traceback" not in ran.err, told + ran.err
    assert containers(client) == [], told + ran.err


@pytest.mark.parametrize("least", [1, 2])
def test_what_a_killed_run_leaves_the_next_removes(
    least: int, repository: Repository, client: DockerClient
) -> None:
    task = start_task(repository.root, *WORDS, env=AROUND)
    until = time.monotonic() + 60
    while len(containers(client)) < least and time.monotonic() < until:
        time.sleep(0.02)
    ran = ended(task, lambda pid: os.kill(pid, signal.SIGKILL))
    assert ran.code == -signal.SIGKILL
    left = containers(client)
    assert len(left) >= least
    after = run_task(repository.root, *WORDS, env=AROUND)
    assert after.code == 0, after.err
    removed = [line for line in after.err.splitlines() if line.startswith("removed container")]
    assert len(removed) == len(left)
    assert containers(client) == []


def test_nobody_removes_what_a_run_still_needs(
    repository: Repository, client: DockerClient
) -> None:
    task = start_task(repository.root, *WORDS, env=AROUND)
    task.wait_until_it_says("proving")
    other = run_task(repository.root, *WORDS, env=AROUND)
    ran = task.finish()
    assert (ran.code, other.code) == (0, 0), ran.err + other.err
    assert "removed container" not in ran.err + other.err
    assert containers(client) == []


@dataclass(frozen=True)
class Mortal:
    """An engine of one's own, that may be killed, and the images in it."""

    engine: Engine
    home: Home
    repository: Repository

    def kill(self) -> None:
        """End it as a crash does: what it started runs on."""
        pid = daemons.running(self.home.record(embedded.NAME))
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)  # its own successor takes a zombie for running

    def revive(self) -> None:
        """Start it again."""
        usual = homes.current()
        program, settings = usual.tools / "usr/sbin/dockerd", self.home.root / "daemon.json"
        again = Daemon(
            "the mortal engine",
            (str(program), "--config-file", str(settings)),
            self.home.record(embedded.NAME),
            self.home.logs / "dockerd.log",
        )
        answers = partial(embedded.answers, self.home.socket)
        daemons.start(again, answers, env={"PATH": tools.path(usual)}, seconds=60)

    def run(self, *words: str) -> Ran:
        """Run a task there to its end."""
        return run_task(self.repository.root, *words, env={**self.engine.environment, **AROUND})

    def start(self) -> Started:
        """Begin to prove there."""
        around = {**self.engine.environment, **AROUND}
        return start_task(self.repository.root, *WORDS, env=around)

    def containers(self) -> list[str]:
        """The containers that are left."""
        with contextlib.closing(daemon.connect(self.engine)) as client:
            return containers(client)


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Mortal]:
    folder = tmp_path_factory.mktemp("mortal")
    home = homes.current({"SLIPWAY_HOME": str(folder / "engine")})
    with second_engine(engine, home.root) as second:
        try:
            root = building.build(second, folder / "scratch", IMAGES, PROJECT)
        except OutOfReach as reason:
            cannot_run(str(reason))
        began = time.monotonic()
        ran = run_task(root, *WORDS, env={**second.environment, **AROUND})
        assert ran.code == 0, ran.err + ran.out
        yield Mortal(second, home, Repository(root, time.monotonic() - began))


@pytest.mark.parametrize("number", range(10, 14))
def test_the_engine_dies_at_any_moment(number: int, mortal: Mortal) -> None:
    after = moment(number, mortal.repository.seconds)
    task = mortal.start()
    time.sleep(after)
    told = f"seed {SEED}, killed after {after:.3f} s: "
    try:
        ran = ended(task, lambda _: mortal.kill())
    finally:
        mortal.revive()
    assert ran.code in (3, *((0,) if after > mortal.repository.seconds * 0.7 else ())), (
        told + ran.err
    )
    assert "Traceback" not in ran.err, told + ran.err
    assert ran.code == 0 or "the engine" in ran.said, told + ran.err
    after_that = mortal.run(*(WORDS if number % 2 else ("clean.containers", "--yes")))
    assert after_that.code == 0, told + after_that.err
    assert mortal.containers() == [], told


def test_an_engine_that_is_restarted_is_waited_for(mortal: Mortal) -> None:
    task = mortal.start()
    until = time.monotonic() + 60
    while not mortal.containers() and time.monotonic() < until:
        time.sleep(0.02)
    mortal.kill()
    mortal.revive()
    ran = task.finish(PATIENCE_SECONDS)
    assert ran.code == 3, ran.err
    assert "Traceback" not in ran.err
    assert mortal.containers() == [], ran.err


def ended(task: Started, end: Callable[[int], None]) -> Ran:
    """The end of a task when ``end`` is given its id: soon, and no process of it is left."""
    with contextlib.suppress(ProcessLookupError):
        end(task.process.pid)
    ran = task.finish(PATIENCE_SECONDS)
    until = time.monotonic() + 5
    while (rest := session(task.process.pid)) and time.monotonic() < until:
        time.sleep(0.05)
    assert rest == [], ran.err
    return ran


def session(leader: int) -> list[str]:
    """The processes that a task started, and it itself."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (place / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader:
                    words = (place / "cmdline").read_bytes().split(b"\0")
                    found.append(f"{place.name} {fields[0]} {b' '.join(words)[:200]!r}")
    return found


def containers(client: DockerClient) -> list[str]:
    """The containers of these tests' runs, whatever their state."""
    mine: dict[str, Any] = {"label": [f"dev.slipway.project={PROJECT}", "dev.slipway.run"]}
    return [each["Id"] for each in client.api.containers(all=True, filters=mine)]
