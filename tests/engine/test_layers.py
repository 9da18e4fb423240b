"""What is reported of layers, against dive itself and against really unpacked images."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.core.endpoint import Engine
from tasks.core.layers import layering, layerreport
from tasks.core.layers.layerreport import LayerReport
from tasks.core.process import merged
from tests.engine.conftest import Ran, cannot_run
from tests.unit import layered


def dive_program() -> str:
    """Dive as requirements-dev.txt installs it, beside the Python that runs the tests."""
    found = shutil.which("dive", path=str(Path(sys.executable).parent))
    return found or cannot_run("dive is not installed: requirements-dev.txt has it")


def asked_of_dive(image: str, source: str, folder: Path, engine: Engine | None = None) -> Any:
    """What dive says of an image, of ``engine`` or in an archive."""
    told = folder / "dive.json"
    subprocess.run(
        [dive_program(), image, "--source", source, "--json", str(told)],
        env=merged(engine.environment if engine else {}),
        check=True,
        capture_output=True,
        timeout=300,
    )
    return json.loads(told.read_text(encoding="utf-8", errors="replace"))


def demand_dives_figures(engine: Engine, image: str, ran: Ran, folder: Path) -> None:
    """``ran``, a ``report.layers --format json`` of an image of ``engine``, says what dive does."""
    said = asked_of_dive(image, "docker", folder, engine)["image"]
    assert ran.code == 0, ran.err
    [report] = ran.json()["images"]
    assert report["dive"]["efficiency"] == said["efficiencyScore"]
    assert report["dive"]["wasted_bytes"] == said["inefficientBytes"]
    assert report["dive"]["size_bytes"] == said["sizeBytes"]


def report_of(root: Path, archive: Path) -> LayerReport:
    [found] = layering.from_archive(root, archive)
    return layerreport.analyse("it", found, 10)


@pytest.mark.parametrize("name", layered.CASES)
def test_figures_equal_dives_and_waste_what_is_left_after_unpacking(
    name: str, tmp_path: Path
) -> None:
    layers, compress = layered.CASES[name]
    archive = tmp_path / "image.tar"
    archive.write_bytes(layered.archive_of(layers, compress))
    report = report_of(tmp_path, archive)

    said = asked_of_dive(str(archive), "docker-archive", tmp_path)
    files = said["image"]["fileReference"]
    assert (
        report.efficiency.score,
        report.efficiency.wasted_bytes,
        report.efficiency.size_bytes,
        sorted((each.count, each.cumulative_bytes) for each in report.efficiency.repeated),
        [row.instruction for row in report.rows],
    ) == (
        said["image"]["efficiencyScore"],
        said["image"]["inefficientBytes"],
        said["image"]["sizeBytes"],
        sorted((each["count"], each["sizeBytes"]) for each in files),
        [each["command"] for each in said["layer"]],
    )

    final = layered.unpacked_bytes(layers, tmp_path / "unpacked")
    assert report.waste.final_bytes == final
    assert report.waste.wasted_bytes == layered.stored_bytes(layers) - final
    assert sum(each.wasted_bytes for each in report.waste.losses) == report.waste.wasted_bytes
    assert sum(row.wasted_bytes for row in report.rows) == report.waste.wasted_bytes

    again = report_of(tmp_path, archive)
    assert again == report
