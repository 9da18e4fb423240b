"""The gallery: each flaw is caught by its own proof, and the sound images raise nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.verifying.catalogue import IDS
from tests.engine.conftest import cannot_run, emulation_lock, remove_images, run_task
from tests.engine.gallery import building, fakes
from tests.engine.gallery.archived import ARCHIVES, Archived
from tests.engine.gallery.exhibit import Exhibit
from tests.engine.gallery.table import EXHIBITS, FLAWED, SOUND

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-gallery"
#: Most of the time of each is waiting.
SIDE_BY_SIDE = "8"
#: What no image can fail, as it is started by Slipway: the engine sees to it.
OF_THE_ENGINE = {"identity.capabilities", "identity.no-new-privileges", "identity.seccomp"}
#: Of other tasks: tests that people write themselves, and what has to build.
ELSEWHERE = ("structure.*", "tests.*", "supply-chain.reproducible", "scan.*")
#: Reported, never a failure.
NOTICES = {"policy.exceptions"}
Failed = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine, client: DockerClient
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("gallery") / "scratch"
    try:
        yield building.build(engine, folder, EXHIBITS, PROJECT)
    except OutOfReach as reason:
        cannot_run(str(reason))
    finally:
        remove_images(client, PROJECT)


@pytest.fixture(scope="module")
def failed(root: Path) -> Failed:
    """What failed, by image and proof, with its message; all images are in it."""
    words = ("verify.all", "--target", "*", "--jobs", SIDE_BY_SIDE, "--format", "json")
    around = {"PROJECT": PROJECT, fakes.VARIABLE: fakes.BUILD_SECRET}
    with emulation_lock():
        ran = run_task(root, *words, env=around)
    assert ran.code == 1, ran.err[-4000:]
    return _failures(ran.json()["verdicts"], [each.name for each in EXHIBITS])


@pytest.fixture(scope="module")
def failed_archives(root: Path) -> Failed:
    def verify(each: Archived) -> Any:
        (root / each.name).write_bytes(each.make())
        words = ("--archive", each.name, "--format", "json")
        return run_task(root, "verify.image", *words).json()["verdicts"]

    with ThreadPoolExecutor() as pool:
        verdicts = [one for found in pool.map(verify, ARCHIVES) for one in found]
    return _failures(verdicts, [each.name for each in ARCHIVES])


@pytest.mark.parametrize("flawed", FLAWED, ids=lambda each: each.name)
def test_each_flaw_is_caught_by_its_own_proof(flawed: Exhibit, failed: Failed) -> None:
    _caught(flawed, failed[flawed.name])


@pytest.mark.parametrize("sound", SOUND, ids=lambda each: each.name)
def test_a_sound_image_raises_nothing(sound: Exhibit, failed: Failed) -> None:
    assert failed[sound.name] == {}


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda each: each.name)
def test_archives_that_no_builder_makes(archive: Archived, failed_archives: Failed) -> None:
    if archive.proof is None:
        assert failed_archives[archive.name] == {}
    else:
        _caught(archive, failed_archives[archive.name])


def test_every_proof_has_a_flaw_that_it_catches() -> None:
    shown = {each.proof for each in (*FLAWED, *ARCHIVES)}
    here = {proof for proof in IDS if not any(fnmatchcase(proof, each) for each in ELSEWHERE)}
    assert here - shown == OF_THE_ENGINE | NOTICES


def _caught(flawed: Exhibit | Archived, failures: Mapping[str, str]) -> None:
    assert flawed.proof is not None
    assert flawed.proof in failures
    expected = (flawed.proof, *flawed.also)
    more = {
        proof: message
        for proof, message in failures.items()
        if not any(fnmatchcase(proof, each) for each in expected)
    }
    assert more == {}


def _failures(verdicts: Any, names: list[str]) -> Failed:
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    seen = set()
    for verdict in verdicts:
        seen.add(verdict["target"])
        if verdict["status"] == "failed":
            found[verdict["target"]][verdict["proof"]] = verdict["message"]
    assert seen == set(names)
    return found
