"""The boundary: every expected failure is one line with its exit code; bugs stay tracebacks."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Sequence

import pytest
from docker.errors import APIError
from invoke.context import Context
from invoke.exceptions import Exit
from requests import ConnectionError as Refused

from tasks.core import errors
from tasks.core.command import boundary, command


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (errors.ProofFailed("x"), 1),
        (errors.UsageError("x"), 2),
        (errors.OutOfReach("x"), 3),
        (errors.BuildFailed("x"), 4),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device", "/data"), 3),
        (PermissionError(errno.EACCES, "Permission denied", "/data"), 3),
        (Refused("Connection aborted"), 3),
        (APIError("500", explanation="driver failed: port is already allocated"), 3),
    ],
)
def test_expected_failures(raised: BaseException, code: int) -> None:
    with pytest.raises(Exit) as caught, boundary():
        raise raised
    assert caught.value.code == code
    assert "\n" not in (caught.value.message or "")
    assert caught.value.message


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(ZeroDivisionError), boundary():
        _ = 1 // 0


def test_sigterm_ends_like_ctrl_c() -> None:
    with pytest.raises(errors.Interrupted), boundary():
        os.kill(os.getpid(), signal.SIGTERM)


def test_tasks_of_one_name_in_two_verbs_stay_two_tasks() -> None:
    """invoke runs equal tasks once; `report.sizes verify.sizes` must run both."""

    def first(c: Context) -> None:
        """One."""

    def second(c: Context) -> None:
        """Two."""
        del c

    assert command(name="sizes")(first) != command(name="sizes")(second)


def test_options_are_explained() -> None:
    @command()
    def show(c: Context, no_cache: bool = False, format_: str = "text") -> None:
        """Show."""

    flags = {argument.name: argument.help for argument in show.get_arguments()}
    assert flags["no_cache"] == "Build every step anew."
    assert str(flags["format_"]).startswith("How the result is written")


def test_repeatable_options_are_lists_of_whole_words() -> None:
    @command()
    def show(c: Context, target: Sequence[str] = (), set_: Sequence[str] = ()) -> None:
        """Show."""

    kinds = {argument.name: argument.kind for argument in show.get_arguments()}
    assert kinds == {"target": list, "set_": list}
