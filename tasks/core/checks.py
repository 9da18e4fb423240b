"""The project's own checks, in the order in which a failure is cheapest."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path

from tasks.core import bootstrap, process
from tasks.core.errors import OutOfReach, ProofFailed, UsageError

Check = tuple[str, tuple[str, ...]]
#: Tests side by side; those of one file share what they built, so they stay together.
SPREAD = ("-n", "2", "--dist", "loadfile")


class Extent(StrEnum):
    """Which checks run. Those that are marked `long` test faults, scale and slow commands."""

    UNIT = "unit"
    USUAL = "usual"
    LONG = "long"
    ALL = "all"


def extent(*, unit: bool, long: bool, every: bool) -> Extent:
    """What the options of `test` ask for. Raises UsageError when they contradict each other."""
    if sum((unit, long, every)) > 1:
        raise UsageError("test takes one of --unit, --long and --all")
    if unit or long:
        return Extent.UNIT if unit else Extent.LONG
    return Extent.ALL if every else Extent.USUAL


def commands(python: str, wanted: Extent) -> tuple[Check, ...]:
    """Name and argv of each check, in the order in which they run."""
    module = (python, "-m")
    cheap: tuple[Check, ...] = (
        ("lint", (*module, "ruff", "check", ".")),
        ("format", (*module, "ruff", "format", "--check", ".")),
        ("types", (*module, "mypy", "tasks", "tests", "bench")),
        ("types of tasks.py", (*module, "mypy", "tasks.py")),
        ("unit tests", (*module, "pytest", "tests/unit", *SPREAD)),
    )
    engine = (*module, "pytest", "tests/engine", *SPREAD, "-v", "--durations=15")
    usual: Check = ("engine tests", (*engine, "-m", "not long"))
    long: Check = ("long engine tests", (*engine, "-m", "long"))
    return {
        Extent.UNIT: cheap,
        Extent.USUAL: (*cheap, usual),
        Extent.LONG: (long,),
        Extent.ALL: (*cheap, usual, long),
    }[wanted]


def run(root: Path, wanted: Extent) -> None:
    """Run the checks one after the other; ProofFailed at the first that fails."""
    for name, argv in commands(sys.executable, wanted):
        process.note(f"--- {name}: {process.shown(argv[2:])}")
        code = process.stream(argv, cwd=root)
        if code != 0:
            raise ProofFailed(f"{name} failed (exit {code}): see above")


def install(root: Path) -> None:
    """Have the tools of the checks in ``.venv``. Raises OutOfReach when they cannot be had."""
    problem = bootstrap.bring_up_to_date(root, root / "requirements-dev.txt", bootstrap.add)
    if problem:
        raise OutOfReach(problem)
