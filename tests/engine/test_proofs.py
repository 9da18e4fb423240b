"""Flawed images: each flaw is caught by its own proof, and a sound image raises nothing."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core.endpoint import Engine
from tests.engine.conftest import PROJECT, make_scratch, run_task, start_task

if TYPE_CHECKING:
    from docker import DockerClient


SERVER = """
const http = require("node:http");
const { spawn } = require("node:child_process");
const flaw = process.env.FLAW;
if (flaw === "exits") { console.error("no configuration"); process.exit(7); }
if (flaw === "child") spawn("/usr/bin/sleep", ["600"]);
const body = JSON.stringify({ version: flaw === "version" ? "9.9.9" : "1.2.3", commit: "abcdef0" });
const server = http.createServer((request, response) => {
  response.statusCode = flaw === "page" && request.url === "/" ? 500 : 200;
  response.end(body);
});
server.listen(8000, flaw === "loopback" ? "127.0.0.1" : "0.0.0.0");
process.on("SIGTERM", () => {
  if (flaw === "deaf") return;
  process.exit(flaw === "dirty" ? 3 : 0);
});
"""

HEALTH = """
fetch("http://127.0.0.1:8000/health").then(
  () => process.exit(process.env.FLAW === "sick" ? 1 : 0),
  () => process.exit(1),
);
"""

DOCKERFILE = """
FROM node:22-bookworm-slim AS sound
ARG FLAW=
ENV FLAW=$FLAW
COPY server.js health.js /
EXPOSE 8000
USER 1000
HEALTHCHECK --start-interval=200ms --start-period=20s CMD ["node", "/health.js"]
CMD ["node", "/server.js"]
FROM node:22-bookworm-slim AS unchecked
ARG FLAW=
ENV FLAW=$FLAW
COPY server.js /
USER 1000
EXPOSE 8000
HEALTHCHECK NONE
CMD ["node", "/server.js"]
FROM node:22-bookworm-slim AS worker
USER 1000
CMD ["node", "-e", "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000)"]
FROM node:22-bookworm-slim AS done
USER 1000
ENTRYPOINT ["/bin/true"]
FROM sound AS root
USER 0
FROM sound AS mapped
COPY passwd /etc/passwd
USER app
"""

#: flaw: the one proof that must fail
FLAWS = {
    "root": "identity.uids",
    "mapped": "identity.uids",
    "exits": "runtime.healthy",
    "sick": "runtime.healthy",
    "version": "supply-chain.version",
    "page": "runtime.page",
    "loopback": "runtime.health-path",
    "deaf": "runtime.stops",
    "dirty": "runtime.stops",
    "done": "runtime.starts",
}
SOUND = ("sound", "child", "unchecked", "worker")
STAGES = ("root", "mapped", "unchecked", "worker", "done")


def bake_target(name: str) -> str:
    stage = name if name in STAGES else "sound"
    return f"""
target "{name}" {{
  target = "{stage}"
  args   = {{ FLAW = "{name}" }}
  tags   = ["{PROJECT}-flaw:{name}"]
  labels = {{
    "org.opencontainers.image.version"  = "1.2.3"
    "org.opencontainers.image.revision" = "abcdef0"
  }}
}}
"""


POLICY = """
slipway:
  policy:
    "*": { port: 8000, health: /health, healthy_seconds: 20, stop_seconds: 2 }
    "sick": { healthy_seconds: 4 }
    "worker": { port: null, health: null }
    "done": { port: null, health: null }
"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Path:
    root = make_scratch(tmp_path_factory.mktemp("gallery") / "flaws")
    (root / "server.js").write_text(SERVER)
    (root / "health.js").write_text(HEALTH)
    (root / "passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:0:0::/:/bin/sh\n")
    (root / "Dockerfile").write_text(DOCKERFILE)
    names = [*FLAWS, *SOUND]
    groups = f'group "default" {{ targets = {names} }}\n'.replace("'", '"')
    (root / "docker-bake.hcl").write_text(groups + "".join(map(bake_target, names)))
    (root / "invoke.yaml").write_text(POLICY)
    built = run_task(root, "build.targets", "default", env={"REGISTRY": ""})
    assert built.code == 0, built.err
    return root


@pytest.fixture(scope="module")
def verdicts(gallery: Path) -> list[dict[str, Any]]:
    ran = run_task(gallery, "verify.production", "--target", "*", "--format", "json")
    assert ran.code == 1, ran.err
    found: list[dict[str, Any]] = ran.json()["verdicts"]
    return found


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_flaw_is_caught_by_its_own_proof(flaw: str, verdicts: list[dict[str, Any]]) -> None:
    failed = [v["proof"] for v in verdicts if v["target"] == flaw and v["status"] == "failed"]
    assert failed
    assert failed[0] == FLAWS[flaw]


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_image_raises_nothing(name: str, verdicts: list[dict[str, Any]]) -> None:
    mine = [verdict for verdict in verdicts if verdict["target"] == name]
    assert "failed" not in {verdict["status"] for verdict in mine}
    stops = [verdict["status"] for verdict in mine if verdict["proof"] == "runtime.stops"]
    assert stops == ["passed"]


def test_a_child_process_is_seen(verdicts: list[dict[str, Any]]) -> None:
    (uids,) = [v for v in verdicts if v["target"] == "child" and v["proof"] == "identity.uids"]
    assert uids["measured"] == "2 processes, uids 1000"


def test_nothing_is_left(verdicts: list[dict[str, Any]], client: DockerClient) -> None:
    assert containers(client) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_proof_leaves_no_container(
    ending: signal.Signals, gallery: Path, client: DockerClient
) -> None:
    (gallery / "invoke.yaml").write_text(
        POLICY.replace("healthy_seconds: 4", "healthy_seconds: 60")
    )
    task = start_task(gallery, "verify.production", "--target", "sick")
    deadline = time.monotonic() + 60
    while not containers(client) and time.monotonic() < deadline:
        time.sleep(0.05)
    task.process.send_signal(ending)
    ran = task.finish(seconds=30)
    assert ran.code == 130, ran.err
    assert ran.said == "interrupted"
    assert containers(client) == []


def containers(client: DockerClient) -> list[str]:
    """The containers of the tests' own runs, whatever their state."""
    mine: dict[str, Any] = {"label": [f"dev.slipway.project={PROJECT}", "dev.slipway.run"]}
    found = client.containers.list(all=True, filters=mine, ignore_removed=True)
    return [
        str(container.id)
        for container in found
        if container.labels.get("dev.slipway.target") in {*FLAWS, *SOUND}
    ]
