"""Structure tests on real images: the same verdicts as the real tool, and nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from invoke.context import Context

from tasks.core import process, session, structure
from tasks.core.endpoint import Engine
from tasks.core.errors import Interrupted, OutOfReach
from tasks.core.proofs.verdicts import Status, Verdict
from tasks.core.provision import bases
from tasks.core.provision.bases import BaseNeed
from tasks.core.structure import Image, commands
from tests.engine.conftest import BASE, cannot_run, emulation_lock, remove_images
from tests.engine.structure_cases import GLOBAL, LICENSES, METADATA, TESTS

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-structure"
NATIVE, BOTH = f"{PROJECT}:native", f"{PROJECT}:both"
DOCKERFILE = """
FROM node:22-bookworm-slim
ENV GREETING="hello there" EMPTY="" AT=/srv
LABEL org.example.version="1.2.3"
COPY --chown=7:8 --chmod=640 page /srv/page
COPY copyright /usr/share/doc/ours/copyright
RUN ln -s page /srv/link && ln -s /srv/page /srv/far && ln -s nowhere /srv/lost \\
 && ln /srv/page /srv/hard && mkfifo /srv/queue && mkdir -m 1777 /srv/shared \\
 && printf '\\377\\376' > /srv/bytes && : > /srv/empty && cp /bin/true /srv/su && chmod 4755 /srv/su
VOLUME /data
EXPOSE 8080 53/udp
WORKDIR /srv
USER 1000
ENTRYPOINT ["/bin/false"]
CMD ["node", "main.js"]
"""
KINDS = {
    "Command Test": "structure.command",
    "File Existence Test": "structure.file-existence",
    "File Content Test": "structure.file-content",
}


def build(engine: Engine, folder: Path, tag: str, platforms: tuple[str, ...] = ()) -> None:
    bases.ensure_bases(engine, [BaseNeed(BASE, platforms)], process.note)
    command = (engine.docker, "buildx", "build", "--provenance=false", "--quiet", "--load")
    options = ("--label", f"dev.slipway.project={PROJECT}", "--tag", tag)
    several = ("--platform", ",".join(platforms)) if platforms else ()
    process.read((*command, *options, *several, str(folder)), env=engine.environment)


@pytest.fixture(scope="module")
def native(engine: Engine, client: DockerClient, tmp_path_factory: Any) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("structure")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "page").write_text("first\nsecond\n")
    (folder / "copyright").write_text("The MIT License\n")
    build(engine, folder, NATIVE)
    yield NATIVE
    remove_images(client, PROJECT)


def prove(tmp_path: Path, tests: Mapping[str, Any], reference: str) -> tuple[Verdict, ...]:
    """The verdicts of Slipway on ``tests``."""
    path = tmp_path / "tests.yaml"
    path.write_text(json.dumps({"schemaVersion": "2.0.0", **tests}))
    now = session.begin(Context(), overrides=[f"PROJECT={PROJECT}"])
    return structure.prove(now, structure.load(path), [Image("app", reference)], jobs=2)


def real(
    engine: Engine, tmp_path: Path, tests: Mapping[str, Any], reference: str
) -> list[dict[str, Any]]:
    """The results of the real tool, from the package index, on the same."""
    program = shutil.which(
        "container-structure-test",
        path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    )
    if program is None:
        cannot_run("container-structure-test is not installed: see requirements-dev.txt")
    path = tmp_path / "real.yaml"
    path.write_text(json.dumps({"schemaVersion": "2.0.0", **tests}))
    command = (program, "test", "--image", reference, "--config", str(path), "--output", "json")
    done = subprocess.run(
        command,
        env={**os.environ, **engine.environment, "DOCKER_HOST": engine.host},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    results: list[dict[str, Any]] = json.loads(done.stdout)["Results"]
    return results


def passed(verdicts: Sequence[Verdict]) -> dict[tuple[str, str], bool]:
    """Whether each test passed, by its proof and name."""
    names = [each.message.partition(": ")[0] for each in verdicts]
    return {
        (each.proof, name): each.status is Status.PASSED
        for each, name in zip(verdicts, names, strict=True)
    }


def told(results: Sequence[dict[str, Any]]) -> dict[tuple[str, str], bool]:
    """The same of the real tool's results."""
    parts = [(each["Name"].partition(": "), bool(each["Pass"])) for each in results]
    return {(KINDS[kind], name): result for (kind, _, name), result in parts}


def test_the_same_verdicts_as_the_real_tool(engine: Engine, native: str, tmp_path: Path) -> None:
    tests = {**GLOBAL, **TESTS}
    with ThreadPoolExecutor(1) as pool:  # both wait for the engine most of the time
        theirs = pool.submit(real, engine, tmp_path, tests, native)
        found = passed(prove(tmp_path, tests, native))
    expected = told(theirs.result())
    assert len(found) == sum(map(len, TESTS.values()))
    assert {key: found.get(key) for key in expected} == expected
    assert {True, False} == set(expected.values())


@pytest.mark.parametrize("case", METADATA)
def test_the_same_on_metadata(case: str, engine: Engine, native: str, tmp_path: Path) -> None:
    tests = {"metadataTest": METADATA[case]}
    [result] = real(engine, tmp_path, tests, native)
    [verdict] = prove(tmp_path, tests, native)
    assert (verdict.status is Status.PASSED) == bool(result["Pass"]) == (case == "as it is")


@pytest.mark.parametrize("case", LICENSES)
def test_the_same_on_licences(case: str, engine: Engine, native: str, tmp_path: Path) -> None:
    tests = {"licenseTests": [LICENSES[case]]}
    [result] = real(engine, tmp_path, tests, native)
    [verdict] = prove(tmp_path, tests, native)
    assert (verdict.status is Status.PASSED) == bool(result["Pass"]), result.get("Errors")


def test_run_options(
    engine: Engine, native: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "from outside")
    (tmp_path / "own.env").write_text("FILED='from a file'\n")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "note").write_text("seen\n")
    own = [{"key": "OWN", "value": "1"}]
    tests = {
        "containerRunOptions": {
            "user": "root",
            "privileged": True,
            "envVars": ["GIVEN"],
            "envFile": str(tmp_path / "own.env"),
            "bindMounts": [f"{shared}:/shared:ro"],
        },
        "commandTests": [
            {"name": "root", "command": "id", "args": ["-u"], "expectedOutput": ["^0\n"]},
            {
                "name": "capabilities",
                "command": "grep",
                "args": ["CapEff", "/proc/self/status"],
                "expectedOutput": ["ffffff"],
            },
            {"name": "mount", "command": "cat", "args": ["/shared/note"]},
            {"name": "read-only", "command": "touch", "args": ["/shared/x"], "exitCode": 1},
            {"name": "ours", "command": "printenv", "args": ["GIVEN", "FILED"]},
            {"name": "own", "command": "printenv", "args": ["OWN"], "envVars": own},
            {
                "name": "own after setup",
                "setup": [["true"]],
                "command": "printenv",
                "args": ["OWN"],
                "envVars": own,
            },
        ],
    }
    expected = told(real(engine, tmp_path, tests, native))
    assert passed(prove(tmp_path, tests, native)) == expected
    assert [name for (_, name), result in expected.items() if not result] == ["own"]


def test_every_platform_is_tested(
    engine: Engine, native: str, client: DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM node:22-bookworm-slim\nUSER 1000\n")
    platforms = ("linux/amd64", "linux/arm64")
    build(engine, tmp_path, BOTH, platforms)
    tests = {
        "commandTests": [
            {"name": "x", "command": "uname", "args": ["-m"], "expectedOutput": ["x86_64"]},
            {
                "name": "setup",
                "setup": [["sh", "-c", "uname -m > /tmp/machine"]],
                "command": "grep",
                "args": ["-x", "x86_64\\|aarch64", "/tmp/machine"],
            },
        ],
        "fileExistenceTests": [{"name": "node", "path": "/usr/local/bin/node"}],
    }
    with emulation_lock():
        found = prove(tmp_path, tests, BOTH)
    failed = [(each.platform, each.message) for each in found if each.status is Status.FAILED]
    assert [platform for platform, _ in failed] == ["linux/arm64"]
    assert "it said 'aarch64'" in failed[0][1]
    assert len(found) == 6


def test_a_command_without_end_is_ended(
    native: str, client: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "SECONDS", 2.0)
    tests = {
        "commandTests": [
            {"name": "sleeps", "command": "sleep", "args": ["1000"]},
            {"name": "prepares", "setup": [["sleep", "1000"]], "command": "true"},
        ]
    }
    found = prove(tmp_path, tests, native)
    assert [each.message for each in found] == [
        "sleeps: still running after 2 s",
        "prepares: still running after 2 s",
    ]
    assert left(client) == []


def test_a_command_that_says_too_much(
    native: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MAX_OUTPUT_BYTES", 2**20)
    tests = {
        "commandTests": [{"name": "loud", "command": "sh", "args": ["-c", "yes | head -c 2M"]}]
    }
    [verdict] = prove(tmp_path, tests, native)
    assert verdict.message == "loud: it says more than 1 MiB"


def test_an_interruption_leaves_nothing(
    native: str, client: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = {"name": "n", "setup": [["true"]], "command": "sleep", "args": ["99"]}

    def interrupt(future: Any) -> None:
        until = time.monotonic() + 60
        while not any(c.status == "running" for c in mine(client)) and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(1.5)  # the setup command has ended by now
        raise Interrupted("interrupted")

    before = images(client)
    monkeypatch.setattr("tasks.core.waiting.result", interrupt)
    with pytest.raises(Interrupted):
        prove(tmp_path, {"commandTests": [test]}, native)
    assert left(client) == []
    assert images(client) == before


def test_an_image_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    tests = {"fileExistenceTests": [{"name": "n", "path": "/"}]}
    with pytest.raises(OutOfReach, match=f"no image {PROJECT}:none in the engine"):
        prove(tmp_path, tests, f"{PROJECT}:none")


def mine(client: DockerClient) -> list[Any]:
    filters: dict[str, Any] = {"label": f"dev.slipway.project={PROJECT}"}
    return list(client.containers.list(all=True, filters=filters, ignore_removed=True))


def left(client: DockerClient) -> list[str]:
    return [str(container.id) for container in mine(client)]


def images(client: DockerClient) -> set[str]:
    filters: dict[str, Any] = {"label": f"dev.slipway.project={PROJECT}"}
    return {str(image.id) for image in client.images.list(all=True, filters=filters)}
