"""What the program says of options and of an invoke.yaml that cannot be meant: one line, exit 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core.errors import UsageError
from tasks.verify import Asked

PROGRAM = Path(__file__).parents[2] / "tasks/core/program.py"


def listed(folder: Path, configuration: bytes) -> subprocess.CompletedProcess[str]:
    (folder / "tasks.py").write_text("from invoke.tasks import task\n@task\ndef a(c):\n    'A.'\n")
    (folder / "invoke.yaml").write_bytes(configuration)
    command = (sys.executable, "-P", str(PROGRAM), "--search-root", str(folder), "--list")
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        (b"a:\n  expires: 2026-02-30\n", "invoke.yaml:2: '2026-02-30' is no day that there is"),
        (b"a:\n  b: 1\n  c: 2\n  b: 3\n", "invoke.yaml:4: the key 'b' is there twice"),
        (b"a: [\n", "invoke.yaml:2: expected the node content, but found '<stream end>'"),
        (b"\xff\xfe", "invoke.yaml: expected UTF-8 text with a mapping of texts"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(
    tmp_path: Path, configuration: bytes, said: str
) -> None:
    done = listed(tmp_path, configuration)
    assert (done.returncode, done.stderr) == (2, f"{said}; mend the file\n")


def test_what_can_be_read(tmp_path: Path) -> None:
    merged = b"x: &x {day: 2026-02-28, a: 1}\ny: {<<: *x, a: 2}\n"
    assert listed(tmp_path, merged).returncode == 0


TASKS = f"""
__path__ = [{str(PROGRAM.parents[1])!r}]
from invoke.exceptions import Exit
from invoke.tasks import task
from tasks.core import process
from tasks.core.render import output

@task
def prints(c):
    output.emit("some words")
    raise Exit(code=4)

@task
def tells(c):
    process.note("one")
    process.note("two")
    raise Exit(code=1)
"""


@pytest.mark.parametrize(
    ("words", "gone", "code"),
    [(["--list"], "stdout", 0), (["prints"], "stdout", 4), (["tells"], "stderr", 1)],
)
def test_a_reader_that_has_seen_enough(
    tmp_path: Path, words: list[str], gone: str, code: int
) -> None:
    """As with ``inv … | head -1``: no traceback, and the exit code is that of the work."""
    (tmp_path / "tasks.py").write_text(TASKS)
    reading, writing = os.pipe()
    os.close(reading)
    command = (sys.executable, "-P", str(PROGRAM), "--search-root", str(tmp_path), *words)
    out, err = (writing if gone == end else subprocess.PIPE for end in ("stdout", "stderr"))
    try:
        done = subprocess.run(command, stdout=out, stderr=err, text=True, check=False)
    finally:
        os.close(writing)
    assert done.returncode == code
    assert not done.stderr


@pytest.mark.parametrize("jobs", ["0", "65", "-1", "two", "\u00b2", "9" * 5000])
def test_no_number_of_jobs(jobs: str) -> None:
    with pytest.raises(UsageError, match="expected a number from 1 to 64"):
        Asked(jobs=jobs).at_once()


def test_numbers_of_jobs() -> None:
    assert [Asked(jobs=jobs).at_once() for jobs in ("", "1", "64")] == [None, 1, 64]
