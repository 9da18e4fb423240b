"""Measure the proofs: ``python -m bench.verifying``, once the production images are built."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import monotonic

from bench import arguments, outcome
from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.render import tables
from tasks.core.session import ROOT

PAGE = ROOT / "docs" / "performance.md"
SINGLE = ("backend-production", "frontend-production")
LIMIT = 1.2
SECONDS = 300


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return the exit code: 0 also where the limit is not met."""
    options = arguments.parser("verifying", __doc__, PAGE).parse_args(words)
    return outcome.code(
        lambda: outcome.publish(table(_measured(options.runs)), "verifying", PAGE, options)
    )


def table(seconds: dict[str, list[float]]) -> str:
    """A line for what was proven, and the ratio of all together to the slowest alone."""
    rows = [
        [name, len(runs), tables.seconds(median(runs)), tables.seconds(max(runs))]
        for name, runs in seconds.items()
    ]
    slowest = max(median(seconds[name]) for name in SINGLE)
    ratio = median(seconds["both"]) / slowest
    met = "met" if ratio <= LIMIT else "not met"
    head = ("proven", "runs", "median", "slowest run")
    return (
        f"{tables.table(head, rows, markdown=True)}\n\n"
        f"Both together take {ratio:.2f} times as long as the slower one alone "
        f"(limit {LIMIT:g}: {met})."
    )


def _measured(runs: int) -> dict[str, list[float]]:
    """Seconds of each run, in turn, so that whatever else happens on the machine hits all alike."""
    found: dict[str, list[float]] = {name: [] for name in (*SINGLE, "both")}
    for number in range(runs):
        for name, seconds in found.items():
            process.note(f"[{number + 1}/{runs}] {name} …")
            seconds.append(_seconds(SINGLE if name == "both" else (name,)))
    return found


def _seconds(targets: Sequence[str]) -> float:
    """The whole task, as a person waits for it; a verdict that fails does not matter here."""
    words = [word for name in targets for word in ("--target", name)]
    command = [sys.executable, "-P", str(Path("tasks", "core", "program.py"))]
    began = monotonic()
    done = subprocess.run(
        [*command, "--search-root", str(ROOT), "verify.production", *words],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )
    took = monotonic() - began
    if done.returncode not in (0, 1):
        raise OutOfReach(f"verify.production ended with {done.returncode}: {done.stderr[-300:]}")
    return took


if __name__ == "__main__":
    sys.exit(main())
