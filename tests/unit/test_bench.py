"""What the bench changes is still there to be changed, and its sums are right. Nothing is timed."""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bench import edits, measuring, report
from bench.cases import SERVICES, Case, chosen, every
from bench.measuring import Job, Timing, plan, remaining_seconds
from tasks.core.errors import BuildFailed, UsageError
from tasks.core.rebuilds.edits import PACKAGES
from tasks.core.session import ROOT

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
CASES = every("linux/amd64", ("linux/amd64", "linux/arm64"))
CONFIGS = {"backend": ("vitest.config.ts",), "frontend": ("vite.config.ts",)}
BY_NAME = {case.name: case for case in CASES}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for service in SERVICES:
        for name in ("src", "package.json", "package-lock.json", *CONFIGS[service]):
            source, target = ROOT / service / name, tmp_path / service / name
            target.parent.mkdir(exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy2(source, target)
        for dockerfile in (ROOT / service).glob("Dockerfile.*"):
            shutil.copy2(dockerfile, tmp_path / service)
    shutil.copy2(ROOT / "docker-bake.hcl", tmp_path)
    return tmp_path


@pytest.mark.parametrize("service", SERVICES)
def test_every_run_changes_another_line(copy: Path, service: str) -> None:
    folder = copy / service / "src"
    seen = {_sources(folder)}
    for run in range(2 * len(edits.TEXTS[service])):
        edits.change_line(copy, service, run, "mark")
        seen.add(_sources(folder))
    assert len(seen) == 2 * len(edits.TEXTS[service]) + 1


def test_a_text_that_is_gone_is_said(copy: Path) -> None:
    (copy / "backend" / edits.TEXTS["backend"][0][0]).write_text("")
    with pytest.raises(UsageError, match="not once"):
        edits.change_line(copy, "backend", 0, "mark")


@pytest.mark.parametrize("service", SERVICES)
def test_a_dependency_comes_with_its_lock_entry_and_goes_with_it(copy: Path, service: str) -> None:
    name, version, integrity = PACKAGES[0]
    before = _lock(copy, service)
    edits.change_dependency(copy, service, 0, "mark")
    manifest = json.loads((copy / service / "package.json").read_text())
    changed = _lock(copy, service)
    assert manifest["devDependencies"][name] == version
    assert changed["packages"][""]["devDependencies"] == manifest["devDependencies"]
    assert changed["packages"][f"node_modules/{name}"]["integrity"] == integrity
    edits.change_dependency(copy, service, len(PACKAGES), "mark")
    assert _lock(copy, service) == before


def test_no_cache_mount_is_shared_with_real_builds(copy: Path) -> None:
    edits.prepare(copy)
    ids = [
        (path.suffix, found)
        for path in copy.glob("*/Dockerfile.*")
        for found in re.findall(r"type=cache,id=([^,]+)", path.read_text())
    ]
    assert ids
    for suffix, found in ids:
        compared = suffix in (f".{edits.EMULATED}", f".{edits.CROSS_BUILT}")
        variant = "emulation" if compared else suffix.removeprefix(".")
        assert found.startswith(f"slipway-bench-{variant}-")
        assert "$" not in found


def test_the_emulated_side_has_the_same_steps_on_another_platform(copy: Path) -> None:
    edits.prepare(copy)
    for service in SERVICES:
        sides = (edits.EMULATED, edits.CROSS_BUILT)
        here, there = ((copy / service / f"Dockerfile.{each}").read_text() for each in sides)
        froms = [line for line in here.splitlines() if line.startswith("FROM")]
        assert froms
        assert not any("--platform" in line for line in froms)
        assert "BUILDARCH" not in here
        assert "from=integration-test" not in there
        assert edits.emulated(there) == here != there
        bake = (copy / "docker-bake.hcl").read_text()
        assert all(f'target "{service}-{each}"' in bake for each in sides)


def test_both_sides_follow_each_other_and_the_one_that_is_stopped_comes_last() -> None:
    jobs = plan(CASES, SERVICES, 5)
    timed = [job for job in jobs if job.run is not None]
    assert len(timed) == len(CASES) * 5 * 2 * 2
    for first, second in zip(timed[::2], timed[1::2], strict=True):
        assert (first.case, first.service, first.run) == (second.case, second.service, second.run)
        bounded = first.case.name == "emulation"
        assert (first.side, second.side) == (("b", "a") if bounded else ("a", "b"))


def test_a_build_that_took_long_enough_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = replace(BY_NAME["emulation"], enough=2)
    slow = Job(case, "backend", "a", 0)
    done = [Timing(replace(slow, side="b"), 0.05)]
    assert measuring._enough_seconds(slow, done) == 0.1
    assert measuring._enough_seconds(replace(slow, side="b"), done) == 0
    monkeypatch.setattr(measuring, "_build", lambda *_: time.sleep(20))
    timing = measuring._timed(tmp_path, slow, 0.1)
    assert timing == Timing(slow, 0.1, stopped=True)
    [row] = report.rows([*done, timing])
    assert re.search(r"\| > [0-9.]+ s \|", report.table([row]))
    assert report.stored(_written(tmp_path, row), CASES)[0][0].stopped


def test_a_build_that_was_made_twice_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed: list[str] = []
    edit = cast("Any", lambda *words: changed.append(words[-1]))
    job = Job(replace(BY_NAME["source"], edit=edit), "backend", "b", 1)
    seconds = [None, 2.0]
    monkeypatch.setattr(measuring, "_build", lambda *_: seconds.pop(0))
    assert measuring._counting(tmp_path, job, 0, "mark") == Timing(job, 2.0)
    assert changed == ["mark.1"]
    seconds += [None] * 4
    with pytest.raises(BuildFailed, match="3 times in a row"):
        measuring._counting(tmp_path, job, 0, "mark")
    assert len(seconds) == 1


def _written(folder: Path, row: report.Row) -> Path:
    path = folder / "runs.json"
    path.write_text(report.document([row], "here."))
    return path


def test_the_time_that_is_left_goes_by_what_was_measured() -> None:
    case = BY_NAME["source"]
    job = Job(case, "backend", "a", 1)
    assert remaining_seconds([job], []) == case.a.guess_seconds
    done = [Timing(Job(case, "backend", "a", 0), 4.0), Timing(Job(case, "backend", "b", 0), 9.0)]
    assert remaining_seconds([job, job], done) == 8.0


def test_only_whole_runs_count_and_both_adds_up_run_by_run() -> None:
    case = BY_NAME["source"]
    rows = report.rows(
        [
            *_timings(case, "backend", (2.0, 3.0, 4.0), (4.0, 6.0)),
            *_timings(case, "frontend", (1.0, 1.0), (8.0, 8.0)),
            Timing(Job(case, "backend", "a", None), 100.0),
        ]
    )
    assert [row.service for row in rows] == ["backend", "frontend", report.BOTH]
    assert [row.ratio for row in rows] == [0.5, 0.125, 3.5 / 13.0]
    assert rows[2].a_seconds == (3.0, 4.0)


def test_the_table_says_whether_a_limit_is_met() -> None:
    fast = report.rows(_timings(BY_NAME["emulation"], "backend", (50.0,), (5.0,)))
    slow = report.rows(_timings(BY_NAME["platforms"], "backend", (50.0,), (5.0,)))
    assert re.search(r"10\.00 \| ≥ 5 +\| yes", report.table(fast))
    assert re.search(r"10\.00 \| ≤ 1\.5 +\| no", report.table(slow))
    assert json.loads(report.document(fast, "here."))["rows"][0]["a_seconds"] == [50.0]


def test_a_case_without_a_whole_run_is_left_out() -> None:
    assert report.rows([Timing(Job(BY_NAME["source"], "backend", "a", 0), 1.0)]) == ()


def test_the_page_keeps_everything_but_the_table(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Before\n{BEGIN}\nold\n{END}\nAfter\n")
    rows = report.rows(_timings(BY_NAME["source"], "backend", (1.0,), (2.0,)))
    report.update(page, rows, "a machine.")
    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("\nAfter\n")
    assert "old" not in text
    assert "0.50" in text
    page.write_text("no markers")
    with pytest.raises(UsageError, match="no place for the table"):
        report.update(page, rows, "a machine.")


def test_the_page_of_this_repository_has_a_place_for_the_table() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    assert 0 < text.index(BEGIN) < text.index(END)


def test_cases_are_chosen_by_name_or_glob() -> None:
    assert [case.name for case in chosen(CASES, "sou*,platforms")] == ["source", "platforms"]
    with pytest.raises(UsageError, match="there are: source"):
        chosen(CASES, "nothing")


def _sources(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.rglob("*.ts*")))


def _lock(copy: Path, service: str) -> dict[str, Any]:
    lock: dict[str, Any] = json.loads((copy / service / "package-lock.json").read_text())
    return lock


def _timings(case: Case, service: str, a: tuple[float, ...], b: tuple[float, ...]) -> list[Timing]:
    return [
        Timing(Job(case, service, side, run), seconds)
        for side, runs in (("a", a), ("b", b))
        for run, seconds in enumerate(runs)
    ]
