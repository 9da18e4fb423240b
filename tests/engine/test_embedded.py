"""The embedded engine's life, in a home of its own beside whatever engine runs here."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core import engine as engines
from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.provision import daemons, embedded, machine, network
from tasks.core.provision import home as homes
from tasks.core.provision.home import Home
from tests.engine.conftest import cannot_run, eventually

REPOSITORY = Path(__file__).parents[2]
CALL_UP = "from tasks.core.provision import embedded; print(embedded.up().started)"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """An empty home; the programs of the machine's usual one are taken over to save a download."""
    if machine.unsuitable():
        cannot_run(f"the embedded engine cannot run here: {machine.unsuitable()}")
    usual = homes.current()
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    own = homes.current()
    if usual.tools.is_dir():
        own.root.mkdir()
        shutil.copytree(usual.tools, own.tools, symlinks=True)
    yield own
    embedded.down()
    shutil.rmtree(own.runtime, ignore_errors=True)


def docker(engine: Engine, *words: str) -> str:
    argv = (engine.docker, *words)
    return process.read(argv, env=engine.environment, timeout=60).stdout.strip()


def processes_of(home: Home) -> list[str]:
    """Command lines that name the home or its runtime folder."""
    lines = daemons.command_lines()
    return [line for line in lines if f"{home.root}/" in line or f"{home.runtime}/" in line]


def test_another_engines_bridge_survives(home: Home, engine: Engine) -> None:
    """dockerd removes docker0 under some settings; as a guest that is not ours to lose."""
    # Bridges only: other tests' containers come and go meanwhile, with their virtual cables.
    before = set(Path("/sys/class/net").glob("*/bridge"))
    for _ in range(2):  # it was the second start that did it
        embedded.up()
        embedded.down()
    assert set(Path("/sys/class/net").glob("*/bridge")) >= before


def test_up_use_down(home: Home) -> None:
    first = embedded.up()
    assert (first.kind, first.started) == ("embedded", True)
    details = engines.details(first)
    assert details.storage == "containerd"
    assert docker(first, "compose", "version")
    docker(first, "volume", "create", "kept")

    began = time.monotonic()
    again = embedded.up()
    assert time.monotonic() - began < 0.15
    assert not again.started
    assert engines.find("embedded") == again

    assert embedded.down()
    assert eventually(lambda: processes_of(home) == [])
    assert not Path("/sys/class/net", network.guest(home).bridge).exists()
    assert embedded.find() is None
    assert not embedded.down()

    assert "kept" in docker(embedded.up(), "volume", "ls", "--quiet")


def test_two_runs_at_once_start_one_engine(home: Home) -> None:
    call = (sys.executable, "-c", CALL_UP)
    environment = {"PYTHONPATH": str(REPOSITORY)}
    done = process.together([call, call], at_once=2, env=environment)
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    assert sorted(one.stdout.strip() for one in done) == ["False", "True"]


def kill(home: Home, *names: str) -> None:
    for name in names:
        pid = daemons.running(home.record(name))
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: all(daemons.running(home.record(name)) is None for name in names))


def test_after_a_crash_up_goes_on(home: Home) -> None:
    embedded.up()
    kill(home, "dockerd", "registry")
    assert embedded.find() is None
    engine = embedded.up()
    assert engine.started
    assert docker(engine, "info", "--format", "{{.ServerVersion}}")
    assert embedded.down()
    assert eventually(lambda: processes_of(home) == [])


def test_after_a_crash_down_leaves_no_container_and_no_mount(home: Home, tmp_path: Path) -> None:
    engine = embedded.up()
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    docker(engine, "buildx", "build", "--quiet", "--tag", "empty", str(tmp_path))
    folders = [name for name in ("/usr", "/lib", "/lib64") if Path(name).exists()]
    volumes = [f"--volume={name}:{name}:ro" for name in folders]
    docker(engine, "run", "--init", "--detach", *volumes, "empty", "/usr/bin/sleep", "300")
    kill(home, "dockerd")
    embedded.down()
    assert eventually(lambda: processes_of(home) == [])
    assert homes.mounts_below(home.root) == ()


def test_a_lost_registry_comes_back_without_the_engine_going_down(home: Home) -> None:
    engine = embedded.up()
    before = daemons.running(home.record("dockerd"))
    assert daemons.stop(home.record("registry"), seconds=10)
    # Its port is taken meanwhile: another one is chosen, and the engine is told.
    taken = homes.remembered_port(home)
    assert taken is not None
    import socket

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", taken))
        other.listen()
        repaired = embedded.up()
    assert repaired.registry != engine.registry
    assert daemons.running(home.record("dockerd")) == before
    mirrors = "{{json .RegistryConfig.Mirrors}}"
    assert eventually(lambda: f"{repaired.registry}/" in docker(repaired, "info", "-f", mirrors))


def test_an_engine_that_cannot_start_names_its_log(home: Home) -> None:
    homes.prepare(home)
    (home.root / "data").write_text("this should be a folder")
    done = process.read(
        (sys.executable, "-c", CALL_UP), env={"PYTHONPATH": str(REPOSITORY)}, check=False
    )
    said = done.stderr.strip().splitlines()[-1]
    assert "the embedded engine did not start: " in said
    assert f"(log: {home.logs}/dockerd.log)" in said
    assert daemons.running(home.record("dockerd")) is None
