"""Proofs on running containers: each flaw is caught by its own proof, here and on a far engine."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core.containers import sandbox
from tasks.core.containers.turns import Turn
from tasks.core.endpoint import Engine
from tasks.core.proofs import readiness, runtime, stopping
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.subject import Subject, published
from tasks.core.proofs.verdicts import Status, Verdict
from tests.engine.conftest import make_scratch, run_task
from tests.engine.relay import Relay

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

NAME = "slipway-runtime-test"
SERVER = """
const fs = require("node:fs");
const http = require("node:http");
const { spawn } = require("node:child_process");
const flaw = process.env.FLAW;
let inFlight = 0;
const answer = (response, status) => {
  if (flaw === "logfile") fs.appendFileSync("/tmp/app.log", "asked\\n");
  if (flaw === "writes") fs.writeFile("/home/node/state", "1", () => undefined);
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ arch: process.arch }));
  inFlight -= 1;
};
const server = http.createServer((request, response) => {
  inFlight += 1;
  if (flaw === "leaves" && request.url === "/?healthy") setTimeout(() => process.exit(3), 900);
  const status = flaw === "busy" && inFlight > 8 ? 503 : 200;
  setTimeout(() => answer(response, status), flaw === "busy" ? 20 : 0);
});
const delay = Number(process.env.DELAY ?? 0);
setTimeout(() => server.listen(8000, "0.0.0.0", () => console.log(Date.now())), delay);
if (flaw === "port") http.createServer().listen(9229, "127.0.0.1");
if (flaw === "zombie") spawn("/bin/sh", ["-c", "sleep 0.05 & exit 0"]);
process.on("SIGTERM", () => {
  if (flaw === "deaf") return;
  if (flaw === "drops") process.exit(0);
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
"""
HEALTH = """
fetch("http://127.0.0.1:8000/?healthy").then(
  (said) => process.exit(said.ok ? 0 : 1),
  () => process.exit(1),
);
"""
DOCKERFILE = """
FROM node:22-bookworm-slim AS sound
COPY server.js health.js /
EXPOSE 8000
USER 1000
HEALTHCHECK --interval=20s --start-period=20s CMD ["node", "/health.js"]
ENTRYPOINT []
CMD ["node", "/server.js"]
FROM sound AS root
USER 0
FROM sound AS shell
CMD ["sh", "-c", "node /server.js; exit 0"]
FROM sound AS bare
ENTRYPOINT ["/usr/local/bin/node"]
CMD ["/server.js"]
USER 0
RUN ["/usr/local/bin/node", "-e", "require('fs').rmSync('/bin/sh')"]
USER 1000
"""
STAGES = ("sound", "root", "shell", "bare")
POLICY = Policy(port=8000, health="/", stop_seconds=2, healthy_seconds=20)
#: What is wrong: the proofs that fail.
FLAWS = {
    "port": {"runtime.ports"},
    "leaves": {"runtime.stays"},
    "busy": {"runtime.burst"},
    "writes": {"runtime.writes"},
    "logfile": {"runtime.logs"},
    "zombie": {"runtime.zombies"},
    "drops": {"runtime.drains"},
    "deaf": {"runtime.stops"},
}


class TcpRelay(Relay):
    """The engine as it is reached on another machine."""

    def __init__(self, host: str) -> None:
        self._engine, self._open = host.removeprefix("unix://"), []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def images(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine, client: DockerClient
) -> Iterator[Mapping[str, Subject]]:
    root = make_scratch(tmp_path_factory.mktemp("runtime") / NAME)
    (root / "server.js").write_text(SERVER)
    (root / "health.js").write_text(HEALTH)
    (root / "Dockerfile").write_text(DOCKERFILE)
    targets = [
        f'target "{name}" {{\n  target = "{name}"\n  tags = ["{NAME}:{name}"]\n}}\n'
        for name in STAGES
    ]
    group = f'group "default" {{ targets = {list(STAGES)} }}\n'.replace("'", '"')
    (root / "docker-bake.hcl").write_text(group + "".join(targets))
    built = run_task(root, "build.targets", "default", env={"REGISTRY": "", "PROJECT": NAME})
    assert built.code == 0, built.err
    found = {}
    for name in STAGES:
        config = client.images.get(f"{NAME}:{name}").attrs["Config"]
        found[name] = Subject(name, f"{NAME}:{name}", engine.native_platform, config, POLICY)
    yield found
    for name in STAGES:
        client.images.remove(f"{NAME}:{name}", force=True)


def proven(client: DockerClient, subject: Subject, host: str) -> dict[str, Verdict]:
    with sandbox.run(client, NAME) as run:
        return {one.proof: one for one in runtime.prove(run, subject, host, Turn())}


def flawed(subject: Subject, flaw: str) -> Subject:
    return replace(subject, policy=replace(POLICY, environment=(f"FLAW={flaw}",)))


def failed(verdicts: Mapping[str, Verdict]) -> set[str]:
    return {name for name, one in verdicts.items() if one.status is Status.FAILED}


def left(client: DockerClient) -> list[Any]:
    mine: dict[str, Any] = {"label": f"dev.slipway.project={NAME}"}
    return client.containers.list(all=True, filters=mine, ignore_removed=True)


def test_a_sound_server_raises_nothing(
    images: Mapping[str, Subject], engine: Engine, client: DockerClient
) -> None:
    verdicts = proven(client, images["sound"], engine.host)
    assert failed(verdicts) == set()
    skipped = {name for name, one in verdicts.items() if one.status is Status.SKIPPED}
    assert skipped - {"identity.seccomp"} == {
        *("budget.startup", "budget.memory", "supply-chain.version", "supply-chain.commit"),
    }
    assert verdicts["identity.uids"].measured == "1 processes, uids 1000"
    assert verdicts["budget.memory"].measured.endswith(" MiB")
    assert left(client) == []


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_flaw_fails_its_own_proof(
    flaw: str, images: Mapping[str, Subject], engine: Engine, client: DockerClient
) -> None:
    verdicts = proven(client, flawed(images["sound"], flaw), engine.host)
    assert failed(verdicts) >= FLAWS[flaw], verdicts
    if flaw != "leaves":  # what has left cannot be asked to drain, or to stop
        assert failed(verdicts) == FLAWS[flaw]


def test_root_and_a_shell_in_front_are_seen(
    images: Mapping[str, Subject], engine: Engine, client: DockerClient
) -> None:
    root = proven(client, images["root"], engine.host)
    assert "node (process 1) has the uids 0 0 0 0" in root["identity.uids"].findings
    shell = proven(client, images["shell"], engine.host)
    assert shell["identity.init"].findings == ("sh is the first process",)


def test_ready_is_seen_within_a_third_of_a_second(
    images: Mapping[str, Subject], client: DockerClient
) -> None:
    """The engine's own first check comes after 5 s. On a busy machine one of five will do."""
    late = min(_seen_late(images["sound"], client) for _ in range(5))
    assert late <= 0.3


def _seen_late(sound: Subject, client: DockerClient) -> float:
    """Seconds from the server's own time of listening to when it was seen to answer."""
    policy = replace(POLICY, environment=("DELAY=700",))
    subject = replace(sound, policy=policy)
    with sandbox.run(client, NAME) as run:
        options = sandbox.restricted(policy, 8000)
        with run.container("ready", subject.image, options) as container:
            began, wall = time.monotonic(), time.time()
            container.start()
            ready = readiness.wait(subject, container, published(container, 8000), began)
            listens = int(container.logs().split()[0]) / 1000 - wall
    assert ready.answered is not None
    assert ready.healthy is not None
    return ready.answered - listens


@pytest.mark.parametrize("name", ["sound", "bare"])
def test_a_far_engine_is_looked_at_through_a_helper(
    name: str, images: Mapping[str, Subject], engine: Engine
) -> None:
    """With a shell, and with nothing but Node.js in the image."""
    import docker

    with TcpRelay(engine.host) as relay, contextlib.closing(docker.DockerClient(relay.host)) as far:
        verdicts = proven(far, flawed(images[name], "port"), relay.host)
        assert failed(verdicts) == {"runtime.ports"}
        assert verdicts["runtime.health-path"].status is Status.SKIPPED
        for proof in ("identity.capabilities", "identity.no-new-privileges", "identity.init"):
            assert verdicts[proof].status is Status.PASSED, verdicts[proof]
        root = proven(far, images["root"], relay.host)
        assert "identity.uids" in failed(root)
        zombie = proven(far, flawed(images["sound"], "zombie"), relay.host)
        assert failed(zombie) == {"runtime.zombies"}


def test_a_signal_that_does_not_exist_is_a_failure(
    images: Mapping[str, Subject], client: DockerClient
) -> None:
    subject = images["sound"]
    subject = replace(subject, config={**subject.config, "StopSignal": "SIGNONE"})
    with (
        sandbox.run(client, NAME) as run,
        run.container("signal", subject.image, {}) as container,
    ):
        container.start()
        [stops, drains] = stopping.prove(subject, container, None)
    assert stops.status is Status.FAILED
    assert "SIGNONE" in stops.message
    assert drains.status is Status.SKIPPED


def test_an_interrupted_proof_leaves_nothing(
    images: Mapping[str, Subject], engine: Engine, client: DockerClient
) -> None:
    subject = replace(images["sound"], policy=replace(POLICY, observe_seconds=60))
    with sandbox.run(client, NAME) as run:
        ended: list[BaseException] = []

        def work() -> None:
            try:
                runtime.prove(run, subject, engine.host, Turn())
            except Exception as error:  # noqa: BLE001 - whatever it is, it has to end
                ended.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        deadline = time.monotonic() + 30
        while len(_running(left(client))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        run.end()
        thread.join(timeout=20)
    assert not thread.is_alive()
    assert ended
    assert left(client) == []


def _running(containers: list[Container]) -> list[Container]:
    return [one for one in containers if one.status == "running"]
