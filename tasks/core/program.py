"""invoke's own program, started by ``inv``: bad usage ends with one line and exit code 2.

``invoke`` by itself works too; it gives 1 for a mistyped option, and a traceback for an
``invoke.yaml`` that cannot be read. Run as a file, before ``tasks`` can be imported: nothing of
Slipway is imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from invoke import __version__
from invoke.exceptions import Exit, ParseError
from invoke.program import Program
from invoke.vendor.yaml import YAMLError

VERSION = "0.1.0"
BAD_USAGE = 2
INTERRUPTED = 130


class Slipway(Program):
    """invoke's program with Slipway's exit codes."""

    def parse_core(self, argv: list[str] | None) -> None:
        """Read the options before the first task."""
        with _usage():
            super().parse_core(argv)

    def parse_collection(self) -> None:
        """Load ``tasks.py`` and ``invoke.yaml``."""
        with _usage():
            super().parse_collection()

    def parse_tasks(self) -> None:
        """Read the tasks and their options."""
        with _usage():
            super().parse_tasks()


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        said = " ".join(str(error).split()).rstrip("!.")
        raise Exit(f"{said}; see: inv --list", code=BAD_USAGE) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"invoke.yaml:{mark.line + 1}" if mark else "invoke.yaml"
        problem = getattr(error, "problem", None) or "is not YAML"
        raise Exit(f"{place}: {problem}; mend the file", code=BAD_USAGE) from None


def main() -> None:
    """Run the tasks named on the command line."""
    version = f"{VERSION} (invoke {__version__})"
    program = Slipway(name="Slipway", binary="inv", binary_names=["inv", "invoke"], version=version)
    try:
        program.run()
    except SystemExit as ending:
        # invoke has only one exit code for Ctrl-C outside of a task, and it is 1.
        if isinstance(ending.__context__, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        raise


if __name__ == "__main__":
    main()
