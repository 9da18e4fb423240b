"""The error family: one line for the reader, one exit code for the caller.

Every class is an invoke ``Exit``, because that is what ``invoke`` prints and turns into an exit
code by itself; anything else would end in a traceback.
"""

from __future__ import annotations

from invoke.exceptions import Exit


class SlipwayError(Exit):
    """An expected failure. The message says what failed, where, and what to do, on one line."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(message=message, code=self.exit_code)

    def __str__(self) -> str:
        return self.message or ""


class ProofFailed(SlipwayError):
    """A proof or a limit failed."""

    exit_code = 1


class UsageError(SlipwayError):
    """Bad usage, settings or definitions: the caller has to change something."""

    exit_code = 2


class OutOfReach(SlipwayError):
    """An engine, a builder, a registry or a tool cannot be reached or had."""

    exit_code = 3


class BuildFailed(SlipwayError):
    """A build ran and failed."""

    exit_code = 4


class Interrupted(SlipwayError):
    """Somebody pressed Ctrl-C or sent SIGTERM."""

    exit_code = 130
