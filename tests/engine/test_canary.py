"""Secrets stay out: canaries are given to real builds, then looked for wherever builds leave bits.

Every step that downloads packages checks that it got them; and what leaks on purpose is found.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import re
import secrets
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core import process, settings
from tasks.core.endpoint import Engine
from tasks.core.images import contents
from tasks.core.proofs import secrets as proofs
from tasks.core.provision import embedded
from tasks.core.secrecy import secretforms
from tasks.core.secrecy.secretscan import SecretInspector
from tests.engine.conftest import PREFIX, PROJECT, Ran, copy_repository, run_task

if TYPE_CHECKING:
    from docker import DockerClient

#: Where the steps that download packages look for the authorities, in all Dockerfiles.
AUTHORITIES = ("[ ! -s /run/secrets/ca ] || export", "if [ -f /run/secrets/ca ]; then export")
#: Where they find npm's configuration, by service; only the optimized images use one.
NPMRC = {"backend": "/root/.npmrc", "frontend": "/run/secrets/npmrc"}
FIRST_MOUNT = "RUN --mount=type=secret,id=ca"
DOCKERFILES = ("multistage", "multiarch", "optimized")
#: Tests and linters take minutes, and see no secret: left out.
SLOW = re.compile(r"npm run (?:lint|test)\S*|(?:node_modules/\.bin/)?(?:vitest run|eslint --max)")
#: What is built: words of the task, where it keeps its cache, and the tags that it leaves.
BUILDS = {
    "build.optimized": ("registry", ("backend:optimized", "frontend:optimized")),
    "build.multistage --target frontend-production": ("local", ("frontend:latest",)),
    "build.multiarch --target backend-multiarch --platform linux/amd64": (
        "off",
        ("backend:multiarch",),
    ),
}
ACCEPT = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Canaries:
    """Random texts by the way that they are given to a build, and the files that hold them."""

    values: Mapping[str, str]
    npmrc: Path
    authorities: Path

    def found(self, content: bytes) -> set[str]:
        """The names of those in ``content``: as they are, in base64, in any form that is known."""
        known = {
            needle.name for needle in secretforms.needles(self.values) if needle.content in content
        }
        return known | {
            name
            for name, value in self.values.items()
            if value.encode() in content or base64.b64encode(value.encode())[:-4] in content
        }

    @property
    def environment(self) -> dict[str, str]:
        """The settings and the variable by which builds get them."""
        return {
            "NPMRC": str(self.npmrc),
            "CA_BUNDLE": str(self.authorities),
            "DEPLOY_TOKEN": self.values["variable"],
        }


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Canaries:
    folder = tmp_path_factory.mktemp("secrets")
    values = {name: secrets.token_hex(20) for name in ("npmrc", "authorities", "variable")}
    npmrc, authorities = folder / "npmrc", folder / "ca.pem"
    npmrc.write_text(f"//registry.invalid/:_authToken={values['npmrc']}\n")
    usual = settings.load(Path(__file__).parents[2])["CA_BUNDLE"]
    bundle = Path(usual).read_text() if usual else ""
    authorities.write_text(f"{bundle}\n# {values['authorities']}\n")
    return Canaries(values, npmrc, authorities)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, canaries: Canaries) -> Path:
    """A copy whose steps fail unless they are given the canaries; it names but their digests."""
    copy = copy_repository(tmp_path_factory.mktemp("canary") / "devops")
    for service, npmrc in NPMRC.items():
        for variant in DOCKERFILES:
            path = copy / service / f"Dockerfile.{variant}"
            text = SLOW.sub("true ", path.read_text())
            checks = [(canaries.authorities.read_bytes(), "/run/secrets/ca")]
            if variant == "optimized":
                checks.append((canaries.npmrc.read_bytes(), npmrc))
                checks.append((canaries.values["variable"].encode(), "/run/secrets/deploy"))
                mount = "--mount=type=secret,id=deploy,mode=0444"
                text = text.replace(FIRST_MOUNT, FIRST_MOUNT.replace("RUN", f"RUN {mount}"))
            lines = "\\n".join(f"{digest(content)}  {file}" for content, file in checks)
            check = f"printf '{lines}\\n' | sha256sum --check - || exit 99; "
            for start in AUTHORITIES:
                text = text.replace(start, check + start)
            assert "sha256sum --check" in text, path
            path.write_text(text)
    bake = copy / "docker-bake.hcl"
    given = '["type=file,id=ca,src=${CA_BUNDLE}"]'
    both = '["type=file,id=ca,src=${CA_BUNDLE}", "type=env,id=deploy,env=DEPLOY_TOKEN"]'
    assert given in bake.read_text()
    bake.write_text(bake.read_text().replace(given, both))
    return copy


def registry(engine: Engine) -> str:
    return engine.registry or embedded.registry_up()


def refs(engine: Engine, root: Path) -> set[str]:
    """The builds of the repository at ``root`` that the engine remembers."""
    history = (engine.docker, "buildx", "history")
    listed = process.read((*history, "ls", "--format", "json"), env=engine.environment)
    found = set()
    for line in listed.stdout.splitlines():
        ref = json.loads(line)["ref"].rpartition("/")[2]
        command = (*history, "inspect", "--format", "json", ref)
        inspected = process.read(command, env=engine.environment, check=False)
        # Somebody else's may be gone by now.
        context = json.loads(inspected.stdout or "{}").get("Context", "")
        if context and Path(context).is_relative_to(root):
            found.add(ref)
    return found


#: Names of its own: other files build the same targets meanwhile.
OWN = "slipway.canary"


@dataclass(frozen=True)
class Done:
    """What was run, and the builds that the engine remembers of it."""

    ran: Mapping[str, Ran]
    refs: frozenset[str]


@pytest.fixture(scope="module")
def done(root: Path, canaries: Canaries, engine: Engine) -> Done:
    where = f"{registry(engine)}/{PREFIX}/canary-cache"
    env = {**canaries.environment, "CACHE_REF": where, "PROVENANCE": "max", "REGISTRY": OWN}
    ran = {
        words: run_task(root, *words.split(), env={**env, "CACHE": cache})
        for words, (cache, _) in BUILDS.items()
    }
    return Done(ran, frozenset(refs(engine, root)))


def unpacked(content: bytes) -> bytes:
    """``content`` as it is and, of gzip or zstd, what it unpacks to behind it."""
    if content[:2] == b"\x1f\x8b":
        return content + zlib.decompress(content, 31)
    if content[:4] == b"\x28\xb5\x2f\xfd":
        import zstandard

        reader = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True)
        return content + reader.read()
    return content


def in_files(files: Iterable[Path], canaries: Canaries) -> dict[str, set[str]]:
    found = {str(file): canaries.found(unpacked(file.read_bytes())) for file in files}
    return {name: names for name, names in found.items() if names}


def in_history(
    engine: Engine, known: Iterable[str], folder: Path, canaries: Canaries
) -> dict[str, set[str]]:
    """What the engine remembers of builds: their records, logs, and everything attached to them."""
    found = {}
    for ref in known:
        bundle = folder / f"{ref}.tar.gz"
        history = (engine.docker, "buildx", "history")
        commands = (
            (*history, "export", "--finalize", "--output", str(bundle), ref),
            (*history, "logs", "--progress=rawjson", ref),
            (*history, "logs", "--progress=plain", ref),
            (*history, "inspect", ref),
        )
        said = [process.read(command, env=engine.environment, timeout=60) for command in commands]
        text = "".join(each.stdout + each.stderr for each in said).encode()
        # The log's own lines are in base64, each by itself.
        names = canaries.found(text)
        with tarfile.open(bundle) as opened:
            for member in opened:
                file = opened.extractfile(member)
                names |= canaries.found(unpacked(file.read())) if file else set()
        found[ref] = names
    return {ref: names for ref, names in found.items() if names}


def in_image(client: DockerClient, tag: str, canaries: Canaries) -> list[str]:
    """What is found in every layer, config, history, index and attestation of an image."""
    inspector = SecretInspector(canaries.values)
    images = contents.read(client.api.get_image(tag), tag, (inspector,))
    assert any(document.name == "attestation" for image in images for document in image.documents)
    return [
        f"{verdict.proof}: {verdict.message}"
        for image in images
        for verdict in proofs.prove(tag, image, inspector, canaries.values)
        if verdict.status == "failed"
    ]


def blobs(location: str, repository: str, tag: str) -> Iterator[tuple[str, bytes]]:
    """The manifest of a cache in a registry and everything that it leads to, by digest."""
    host, _, port = location.rpartition(":")
    with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=60)) as link:

        def get(path: str) -> bytes:
            link.request("GET", f"/v2/{repository}/{path}", headers={"Accept": ACCEPT})
            answer = link.getresponse()
            content = answer.read()
            assert answer.status == http.client.OK, content[:300]
            return content

        manifest = get(f"manifests/{tag}")
        yield tag, manifest
        described = json.loads(manifest)
        for one in (described["config"], *described["layers"]):
            yield one["digest"], get(f"blobs/{one['digest']}")


@pytest.mark.parametrize("words", BUILDS)
def test_the_steps_got_the_secrets_and_nothing_printed_them(
    words: str, done: Done, canaries: Canaries
) -> None:
    ran = done.ran[words]
    assert ran.code == 0, ran.err[-4000:]
    assert "/run/secrets/ca: OK" in ran.err
    if words == "build.optimized":
        for file in ("/root/.npmrc", "/run/secrets/npmrc", "/run/secrets/deploy"):
            assert f"{file}: OK" in ran.err
    assert canaries.found((ran.out + ran.err).encode()) == set()


@pytest.mark.parametrize("name", [tag for _, tags in BUILDS.values() for tag in tags])
def test_nothing_is_in_an_image(
    name: str, done: Done, client: DockerClient, canaries: Canaries
) -> None:
    assert in_image(client, f"{OWN}/devops-{name}", canaries) == []


def test_nothing_is_in_the_history_of_the_engine(
    done: Done, engine: Engine, tmp_path: Path, canaries: Canaries
) -> None:
    assert len(done.refs) >= len(BUILDS)
    assert in_history(engine, done.refs, tmp_path, canaries) == {}


def test_nothing_is_in_what_slipway_keeps(done: Done, root: Path, canaries: Canaries) -> None:
    assert list(root.glob(".slipway/build-cache/*/index.json"))
    assert in_files((path for path in root.rglob("*") if path.is_file()), canaries) == {}


@pytest.mark.parametrize("target", ["backend-optimized", "frontend-optimized"])
def test_nothing_is_in_the_cache_of_the_registry(
    target: str, done: Done, engine: Engine, canaries: Canaries
) -> None:
    stored = list(blobs(registry(engine), f"{PREFIX}/canary-cache", target))
    assert len(stored) > 10, "mode=max keeps the layers of every stage"
    assert {name for name, content in stored if canaries.found(unpacked(content))} == set()


#: A secret is no part of the cache key: what makes this build another one is ONCE.
LEAKS = """FROM node:22-bookworm-slim
ENV ONCE=%s
RUN --mount=type=secret,id=npmrc cat /run/secrets/npmrc && cp /run/secrets/npmrc /root/kept
RUN rm /root/kept
"""


def test_what_leaks_is_found(
    scratch: Path, engine: Engine, client: DockerClient, canaries: Canaries, tmp_path: Path
) -> None:
    """So that the tests above can fail."""
    (scratch / "Dockerfile").write_text(LEAKS % secrets.token_hex(8))
    (scratch / "docker-bake.hcl").write_text('target "app" {\n  tags = ["canary-leak:1"]\n}\n')
    location = registry(engine)
    cache = {"CACHE": "registry", "CACHE_REF": f"{location}/{PREFIX}/canary-leak"}
    env = {**canaries.environment, **cache, "PROVENANCE": "max", "PROJECT": PROJECT}
    ran = run_task(scratch, "build.targets", "app", env=env)
    assert ran.code == 0, ran.err[-4000:]
    assert canaries.found(ran.err.encode()) == {"npmrc"}
    found = in_image(client, "canary-leak:1", canaries)
    client.images.remove("canary-leak:1")
    assert any("secrets.values: " in line and "/root/kept in layer " in line for line in found)
    assert in_history(engine, refs(engine, scratch), tmp_path, canaries) != {}
    stored = blobs(location, f"{PREFIX}/canary-leak", "app")
    assert set().union(*(canaries.found(unpacked(content)) for _, content in stored)) == {"npmrc"}
