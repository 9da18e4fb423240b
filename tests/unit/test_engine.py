"""Which engine is used, without having one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core import engine
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.provision import home as homes

INSPECTED = """Name:          default
Driver:        docker

Nodes:
Name:             default
Platforms:        linux/amd64, linux/amd64/v2, linux/amd64/v3, linux/arm64, linux/arm/v7
Labels:
 org.mobyproject.buildkit.worker.network: host
"""

#: A docker that answers as the real one does; what it says is in the variables it is run with.
FAKE_DOCKER = """#!/bin/sh
case "$1 $2" in
  "version --format") [ -z "$FAKE_SERVER" ] && { echo "Cannot connect to the Docker daemon." >&2
    echo null; exit 1; }; echo "$FAKE_SERVER" ;;
  "buildx version") [ -n "$FAKE_BUILDX" ] && echo "$FAKE_BUILDX" ;;
  "context inspect") echo "unix:///run/other.sock" ;;
  version*) echo "Cannot connect to the Docker daemon." >&2; exit 1 ;;
esac
"""
SERVER = '{"Os":"linux","Arch":"arm64","Version":"28.5.2","ApiVersion":"1.51"}'


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without an engine; programs can be put into the folder returned."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "FAKE_SERVER", "FAKE_BUILDX"):
        monkeypatch.delenv(name, raising=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    return programs


@pytest.fixture
def docker(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same machine with a docker CLI."""
    program = bare / "docker"
    program.write_text(FAKE_DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("FAKE_SERVER", SERVER)
    monkeypatch.setenv("FAKE_BUILDX", "github.com/docker/buildx v0.29.1 abc")
    return program


def test_nothing_is_found_on_a_bare_machine(bare: Path) -> None:
    assert engine.find("auto") is None
    assert engine.find("embedded") is None
    assert engine.find("system") is None


def test_a_system_engine_is_used_as_it_is(docker: Path) -> None:
    found = engine.find("auto")
    assert found is not None
    assert (found.kind, found.host, found.native_platform) == (
        "system",
        "unix:///run/other.sock",
        "linux/arm64",
    )
    assert found.environment == {}, "contexts, TLS files and logins stay the user's"
    assert found.docker == str(docker)


def test_embedded_ignores_the_system_engine(docker: Path) -> None:
    assert engine.find("embedded") is None


@pytest.mark.parametrize("name", ["DOCKER_HOST", "DOCKER_CONTEXT"])
def test_a_named_engine_that_does_not_answer_is_no_reason_for_another(
    docker: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("FAKE_SERVER", "")
    monkeypatch.setenv(name, "tcp://192.0.2.1:2375")
    with pytest.raises(
        OutOfReach, match=rf"the engine at {name}=tcp://192\.0\.2\.1:2375 does not answer: .*"
    ):
        engine.ensure("auto")


def test_a_named_engine_without_a_cli(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(OutOfReach, match="no docker CLI on PATH"):
        engine.find("auto")


def test_system_mode_never_brings_up_another(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SERVER", "")
    with pytest.raises(OutOfReach, match="Cannot connect to the Docker daemon; start it, or set"):
        engine.ensure("system")


def test_an_engine_without_buildx_names_the_mend(
    docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BUILDX", "")
    with pytest.raises(OutOfReach, match="install docker-buildx"):
        engine.find("auto")


def test_an_inherited_docker_host_of_ours_is_the_embedded_engine(
    docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", homes.current().host)
    assert engine.find("auto") is None, "it does not run, and that is no error: it is ours to start"


def test_an_unknown_mode() -> None:
    with pytest.raises(UsageError, match="ENGINE=docker: it is one of auto, system, embedded"):
        engine.find("docker")


def test_platforms_are_read_without_micro_architectures() -> None:
    assert engine.platforms(INSPECTED) == ("linux/amd64", "linux/arm64", "linux/arm/v7")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("github.com/docker/buildx v0.29.1 28f6246", "0.29.1"),
        ("github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4", "0.29.1+ds1"),
        ("", "unknown"),
    ],
)
def test_buildx_version(said: str, expected: str) -> None:
    assert engine.buildx_version(said) == expected


def test_storage() -> None:
    assert engine.storage('[["driver-type","io.containerd.snapshotter.v1"]]') == "containerd"
    assert engine.storage('[["Backing Filesystem","extfs"]]') == "classic"
