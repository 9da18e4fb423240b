"""The options that benches have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

MOST_RUNS = 100


def parser(
    name: str, description: str | None, page: Path, *, runs: bool = True
) -> argparse.ArgumentParser:
    """The parser of ``bench.<name>``: its table stands in ``page``, and it may repeat ``runs``."""
    made = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=description)
    if runs:
        made.add_argument("--runs", type=count, default=5, help="runs of each side (default: 5)")
    where = f"put the table into {page.parent.name}/{page.name}"
    made.add_argument("--update-docs", action="store_true", help=where)
    return made


def count(text: str) -> int:
    """A number of runs, as argparse takes it."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_RUNS:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MOST_RUNS}")
    return int(text)
