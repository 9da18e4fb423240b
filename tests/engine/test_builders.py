"""Builders of several nodes, with two real engines on one machine."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import pytest

from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.machines import builders
from tasks.core.provision import registry
from tests.engine.conftest import BASE, Ran, make_scratch, run_task
from tests.engine.second import TwoNodes, builds_of, told_of

BOTH = "linux/amd64,linux/arm64"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A build that runs something on the building machine, and takes a while when told to."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f"FROM --platform=$BUILDPLATFORM {BASE} AS made\n"
        "ARG TARGETARCH\nARG PAUSE=0\nARG MARK\n"
        'RUN echo "$TARGETARCH $MARK" >/made && echo begun && sleep "$PAUSE"\n'
        "FROM scratch\nCOPY --from=made /made /made\n"
    )
    return folder


def command(two: TwoNodes, context: Path, *words: str) -> tuple[str, ...]:
    build = ("buildx", "build", "--builder", two.builder, "--provenance=false")
    return (two.engine.docker, *build, "--platform", BOTH, *words, str(context))


def inv(root: Path, two: TwoNodes, *words: str) -> Ran:
    return run_task(root, *words, env=two.environment)


def test_each_platform_is_built_on_its_own_node(
    whole: TwoNodes, context: Path, tmp_path: Path
) -> None:
    before = [builds_of(engine) for engine in whole.engines]
    location = whole.registry
    metadata = tmp_path / "metadata.json"
    reference = f"{location}/slipway.test/two:1"
    words = ("--push", "--tag", reference, "--metadata-file", str(metadata))
    process.read(
        command(whole, context, *words, "--build-arg", f"MARK={tmp_path}"),
        env=whole.environment,
        timeout=300,
    )
    stored = registry.stored(location, "slipway.test/two", "1")
    assert stored is not None
    assert set(stored.platforms) == {"linux/amd64", "linux/arm64"}

    known = [builds_of(engine) for engine in whole.engines]
    new = [now - old for now, old in zip(known, before, strict=True)]
    assert new[0] & new[1], "one build, known to both engines"
    ref = next(iter(new[0] & new[1]))
    for at, platform in enumerate(("amd64", "arm64")):
        steps = told_of(whole.engines[at], ref)
        assert f'RUN echo \\"{platform} ' in steps or f"[linux/{platform} stage-1" in steps
        other = {"amd64": "arm64", "arm64": "amd64"}[platform]
        assert f"[linux/{other} stage-1" not in steps


def test_a_node_lost_during_the_build_fails_it_and_pushes_nothing(
    whole: TwoNodes, context: Path, tmp_path: Path
) -> None:
    location = whole.registry
    words = ("--push", "--tag", f"{location}/slipway.test/lost:1", "--progress=plain")
    arguments = ("--build-arg", "PAUSE=20", "--build-arg", f"MARK={tmp_path}")
    log = tmp_path / "log"
    with log.open("wb") as said:
        building = subprocess.Popen(
            command(whole, context, *words, *arguments),
            env=process.merged(whole.environment),
            stdout=said,
            stderr=said,
        )
    try:
        deadline = time.monotonic() + 120
        # Not the instruction, which buildx shows as well: what it printed on either node.
        while log.read_text(errors="replace").count(" begun\n") < 2:
            assert building.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        whole.nodes[1].cut()
        assert building.wait(60) != 0
    finally:
        building.kill()
        building.wait()
    assert "Unavailable" in log.read_text() or "EOF" in log.read_text()
    assert registry.stored(location, "slipway.test/lost", "1") is None


def test_a_node_that_is_down_is_named_with_what_can_still_be_built(
    whole: TwoNodes, tmp_path: Path
) -> None:
    found = builders.inspect(whole.engine, whole.builder)
    assert [node.reachable for node in found.nodes] == [True, True]
    assert not found.loads_images
    builders.require(found, ("linux/amd64", "linux/arm64"))
    whole.nodes[1].cut()
    found = builders.inspect(whole.engine, whole.builder)
    assert [node.reachable for node in found.nodes] == [True, False]
    builders.require(found, ("linux/amd64",))
    with pytest.raises(OutOfReach, match=r"is down: .+; .*--platform linux/amd64$") as raised:
        builders.require(found, ("linux/amd64", "linux/arm64"))
    assert raised.value.code == 3
    assert f"node {whole.builder}1 ({whole.nodes[1].endpoint})" in str(raised.value)

    listed = inv(make_scratch(tmp_path / "repo"), whole, "builder.list")
    assert listed.code == 0, listed.err
    line = next(line for line in listed.out.splitlines() if whole.nodes[1].endpoint in line)
    assert " down: " in line


def test_a_silent_node_does_not_hold_the_listing_up(whole: TwoNodes) -> None:
    name = "slipway-silent"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        number = silent.getsockname()[1]
        words = ("create", "--driver", "remote", "--name", name, f"tcp://127.0.0.1:{number}")
        process.read((whole.engine.docker, "buildx", *words), env=whole.environment)
        try:
            began = time.monotonic()
            found = builders.inspect(whole.engine, name)
            assert time.monotonic() - began < 15
        finally:
            remove = (whole.engine.docker, "buildx", "rm", "--force", name)
            process.read(remove, env=whole.environment)
    assert found.nodes[0].reason == "no answer within 10 s"


def test_a_slow_node_works(whole: TwoNodes, context: Path, tmp_path: Path) -> None:
    whole.nodes[1].slow(5_000)
    mark = ("--build-arg", f"MARK={tmp_path}")
    built = command(whole, context, "--output=type=cacheonly", *mark)
    before = whole.nodes[1].passed_bytes
    done = process.read(built, env=whole.environment, timeout=300)
    passed = whole.nodes[1].passed_bytes - before
    assert passed > 5_000
    assert done.seconds > 1


def test_create_list_use_remove(whole: TwoNodes, tmp_path: Path) -> None:
    root = make_scratch(tmp_path / "repo")
    (root / ".env").write_bytes(b"# mine\r\nPROJECT=x\r\n")
    (root / ".env").chmod(0o600)
    nodes = [
        f"--node={node.endpoint}=linux/{architecture}"
        for node, architecture in zip(whole.nodes, ("amd64", "arm64"), strict=True)
    ]
    dry = inv(root, whole, "--dry", "builder.create", "--name", "pair", *nodes)
    assert (dry.code, dry.out.count("buildx create")) == (0, 2), dry.err
    made = inv(root, whole, "builder.create", "--name", "pair", *nodes)
    assert made.code == 0, made.err
    again = inv(root, whole, "builder.create", "--name", "pair", *nodes)
    assert (again.code, "inv builder.remove pair" in again.said) == (2, True)

    used = inv(root, whole, "builder.use", "pair")
    assert used.code == 0, used.err
    assert (root / ".env").read_bytes() == b"# mine\r\nPROJECT=x\r\nBUILDER=pair\r\n"
    assert (root / ".env").stat().st_mode & 0o777 == 0o600
    listed = inv(root, whole, "builder.list", "--format", "json").json()["builders"]
    pair = next(builder for builder in listed if builder["name"] == "pair")
    assert pair["used"]
    counted = [(node["reachable"], node["cache_bytes"] is not None) for node in pair["nodes"]]
    assert counted == [(True, True)] * 2, pair["nodes"]
    assert [node["native"] for node in pair["nodes"]] == [whole.engine.native_platform] * 2

    assert inv(root, whole, "--dry", "builder.remove", "pair").code == 0
    removed = inv(root, whole, "builder.remove", "pair")
    assert removed.code == 0, removed.err
    assert (root / ".env").read_bytes() == b"# mine\r\nPROJECT=x\r\n"
    assert not builders.exists(whole.engine, "pair")
    foreign = inv(root, whole, "builder.remove", whole.builder)
    assert (foreign.code, "--yes" in foreign.said) == (2, True)


def test_a_builder_whose_later_node_does_not_answer_is_not_made(
    whole: TwoNodes, tmp_path: Path
) -> None:
    root = make_scratch(tmp_path / "repo")
    whole.nodes[1].cut()
    nodes = [f"--node={node.endpoint}" for node in whole.nodes]
    ran = inv(root, whole, "builder.create", "--name", "half", *nodes)
    assert ran.code == 3
    assert "node half1 (" in ran.said
    assert not builders.exists(whole.engine, "half")
