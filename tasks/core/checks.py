"""The project's own checks, in the order in which a failure is cheapest."""

from __future__ import annotations

import sys
from pathlib import Path

from tasks.core import bootstrap, process
from tasks.core.errors import OutOfReach, ProofFailed

Check = tuple[str, tuple[str, ...]]
#: Tests side by side; those of one file share what they built, so they stay together.
SPREAD = ("-n", "2", "--dist", "loadfile")


def commands(python: str, *, unit: bool) -> tuple[Check, ...]:
    """Name and argv of each check; with ``unit`` only those that need no engine."""
    module = (python, "-m")
    cheap: tuple[Check, ...] = (
        ("lint", (*module, "ruff", "check", ".")),
        ("format", (*module, "ruff", "format", "--check", ".")),
        ("types", (*module, "mypy", "tasks", "tests", "bench")),
        ("types of tasks.py", (*module, "mypy", "tasks.py")),
        ("unit tests", (*module, "pytest", "tests/unit", *SPREAD)),
    )
    engine = ("engine tests", (*module, "pytest", "tests/engine", *SPREAD, "-v"))
    return cheap if unit else (*cheap, engine)


def run(root: Path, *, unit: bool) -> None:
    """Run the checks one after the other; ProofFailed at the first that fails."""
    for name, argv in commands(sys.executable, unit=unit):
        process.note(f"--- {name}: {process.shown(argv[2:])}")
        code = process.stream(argv, cwd=root)
        if code != 0:
            raise ProofFailed(f"{name} failed (exit {code}): see above")


def install(root: Path) -> None:
    """Have the tools of the checks in ``.venv``. Raises OutOfReach when they cannot be had."""
    problem = bootstrap.bring_up_to_date(root, root / "requirements-dev.txt", bootstrap.add)
    if problem:
        raise OutOfReach(problem)
