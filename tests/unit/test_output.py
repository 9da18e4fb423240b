"""Where results go: whole files, devices left alone, a reader that leaves is no failure."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core.errors import UsageError
from tasks.core.render import output, tables

REPOSITORY = Path(__file__).parents[2]


def test_a_file_is_written_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(0o600)
    output.emit("new", str(path))
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real").write_text("old")
    output.emit("new", str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new\n"


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    output.emit("through", str(pipe))
    assert os.read(reader, 100) == b"through\n"
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)


@pytest.mark.parametrize("name", ["", ".", "nowhere/report.json"])
def test_a_name_that_cannot_be_meant(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"^--output "):
        output.emit("x", name)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_does_not_change_what_follows() -> None:
    code = "from tasks.core.render import output; output.emit('x'); raise SystemExit(7)"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stdout=writer, check=False)
    os.close(writer)
    assert done.returncode == 7


def test_numbers_stand_right_and_nothing_is_a_dash() -> None:
    text = tables.table(["what", "size"], [["a", "1.0 MiB"], ["b", None], ["c", "10.0 MiB"]])
    assert text.splitlines()[2:] == [
        "a        1.0 MiB",
        "b              -",
        "c       10.0 MiB",
    ]
