"""Vulnerable packages stop a scan and a build: a real trivy, with a database made for the tests."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core.endpoint import Engine
from tests.engine.conftest import REPOSITORY, Ran, cannot_run, make_scratch, remove_images, run_task
from tests.scanner import database, program
from tests.scanner.database import FIXED, INSTALLED, MINOR, PACKAGE, UNFIXED

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-scanning"
SCANNER = f"{PROJECT}:trivy"
#: Small, and has a shell; where no registry is in reach, its look-alike is made.
BASE = "nginxinc/nginx-unprivileged:1.30-alpine-slim"
NOWHERE = "127.0.0.1:9/nobody"
TODAY = datetime.datetime.now(datetime.UTC).date()
DAY = datetime.timedelta(days=1)
LOCK = {
    "name": "shop",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "shop", "version": "1.0.0", "dependencies": {PACKAGE: INSTALLED}},
        f"node_modules/{PACKAGE}": {"version": INSTALLED},
    },
}
#: The gate is the backend's own text, with what it scans in other places.
DOCKERFILE = """
ARG SCAN_GATE=off
ARG TRIVY_IMAGE=scratch
FROM scratch AS bundle
COPY node_modules /app/node_modules
FROM scratch AS scan-base
{gate}
FROM --platform=$BUILDPLATFORM {base} AS release
RUN --mount=type=bind,from=vulnerabilities,target=/tmp/gate/vulnerabilities true
FROM scratch AS bare
COPY package-lock.json /
FROM bundle AS production
COPY --from=release /etc/passwd /etc/passwd
FROM {base} AS scanner
USER root
COPY trivy /usr/local/bin/trivy
ENTRYPOINT ["trivy"]
"""
BAKE = """
variable "SCAN_GATE" { default = "off" }
variable "TRIVY_IMAGE" { default = "" }
target "_gated" {
  args = {
    SCAN_GATE = SCAN_GATE
    TRIVY_IMAGE = TRIVY_IMAGE
    SCAN_SEVERITY = "HIGH"
    SCAN_IGNORE_UNFIXED = "false"
    TRIVY_OFFLINE = "false"
    TRIVY_DB_REPOSITORY = "NOWHERE/trivy-db:2"
  }
  no-cache-filter = SCAN_GATE == "on" ? ["scan-on"] : []
}
target "shop" {
  inherits = ["_gated"]
  target = "production"
  platforms = ["linux/amd64", "linux/arm64"]
  tags = ["PROJECT:shop"]
}
target "bare" {
  target = "bare"
  tags = ["PROJECT:bare"]
}
target "scanner" {
  target = "scanner"
  tags = ["PROJECT:trivy"]
}
"""


@pytest.fixture(scope="module")
def trivy() -> Path:
    """A folder with the program in it."""
    try:
        return program.folder()
    except (subprocess.SubprocessError, OSError) as error:
        cannot_run(f"the package index does not give trivy: {error}")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with databases."""
    return database.write(tmp_path_factory.mktemp("known"))


@pytest.fixture(scope="module")
def root(
    engine: Engine, client: DockerClient, trivy: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A repository with a vulnerable dependency, built without the gate, and the scanner."""
    made = make_scratch(tmp_path_factory.mktemp("scanning") / "shop")
    gate = re.search(
        r"^FROM scratch AS trivy-db.*?AS vulnerabilities$",
        (REPOSITORY / "backend/Dockerfile.multistage").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert gate, "the gate of the backend is not where it was"
    text = gate[0].replace("from=bundle,source=/release", "from=bundle,source=/app")
    (made / "Dockerfile").write_text(DOCKERFILE.format(gate=text, base=BASE))
    (made / "docker-bake.hcl").write_text(
        BAKE.replace("PROJECT", PROJECT).replace("NOWHERE", NOWHERE)
    )
    (made / "scripts").mkdir()
    shutil.copy2(REPOSITORY / "backend/scripts/scan.sh", made / "scripts/scan.sh")
    shutil.copy2(trivy / "trivy", made / "trivy")
    (made / "package-lock.json").write_text(json.dumps(LOCK))
    package = made / "node_modules" / PACKAGE / "package.json"
    package.parent.mkdir(parents=True)
    package.write_text(json.dumps({"name": PACKAGE, "version": INSTALLED}))
    built = run(made, "build.targets", "shop,bare,scanner")
    assert built.code == 0, built.err[-4000:]
    yield made
    shutil.rmtree(made)
    remove_images(client, PROJECT)


def run(root: Path, *words: str, **settings: str) -> Ran:
    environment = {"PROJECT": PROJECT, "REGISTRY": "", "TRIVY_IMAGE": SCANNER}
    return run_task(root, *words, env={**environment, **settings})


def scan(
    root: Path, trivy: Path, known: Path, *words: str, target: str = "shop", **settings: str
) -> Ran:
    """With the program on PATH, which is quicker than its image."""
    path = f"{trivy}{os.pathsep}{os.environ['PATH']}"
    given = {"PATH": path, "TRIVY_DB": str(known), **settings}
    return run(root, "scan.vulnerabilities", "--target", target, *words, **given)


@pytest.fixture
def exceptions(root: Path) -> Iterator[Path]:
    """The file that exceptions are written to; gone afterwards."""
    yield root / "invoke.yaml"
    (root / "invoke.yaml").unlink(missing_ok=True)


def accept(file: Path, *matches: str, until: datetime.date = TODAY + DAY) -> None:
    each = [
        f"        - {{proof: scan.vulnerabilities, match: '{match}', reason: not called, "
        f"expires: {until}}}"
        for match in matches
    ]
    head = ["slipway:", "  policy:", "    shop:", "      exceptions:"]
    file.write_text("\n".join([*head, *each]) + "\n")


def found(ran: Ran) -> dict[str, set[str]]:
    """The rules of a report by what became of them."""
    states: dict[str, set[str]] = {}
    for each in ran.json()["findings"]:
        states.setdefault(each["state"], set()).add(each["rule"])
    return states


def test_a_vulnerable_dependency_fails_the_scan_on_every_platform(root: Path, known: Path) -> None:
    """In the scanner's image, without network: the database was loaded before."""
    ran = run(
        root,
        *("scan.vulnerabilities", "--target", "shop", "--format", "json", "--offline"),
        TRIVY_DB=str(known),
    )
    assert ran.code == 1, ran.err[-4000:]
    assert f"{UNFIXED} in {PACKAGE}@{INSTALLED} (critical)" in ran.said
    assert found(ran) == {"open": {FIXED, UNFIXED}, "minor": {MINOR}}
    scanned = ran.json()["scanned"]
    assert {each["platform"] for each in scanned} == {"linux/amd64", "linux/arm64"}
    assert all("trivy 0.59.1, database of 20" in each["by"] for each in scanned)
    assert "the vulnerability database is 3 hours old" in ran.json()["notes"]


def test_exceptions_accept_until_their_last_day(
    root: Path, trivy: Path, known: Path, exceptions: Path
) -> None:
    accept(exceptions, f"{FIXED} {PACKAGE}@4.*", UNFIXED, until=TODAY)
    ran = scan(root, trivy, known, "--format", "json")
    assert (ran.code, found(ran)) == (0, {"accepted": {FIXED, UNFIXED}, "minor": {MINOR}})
    accept(exceptions, FIXED, UNFIXED, "CVE-1999-*", until=TODAY - DAY)
    ran = scan(root, trivy, known)
    assert ran.code == 1
    assert f"the exception ended on {TODAY - DAY}: not called" in ran.said
    assert "take it out of invoke.yaml: scan.vulnerabilities 'CVE-1999-*'" in ran.out


def test_thresholds_fixes_and_baselines(
    root: Path, trivy: Path, known: Path, tmp_path: Path
) -> None:
    ran = scan(root, trivy, known, "--ignore-unfixed", "--format", "json")
    assert (ran.code, found(ran)) == (1, {"open": {FIXED}, "unfixed": {UNFIXED}, "minor": {MINOR}})
    before = tmp_path / "before.json"
    ran = scan(root, trivy, known, "--severity", "critical", "--output", str(before))
    assert ran.code == 1
    ran = scan(root, trivy, known, "--baseline", str(before), "--format", "json")
    assert (ran.code, found(ran)["open"], found(ran)["known"]) == (1, {FIXED}, {UNFIXED})


def test_no_scanner_and_no_database_is_no_pass(root: Path, trivy: Path, tmp_path: Path) -> None:
    ran = run(root, "scan.vulnerabilities", "--target", "shop", TRIVY_IMAGE=f"{NOWHERE}/trivy:1")
    assert ran.code == 3
    assert "the scanner" in ran.said
    assert "set TRIVY_IMAGE" in ran.said
    nowhere = f"{NOWHERE}/trivy-db:2"
    ran = run(root, "scan.vulnerabilities", "--target", "shop", TRIVY_DB_REPOSITORY=nowhere)
    assert ran.code == 3
    assert "trivy's database cannot be had" in ran.said
    assert "set TRIVY_DB" in ran.said
    empty = {"XDG_CACHE_HOME": str(tmp_path), "TRIVY_DB": "", "TRIVY_DB_REPOSITORY": nowhere}
    ran = scan(root, trivy, tmp_path, **empty)
    assert ran.code == 3
    assert "set TRIVY_DB" in ran.said


def test_what_trivy_knows_nothing_of_is_no_pass(root: Path, trivy: Path, known: Path) -> None:
    ran = scan(root, trivy, known, target="bare")
    assert ran.code == 3
    assert "trivy knows no package in it" in ran.said
    assert "skip: [scan.vulnerabilities]" in ran.said


def test_the_gate_stops_production_and_names_the_finding(
    root: Path, known: Path, exceptions: Path
) -> None:
    gate = {"SCAN_GATE": "on", "TRIVY_DB": str(known)}
    ran = run(root, "build.targets", "shop", **gate)
    assert ran.code == 4, ran.err[-4000:]
    assert ran.said.startswith("the build failed at [")
    assert f"{FIXED} in {PACKAGE}@{INSTALLED} (high, fixed in 4.17.21)" in ran.said
    assert re.search(r"UpdatedAt: \d{4}-", ran.err), "it does not say of when its database is"
    accept(exceptions, f"{FIXED} {PACKAGE}", "CVE-2099-*")
    for _ in range(2):  # the second time is no cached one
        ran = run(root, "build.targets", "shop", **gate)
        assert ran.code == 0, ran.err[-4000:]
        assert "UpdatedAt: " in ran.err
    accept(exceptions, FIXED, "CVE-2099-*", until=TODAY - DAY)
    ran = run(root, "build.targets", "shop", **gate)
    assert ran.code == 4, ran.err[-4000:]


def test_a_gate_that_cannot_scan_lets_nothing_pass(root: Path) -> None:
    ran = run(root, "build.targets", "shop", SCAN_GATE="on", TRIVY_IMAGE=f"{NOWHERE}/trivy:1")
    assert ran.code == 3
    assert "TRIVY_IMAGE" in ran.said
    assert "SCAN_GATE=off" in ran.said
    nowhere = f"{NOWHERE}/trivy-db:2"
    ran = run(root, "build.targets", "shop", SCAN_GATE="on", TRIVY_DB_REPOSITORY=nowhere)
    assert ran.code == 3
    assert "TRIVY_DB_REPOSITORY" in ran.said
    ran = run(root, "build.targets", "shop", SCAN_GATE="on", TRIVY_OFFLINE="true")
    assert ran.code == 3
    assert "set TRIVY_DB" in ran.said
    ran = run(root, "build.targets", "shop", SCAN_GATE="on")  # only the build itself can know
    assert ran.code == 3, ran.err[-4000:]
    assert "the gate could not scan at [" in ran.said
    assert "the vulnerability database cannot be had" in ran.said
