"""How a bench ends: its table printed and put into its page, and its exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from bench import measuring, report
from tasks.core import filling, process
from tasks.core.command import boundary
from tasks.core.errors import SlipwayError
from tasks.core.render import output
from tasks.core.session import ROOT


def code(work: Callable[[], None]) -> int:
    """Do ``work``; what failed is told in one line, and decides the exit code as with a task."""
    try:
        with boundary():
            work()
    except SlipwayError as error:
        process.note(str(error))
        return error.exit_code
    return 0


def publish(text: str, name: str, page: Path, options: argparse.Namespace) -> None:
    """Print the table of ``bench.<name>``; with ``--update-docs`` put it into ``page``, too."""
    output.emit(text)
    if options.update_docs:
        where = report.circumstances(measuring.session(ROOT).engine)
        told = f"By `python -m bench.{name} --runs {options.runs}` on {where}"
        filling.fill(page, name, f"{text}\n\n{told}")
