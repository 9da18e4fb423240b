"""What BuildKit really attaches to images, and what they really weigh: proven on real ones."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core.endpoint import Engine
from tasks.core.images import attestations, contents
from tasks.core.images.contents import Contents
from tasks.core.proofs import budget, supply_chain
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.supply_chain import Expected
from tasks.core.proofs.verdicts import Status, Verdict
from tests.engine.conftest import BASE, make_scratch, remove_images, run_task

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-supply"
ENVIRONMENT = {"PROJECT": PROJECT, "REGISTRY": "", "VERSION": "1.2.3"}
TODAY = datetime.datetime.now(datetime.UTC).date()
STRICT = Policy(provenance=True, sbom=True)
#: A generator as BuildKit wants it: the packages of the distribution, and nothing else.
GENERATE = """
list=$BUILDKIT_SCAN_SOURCE/var/lib/dpkg/status
{
  printf '{"_type":"https://in-toto.io/Statement/v0.1",'
  printf '"predicateType":"https://spdx.dev/Document","predicate":{"spdxVersion":"SPDX-2.3",'
  printf '"packages":[{"SPDXID":"SPDXRef-DocumentRoot-Directory-x","name":"x"}'
  if test -f "$list"; then
    sed -n 's/^Package: \\(.*\\)$/,{"SPDXID":"SPDXRef-Package-\\1","name":"\\1"}/p' "$list"
  fi
  printf ']}}'
} > "$BUILDKIT_SCAN_DESTINATION/$(basename "$BUILDKIT_SCAN_SOURCE").spdx.json"
"""
DOCKERFILE = f"""
FROM {BASE} AS generator
COPY generate.sh /
ENTRYPOINT ["/bin/sh", "/generate.sh"]
FROM scratch AS bare
COPY Dockerfile /
FROM {BASE} AS based
RUN dd if=/dev/zero of=/bulk bs=1M count=3
RUN rm /bulk && ln /etc/passwd /passwd
"""
BAKE = f"""
variable "VERSION" {{ default = "" }}
target "_all" {{ labels = {{
  "org.opencontainers.image.title"     = "app"
  "org.opencontainers.image.version"   = VERSION
  "org.opencontainers.image.revision"  = "abcdef0"
  "org.opencontainers.image.created"   = "2026-01-02T03:04:05Z"
}} }}
target "generator" {{
  target = "generator"
  tags   = ["{PROJECT}:generator"]
  attest = ["type=provenance,disabled=true"]
}}
target "bare" {{
  inherits = ["_all"]
  target   = "bare"
  tags     = ["{PROJECT}:bare"]
}}
target "based" {{
  inherits = ["_all"]
  target   = "based"
  labels   = {{ "org.opencontainers.image.base.name" = "{BASE}" }}
  tags     = ["{PROJECT}:based"]
}}
target "silent" {{
  inherits = ["_all"]
  target   = "bare"
  attest   = ["type=provenance,disabled=true"]
  tags     = ["{PROJECT}:silent"]
}}
"""


@pytest.fixture(scope="module")
def images(
    engine: Engine, client: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Contents]]:
    root = make_scratch(tmp_path_factory.mktemp("supply") / "chain")
    (root / "generate.sh").write_text(GENERATE)
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / "docker-bake.hcl").write_text(BAKE)
    build(root, "generator", "silent", PROVENANCE="off", SBOM="off")
    build(root, "bare", "based", PROVENANCE="max", SBOM=f"{PROJECT}:generator")
    yield {name: read(client, name) for name in ("bare", "based", "silent")}
    shutil.rmtree(root)
    remove_images(client, PROJECT)


def build(root: Path, *names: str, **settings: str) -> None:
    built = run_task(root, "build.targets", ",".join(names), env={**ENVIRONMENT, **settings})
    assert built.code == 0, built.err


def read(client: DockerClient, name: str) -> Contents:
    chunks = client.api.get_image(f"{PROJECT}:{name}")
    [held] = contents.read(chunks, name, supply_chain.INSPECTORS)
    return held


def prove(held: Contents, policy: Policy = STRICT) -> dict[str, Verdict]:
    expected = Expected(revision="abcdef0", version="1.2.3")
    found = supply_chain.prove("app", held, policy, expected, TODAY)
    return {each.proof.removeprefix("supply-chain."): each for each in found}


def test_what_buildkit_attaches_is_about_the_image(images: dict[str, Contents]) -> None:
    found = prove(images["based"])
    assert {name for name, each in found.items() if each.status is Status.FAILED} == set()
    for name in ("annotations", "version-label", "revision", "base-name", "provenance", "sbom"):
        assert found[name].status is Status.PASSED, found[name]
    assert f"{BASE}@sha256:" in found["base-digest"].message
    assert "generator" not in found["base-digest"].message
    [listed] = [each for each in attestations.about(images["based"]) if each.is_sbom]
    assert listed.packages > 20


def test_the_system_and_the_runtime_are_seen(images: dict[str, Contents]) -> None:
    message = prove(images["based"])["lifecycle"].message
    assert "Debian 1" in message
    assert "/usr/local/bin/node: Node.js 22 is supported until 2027-04-30" in message


def test_from_scratch(images: dict[str, Contents]) -> None:
    found = prove(images["bare"])
    assert found["base-name"].message == "provenance names no base"
    assert found["provenance"].status is Status.PASSED
    assert found["sbom"].message == "it lists no package"


def test_nothing_attached(images: dict[str, Contents]) -> None:
    assert attestations.about(images["silent"]) == ()
    found = prove(images["silent"])
    assert [found[name].message for name in ("provenance", "sbom")] == ["none attached"] * 2
    relaxed = prove(images["silent"], Policy())
    assert "failed" not in {each.status for each in relaxed.values()}


def test_the_waste_is_what_was_removed(images: dict[str, Contents]) -> None:
    held = images["based"]
    assert 3 * 2**20 <= budget.wasted_bytes(held) < 3 * 2**20 + 2**17
    assert budget.wasted_bytes(images["bare"]) == 0
    sizes = [layer.compressed_bytes or 0 for layer in held.layers]
    assert sum(sizes) < (held.compressed_bytes or 0) < sum(sizes) + 2**16
    assert held.unpacked_bytes == sum(layer.unpacked_bytes for layer in held.layers)
    limits = Policy(max_compressed_mib=1, max_unpacked_mib=1, max_layers=1, max_wasted_mib=1)
    assert {each.status for each in budget.prove("app", held, limits)} == {Status.FAILED}
