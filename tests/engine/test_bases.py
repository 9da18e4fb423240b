"""What the sample Dockerfiles rely on in their base images, seen in real containers.

The images are whatever this machine gives: originals where a registry is in reach, look-alikes
otherwise. The contract is the same, which is the point of it.
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.provision import bases, emulation, machine
from tasks.core.provision.bases import BaseNeed
from tests.engine.conftest import PROJECT, cannot_run

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

#: A free port of the loopback interface, chosen by the engine.
PORTS: Any = {"8080/tcp": ("127.0.0.1", None)}
SLIM = "node:22-bookworm-slim"
FULL = "node:22"
NGINX = "nginxinc/nginx-unprivileged:1.30"
#: No registry has this name: only the look-alike can be meant, whose path is what is matched.
DISTROLESS = "registry.example/distroless/nodejs22-debian13:nonroot"
LABELS = {"dev.slipway.project": PROJECT}
HARDENED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "labels": LABELS,
}


@pytest.fixture(scope="module")
def images(engine: Engine) -> Mapping[str, str]:
    """Reference -> what to run for it here."""
    needs = [BaseNeed(reference) for reference in (SLIM, FULL, NGINX)]
    contexts = bases.ensure_bases(engine, needs, process.note)
    named = {need.reference: contexts.get(need.reference, need.reference) for need in needs}
    return {name: image.removeprefix("docker-image://") for name, image in named.items()}


@pytest.fixture(scope="module")
def distroless(engine: Engine) -> str:
    """The look-alike of the distroless image, for the machine's platform and two foreign ones."""
    if machine.unsuitable():
        cannot_run(f"look-alikes cannot be made here: {machine.unsuitable()}")
    need = BaseNeed(DISTROLESS, ("linux/amd64", "linux/arm64", "linux/arm/v7"))
    return bases.look_alikes(engine, [need], process.note)[DISTROLESS]


def run(client: DockerClient, image: str, *words: str, **options: Any) -> str:
    """What a container prints on both streams; it is gone afterwards."""
    settings = {"labels": LABELS, "remove": True, "stderr": True, **options}
    said: bytes = client.containers.run(image, list(words), **settings)
    return said.decode().strip()


@contextlib.contextmanager
def running(client: DockerClient, image: str, **options: Any) -> Iterator[Container]:
    container = client.containers.run(image, detach=True, **options)
    try:
        yield container
    finally:
        container.remove(force=True)


def fetch(container: Container, path: str) -> tuple[int, str]:
    """GET ``path`` from the container's port 8080, once it answers."""
    deadline = time.monotonic() + 15
    while True:
        container.reload()
        published = container.ports.get("8080/tcp")
        try:
            url = f"http://127.0.0.1:{published[0]['HostPort']}{path}" if published else ""
            with urllib.request.urlopen(url or "file:///none", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except OSError:
            if time.monotonic() > deadline or container.status == "exited":
                pytest.fail(f"nginx does not answer: {container.logs().decode()[-500:]}")
            time.sleep(0.1)


@pytest.mark.parametrize("reference", [SLIM, FULL])
def test_node_entrypoint(client: DockerClient, images: Mapping[str, str], reference: str) -> None:
    image = images[reference]
    assert run(client, image, "--version").startswith("v22."), "options go to node"
    assert run(client, image, "-p", "process.getuid()") == "0", "root unless told otherwise"
    assert run(client, image, "sh", "-c", "echo own $0", "x") == "own x", "commands stay commands"
    assert "Cannot find module '/nonsense'" in (
        run(client, image, "sh", "-c", "docker-entrypoint.sh nonsense 2>&1 || true")
    ), "an unknown word is a script for node"


@pytest.mark.parametrize("reference", [SLIM, FULL])
def test_node_tools_and_user(
    client: DockerClient, images: Mapping[str, str], reference: str
) -> None:
    script = (
        "for t in node nodejs npm npx corepack; do command -v $t && $t --version; done; id node"
    )
    said = run(client, images[reference], "sh", "-c", script).splitlines()
    assert [line for line in said if line.startswith("/")] == [
        f"/usr/local/bin/{name}" for name in ("node", "nodejs", "npm", "npx", "corepack")
    ]
    assert said[-1] == "uid=1000(node) gid=1000(node) groups=1000(node)"
    home = run(client, images[reference], "sh", "-c", "cd && touch x && pwd", user="node")
    assert home == "/home/node"


def test_slim_has_neither_curl_nor_certificates(
    client: DockerClient, images: Mapping[str, str]
) -> None:
    script = "command -v curl gcc python3; ls /etc/ssl/certs 2>/dev/null; echo end"
    assert run(client, images[SLIM], "sh", "-c", script) == "end"


def test_full_has_the_tool_chain(client: DockerClient, images: Mapping[str, str]) -> None:
    tools = "gcc g++ make python3 git curl wget pkg-config"
    script = (
        f"set -e; for t in {tools}; do command -v $t >/dev/null; done; cd /tmp;"
        "test -s /etc/ssl/certs/ca-certificates.crt; pkg-config --exists openssl;"
        "echo 'int main(){return 0;}' > a.cc; g++ -o a a.cc; ./a; echo compiled"
    )
    assert run(client, images[FULL], "sh", "-c", script) == "compiled"


@pytest.mark.parametrize("reference", [SLIM, FULL])
def test_packages_can_be_installed_in_a_build(
    engine: Engine, images: Mapping[str, str], reference: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(
        f"FROM {images[reference]}\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends dumb-init\n"
        "RUN dumb-init true\n"
    )
    build = (engine.docker, "buildx", "build", "--output=type=cacheonly", str(tmp_path))
    process.read(build, env=engine.environment, timeout=300)


def test_nginx_serves_on_a_read_only_root(client: DockerClient, images: Mapping[str, str]) -> None:
    options = {**HARDENED, "tmpfs": {"/tmp": ""}, "ports": PORTS}
    with running(client, images[NGINX], **options) as container:
        status, page = fetch(container, "/")
        assert (status, "nginx" in page) == (200, True)
        said: Any = container.exec_run(["sh", "-c", "cat /proc/[0-9]*/status"]).output
        records: str = said.decode()
        users = {line.split()[1] for line in records.splitlines() if line.startswith("Uid:")}
        assert users == {"101"}
        assert '"GET / HTTP/1.1" 200' in container.logs(stdout=True, stderr=False).decode()
        container.stop(timeout=5)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0, "SIGQUIT lets nginx end in peace"


def test_nginx_configuration(client: DockerClient, images: Mapping[str, str]) -> None:
    described = client.images.get(images[NGINX]).attrs["Config"]
    assert described["User"] == "101"
    assert described["StopSignal"] == "SIGQUIT"
    assert "8080/tcp" in described["ExposedPorts"]
    built = run(client, images[NGINX], "nginx", "-V")
    assert "--with-http_gzip_static_module" in built
    assert run(
        client, images[NGINX], "sh", "-c", "command -v curl; command -v envsubst"
    ).split() == [
        "/usr/bin/curl",
        "/usr/bin/envsubst",
    ]


def test_nginx_fills_templates(
    client: DockerClient, images: Mapping[str, str], tmp_path: Path
) -> None:
    template = 'server { listen 8080; location = /x { return 200 "${WORD} at $uri"; } }\n'
    (tmp_path / "default.conf.tpl").write_text(template)
    tmp_path.chmod(0o755)
    archive = _tar_of(tmp_path)
    environment = {
        "WORD": "hello",
        "NGINX_ENVSUBST_TEMPLATE_DIR": "/etc/nginx/conf.d/from",
        "NGINX_ENVSUBST_TEMPLATE_SUFFIX": ".tpl",
    }
    container = client.containers.create(
        images[NGINX],
        environment=environment,
        ports=PORTS,
        labels=LABELS,
    )
    try:
        container.put_archive("/etc/nginx/conf.d", archive)
        container.start()
        assert fetch(container, "/x") == (200, "hello at /x")
    finally:
        container.remove(force=True)


def test_distroless_contract(client: DockerClient, distroless: str) -> None:
    code = (
        "const fs=require('fs');const {TZ}=process.env;"
        "console.log(JSON.stringify({uid:process.getuid(),version:process.version,"
        "path:process.env.PATH,cwd:process.cwd(),"
        "ca:fs.statSync(process.env.SSL_CERT_FILE).size>1e5,"
        "zone:fs.existsSync('/usr/share/zoneinfo/Europe/Berlin'),"
        "shell:['/bin/sh','/bin/bash','/usr/bin/apt','/bin/ls'].some(fs.existsSync)}))"
    )
    client.images.pull(distroless)
    said = json.loads(run(client, distroless, "-e", code, **HARDENED))
    assert said["version"].startswith("v22.")
    assert (said["uid"], said["cwd"]) == (65532, "/home/nonroot")
    assert (said["ca"], said["zone"], said["shell"]) == (True, True, False)
    assert "nodejs" not in said["path"]
    assert client.images.get(distroless).attrs["Config"]["Entrypoint"] == ["/nodejs/bin/node"]


@pytest.mark.parametrize(
    ("platform", "architecture"), [("linux/arm64", "arm64"), ("linux/arm/v7", "arm")]
)
def test_foreign_platforms_run(
    engine: Engine, distroless: str, platform: str, architecture: str
) -> None:
    emulation.ensure_emulation([platform])
    command = ("run", "--rm", "--pull=always", "--quiet", "--platform", platform, distroless)
    argv = (engine.docker, *command, "-p", "process.arch")
    said = process.read(argv, env=engine.environment, timeout=120)
    assert said.stdout.strip() == architecture


def test_look_alikes_say_so(client: DockerClient, distroless: str) -> None:
    client.images.pull(distroless)
    labels = client.images.get(distroless).labels
    assert labels["dev.slipway.lookalike"] == "true"
    # Whoever asked for it first: another test's image of the same path is the same look-alike.
    asked = labels["dev.slipway.lookalike.of"]
    assert asked.removeprefix("registry.example/") == DISTROLESS.removeprefix("registry.example/")
    assert "dev.slipway.project" not in labels


def test_a_second_request_makes_nothing(engine: Engine, images: Mapping[str, str]) -> None:
    said: list[str] = []
    started = time.monotonic()
    bases.ensure_bases(engine, [BaseNeed(reference) for reference in images], said.append)
    assert said == []
    assert time.monotonic() - started < 2


def test_an_image_that_nobody_has_is_named(engine: Engine) -> None:
    with pytest.raises(OutOfReach, match=r"registry\.example/none:1 cannot be had: .*_IMAGE"):
        bases.ensure_bases(engine, [BaseNeed("registry.example/none:1")], process.note)


def _tar_of(folder: Path) -> bytes:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(folder, "from")
    return buffer.getvalue()
