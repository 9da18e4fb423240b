"""The processes that look into images: one does many, and one that dies is no end of all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.core.errors import Interrupted, OutOfReach, UsageError
from tasks.core.proofs.policy import Policy
from tasks.core.verifying import crew
from tasks.core.verifying.looking import Job
from tests.unit import archives
from tests.unit.archives import MANIFEST, Layout, encoded
from tests.unit.layers import file, layer

#: `_can_fork` says no everywhere else, so that there is nothing to see; the other tests run there.
copies = pytest.mark.skipif(sys.platform != "linux", reason="on Linux alone they are copies")
#: A program of one thread, as a task is when it begins; it says who its processes are.
PROGRAM = """
import time
from tasks.core.verifying import crew
crew.size = lambda: 3
with crew.crew(9) as current:
    print(*(worker.process.pid for worker in current._workers), flush=True)
    time.sleep(60)
"""
#: The slowest of many ends, in seconds, and how many copies there were.
IN_A_TASK = """
import time
from tasks.core import command
from tasks.core.verifying import crew
slowest, begun = 0, 0
with command.boundary():
    for _ in range(20):
        began = time.monotonic()
        with crew.crew(1) as current:
            begun += len(current._workers)
        slowest = max(slowest, time.monotonic() - began)
print(slowest, begun)
"""


@pytest.fixture(autouse=True)
def _one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process, which is no copy of this one: what runs tests has threads."""
    monkeypatch.setattr(crew, "size", lambda: 1)
    monkeypatch.setattr(crew, "_can_fork", lambda: False)


def job(folder: Path, content: bytes | None = None) -> Job:
    layout = Layout()
    image = layout.add(encoded(layout.manifest(layers=[layer(file("bin/x", b"x"))])), MANIFEST)
    path = folder / "image.tar"
    path.write_bytes(archives.tar(layout.files([image])) if content is None else content)
    return Job("it", "it", None, path, Policy(), ("filesystem",))


def test_one_process_does_one_image_after_the_other(tmp_path: Path) -> None:
    with crew.crew(1) as current:
        works = [current.start(job(tmp_path)) for _ in range(3)]
        found = [work.result() for work in works]
        assert len(current._workers) == 1
        process = current._workers[0].process
    assert found[0].verdicts
    assert found[0] == found[1] == found[2]
    assert not process.is_alive()


def test_what_is_wrong_with_an_image_is_told_and_the_next_is_done(tmp_path: Path) -> None:
    with crew.crew(1) as current:
        with pytest.raises(UsageError, match="whole tar archive"):
            current.start(job(tmp_path, b"no archive")).result()
        assert current.start(job(tmp_path)).result().verdicts


def test_a_process_that_is_killed_is_said_and_the_next_image_is_done(tmp_path: Path) -> None:
    with crew.crew(1) as current:
        current.start(job(tmp_path)).result()
        dead = current._workers[0].process
        assert dead.pid is not None
        os.kill(dead.pid, signal.SIGKILL)
        dead.join()
        with pytest.raises(OutOfReach, match=r"ended early \(signal 9\); is there enough memory"):
            current.start(job(tmp_path)).result()
        assert current.start(job(tmp_path)).result().verdicts


@copies
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_copies_do_not_outlive_the_process_that_made_them(ending: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    ) as program:
        assert program.stdout is not None
        found = [Path("/proc", word, "stat") for word in program.stdout.readline().decode().split()]
        assert [runs(each) for each in found] == [True] * 3
        program.send_signal(ending)
        program.wait(10)
    until = time.monotonic() + 10
    while any(map(runs, found)):
        assert time.monotonic() < until, "they read on"
        time.sleep(0.05)


def runs(stat: Path) -> bool:
    """Whether a process runs by the kernel's record; nobody may be there who waits for its end."""
    try:
        return " Z " not in stat.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@copies
def test_reading_stands_back_whatever_the_kernel_goes_by() -> None:
    """Among all processes, and among sessions; all of several, of which it hears one at a time."""
    wanted = min(19, os.getpriority(os.PRIO_PROCESS, 0) + crew.NICENESS)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as program:
        assert program.stdout is not None
        until = time.monotonic() + 20
        for pid in map(int, program.stdout.readline().split()):
            group = Path("/proc", str(pid), "autogroup")
            while group.exists() and not group.read_text().endswith(f"nice {wanted}\n"):
                assert time.monotonic() < until, group.read_text()
                time.sleep(0.05)
            assert os.getpriority(os.PRIO_PROCESS, pid) == wanted
            assert not group.exists() or os.getsid(pid) == pid
        program.kill()


@copies
def test_a_copy_that_has_just_begun_ends_at_once() -> None:
    """It has the handlers of a task at first, who would not let it go, or print a traceback."""
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_TASK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as program:
        said, problems = program.communicate(timeout=60)
    assert problems == ""
    slowest, begun = said.split()
    assert begun == "20"
    assert float(slowest) < crew.END_SECONDS


def test_after_the_end_nothing_is_begun(tmp_path: Path) -> None:
    with crew.crew(1) as current:
        pass
    with pytest.raises(Interrupted):
        current.start(job(tmp_path))
