"""The door to subprocesses: output whole, errors in one line, nothing quoted by a shell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tasks.core import process
from tasks.core.errors import BuildFailed, OutOfReach


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_everything_a_program_says_is_returned() -> None:
    done = process.read(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 0)


def test_large_output_is_read_whole() -> None:
    done = process.read(python("print('x' * 20_000_000)"))
    assert len(done.stdout) == 20_000_001


def test_a_failure_shows_command_code_and_last_words() -> None:
    code = "import sys; print('one\\ntwo', file=sys.stderr); sys.exit(7)"
    with pytest.raises(BuildFailed, match=r"exit 7: one / two$") as caught:
        process.read(python(code), error=BuildFailed)
    assert caught.value.code == 4


def test_a_missing_program_is_out_of_reach() -> None:
    with pytest.raises(OutOfReach, match="no-such-program is not installed"):
        process.read(["no-such-program"])


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(OutOfReach, match=r"no answer within 0\.2 s"):
        process.read(python("import time; time.sleep(60)"), timeout=0.2)


def test_words_are_never_taken_apart(tmp_path: Path) -> None:
    done = process.read(
        [*python("import sys; print(sys.argv[1])"), "$(touch x); 'a b'"], cwd=tmp_path
    )
    assert done.stdout == "$(touch x); 'a b'\n"
    assert list(tmp_path.iterdir()) == []


def test_streamed_output_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    code = process.stream(
        python("import sys; print(sys.stdin.read()); sys.exit(3)"), stdin="from the pipe"
    )
    captured = capfd.readouterr()
    assert (code, captured.out) == (3, "")
    assert captured.err == "from the pipe\n"


def test_a_program_that_does_not_read_its_input_is_fine() -> None:
    assert process.stream(python("pass"), stdin="x" * 1_000_000) == 0


def test_what_a_program_said_cannot_steer_the_terminal() -> None:
    assert process.plain("\x1b[31mred\x1b[0m \x07bell\x1b]0;t\ttab") == "red bell]0;t\ttab"
