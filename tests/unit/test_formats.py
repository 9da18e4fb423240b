"""Several results in one run: which file gets which format, and what is found out beforehand."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tasks.core.errors import OutOfReach, UsageError
from tasks.core.render import formats, output, tables
from tasks.core.render.formats import Sink

ALL = ("text", "json", "markdown", "junit", "sarif")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("junit.xml", "junit"),
        ("report.json", "json"),
        ("REPORT.JSON", "json"),
        ("x.sarif", "sarif"),
        ("x.sarif.json", "sarif"),
        ("comment.md", "markdown"),
        ("report.txt", "text"),
        ("report", "text"),
        ("report.log", "text"),
        (".json.d", "text"),
        ("-", "text"),
    ],
)
def test_the_ending_tells_the_format(name: str, format_: str) -> None:
    assert formats.plan([name], "", ALL) == (Sink(name, format_),)


def test_a_given_format_counts_for_all() -> None:
    outputs = ["a.xml", "b.txt", "-"]
    assert formats.plan(outputs, "json", ALL) == tuple(Sink(name, "json") for name in outputs)


def test_without_a_file_it_is_standard_output() -> None:
    assert formats.plan([], "", ALL) == (Sink("-", "text"),)
    assert formats.plan([], "sarif", ALL) == (Sink("-", "sarif"),)


@pytest.mark.parametrize(
    ("outputs", "format_", "problem"),
    [
        ([], "junit", "--format 'junit' is not one of text, json"),
        (["a.json", "nowhere/a.json"], "", "--output nowhere/a.json: there is no folder"),
        (["."], "", "--output '.': expected the name of a file"),
        ([""], "", "--output '': expected the name of a file"),
        (["a.json", "./a.json"], "", "--output ./a.json: given twice"),
        (["-", "-"], "", "--output -: given twice"),
        (["a.xml"], "", "--output a.xml: .xml means junit, which this task does not write"),
    ],
)
def test_what_cannot_be_meant(outputs: list[str], format_: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        formats.plan(outputs, format_, ("text", "json"))
    assert str(caught.value).startswith(problem)


def test_nothing_is_written_before_it_is_time(folder: Path) -> None:
    formats.plan(["a.json", "b.xml"], "", ALL)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["kept/report.json", "locked"])
def test_what_may_not_be_written_is_found_out_beforehand(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "kept").mkdir()
    os.mkfifo(folder / "locked")
    asked: list[Path] = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append(Path(path)))
    with pytest.raises(OutOfReach, match=f"--output {name}: cannot be written: no permission"):
        formats.plan([name], "", ALL)
    assert [path.name for path in asked] == [name.partition("/")[0]]


def test_every_format_is_rendered_once_and_goes_where_it_should(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rendered: list[str] = []

    def render(format_: str) -> str:
        rendered.append(format_)
        return f"as {format_}"

    formats.write(formats.plan(["a.xml", "-", "b.txt", "c.json"], "", ALL), render)
    assert rendered == ["junit", "text", "json"]
    assert capsys.readouterr().out == "as text\n"
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert written == {"a.xml": "as junit\n", "b.txt": "as text\n", "c.json": "as json\n"}


def test_one_that_fails_does_not_keep_the_others_from_theirs(folder: Path) -> None:
    sinks = formats.plan(["a.json", "b.json"], "", ALL)
    (folder / "a.json").mkdir()
    with pytest.raises(UsageError, match="--output 'a"):
        formats.write(sinks, str)
    assert (folder / "b.json").read_text() == "json\n"
    assert stat.S_IMODE((folder / "b.json").stat().st_mode) == 0o644


def test_a_name_that_is_no_text_can_be_written_as_json(tmp_path: Path) -> None:
    """Files of images and contexts may be called anything."""
    name = os.fsdecode(b"caf\xe9 \xc3\xa9")
    document = tables.document({"path": name})
    output.emit(document, str(tmp_path / "report.json"))
    assert json.loads((tmp_path / "report.json").read_text()) == {"schema": 1, "path": name}


def test_sizes_of_small_images_are_told_to_the_byte() -> None:
    sizes = (None, 0, 842, 2**20 // 10 - 1, 2**20 // 10, 3 * 2**20)
    told = [None, "0 B", "842 B", "104856 B", "0.1 MiB", "3.0 MiB"]
    assert [tables.mib(size) for size in sizes] == told
