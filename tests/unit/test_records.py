"""Records are written whole, and read back with a check."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.core.errors import UsageError
from tasks.core.journal import recordstore
from tasks.core.journal.records import (
    Argument,
    BuilderRecord,
    EngineRecord,
    Record,
    SettingRecord,
    StepRecord,
    TargetRecord,
)
from tasks.core.untrusted import Malformed

AT = datetime(2026, 11, 24, 16, 27, 37, 43_000, tzinfo=UTC)


def record(number: int = 1) -> Record:
    return Record(
        schema=1,
        id=f"20261124T162737.{number:03d}Z-0a1b2c",
        task="build.targets",
        status="done",
        started=AT,
        seconds=1.5,
        no_cache=False,
        engine=EngineRecord("embedded", "28.5.2", "linux/amd64"),
        builder=BuilderRecord("default", "docker"),
        settings={"PROJECT": SettingRecord("devops", "default")},
        targets=(
            TargetRecord("app", "app", "default", None, "Dockerfile", args={"V": Argument("1")}),
        ),
        steps=(StepRecord("sha256:1", "[1/1] COPY . .", "step", "run", ("app",), seconds=0.5),),
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = recordstore.store(tmp_path, record())
    assert path is not None
    assert recordstore.read(path) == record()
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordstore, "KEPT", 2)
    for number in (1, 2, 3):
        recordstore.store(tmp_path, record(number))
    assert recordstore.ids(tmp_path) == (record(3).id, record(2).id)


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ("", "is not valid JSON"),
        ("[]", "it is not an object"),
        ('{"schema": 2}', "its schema is '2', not 1"),
        ('{"schema": 1}', "it has no id"),
        (json.dumps({"schema": 1, "id": 5}), "it.id is not a string"),
        ("[" * 100_000, "it is not valid JSON"),
    ],
)
def test_a_damaged_one_is_told_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoiled: str, said: str
) -> None:
    recordstore.store(tmp_path, record(1))
    path = recordstore.store(tmp_path, record(2))
    assert path is not None
    path.write_text(spoiled)
    with pytest.raises(Malformed, match=said):
        recordstore.read(path)
    assert [one.id for one in recordstore.newest_first(tmp_path)] == [record(1).id]
    (line,) = capsys.readouterr().err.splitlines()
    assert path.name in line
    with pytest.raises(UsageError, match=path.name):
        recordstore.find(tmp_path)


def test_one_that_was_renamed_is_foreign(tmp_path: Path) -> None:
    path = recordstore.store(tmp_path, record(1))
    assert path is not None
    other = path.rename(path.with_name(f"{record(2).id}.json"))
    with pytest.raises(Malformed, match="its id is not the file's name"):
        recordstore.read(other)


def test_numbers_are_numbers(tmp_path: Path) -> None:
    path = recordstore.store(tmp_path, record())
    assert path is not None
    for spoiled in ("NaN", "-1", "true", '"1"', "1e400"):
        path.write_text(path.read_text().replace('"seconds": 1.5', f'"seconds": {spoiled}', 1))
        with pytest.raises(Malformed, match=r"it\.seconds"):
            recordstore.read(path)
        recordstore.store(tmp_path, record())


def test_a_folder_that_cannot_be_written_costs_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".slipway").write_text("a file where the folder would be")
    assert recordstore.store(tmp_path, record()) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("no record of this build is kept: .slipway/records: ")


def test_one_is_found_by_the_start_of_its_id(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no record"):
        recordstore.find(tmp_path)
    for number in (1, 2):
        recordstore.store(tmp_path, replace(record(number), seconds=float(number)))
    assert recordstore.find(tmp_path).seconds == 2
    assert recordstore.find(tmp_path, record(1).id[:19]).seconds == 1
    with pytest.raises(UsageError, match="2 records of that id"):
        recordstore.find(tmp_path, "2026")


def test_what_is_no_file_is_no_record(tmp_path: Path) -> None:
    """A pipe would be waited for without end."""
    folder = tmp_path / recordstore.FOLDER
    folder.mkdir(parents=True)
    os.mkfifo(folder / f"{record().id}.json")
    with pytest.raises(Malformed, match="it is no file"):
        recordstore.read(folder / f"{record().id}.json")


def test_one_that_is_passed_over_is_told_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / recordstore.FOLDER
    folder.mkdir(parents=True)
    (folder / f"{record().id}.json").write_text("{")
    assert not list(recordstore.newest_first(tmp_path, tell=False))
    assert not capsys.readouterr().err
    assert not list(recordstore.newest_first(tmp_path))
    assert capsys.readouterr().err.count("passed over") == 1
