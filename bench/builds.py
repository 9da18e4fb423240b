"""Measure the builds: ``python -m bench.builds``, from the root of the repository."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench import arguments, measuring, outcome, report
from bench.cases import SERVICES, chosen, every
from bench.measuring import Timing
from tasks.core import daemon
from tasks.core.errors import UsageError
from tasks.core.render import output
from tasks.core.session import ROOT

PAGE = ROOT / "docs" / "performance.md"


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return the exit code: 0 also where a limit is not met."""
    options = _options(words)
    # What is timed is the build, and a terminal full of steps would hide how far the bench is.
    os.environ.setdefault("BUILDKIT_PROGRESS", "quiet")
    return outcome.code(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    session = measuring.session(ROOT)
    with closing(daemon.connect(session.engine)) as client:
        daemon.demand_containerd_store(client)
    known = every(session.engine.native_platform, session.settings.platforms)
    cases = chosen(known, options.only)
    earlier: tuple[report.Row, ...] = ()
    before = ""
    if options.earlier:
        earlier, before = report.stored(Path(options.earlier), known)
    done: list[Timing] = []
    try:
        measuring.measure(measuring.plan(cases, _services(options.services), options.runs), done)
    finally:
        # What was measured before a failure is worth its minutes.
        rows = report.rows(done)
        if rows:
            output.emit(report.table(rows))
            where = report.circumstances(session.engine)
            if options.output:
                output.emit(report.document(rows, where), options.output)
    if options.update_docs:
        anew = {row.case.name for row in rows}
        kept = tuple(row for row in earlier if row.case.name not in anew)
        told = f"{where} By `{_command(options)}`."
        if kept:
            names = ", ".join(dict.fromkeys(row.case.name for row in kept))
            told = f"{told} In an earlier run ({names}): {before}"
        report.update(PAGE, (*kept, *rows), told)


def _command(options: argparse.Namespace) -> str:
    """What measured it, so that a page with a part of the comparisons says so."""
    given = {"--runs": options.runs, "--only": options.only, "--services": options.services}
    words = [f"{flag} {value}" for flag, value in given.items() if value]
    return " ".join(("python -m bench.builds", *words))


def _services(given: str) -> tuple[str, ...]:
    names = tuple(word.strip() for word in given.split(",") if word.strip())
    if not names or not set(names) <= set(SERVICES):
        raise UsageError(f"--services {given!r}: expected some of {', '.join(SERVICES)}")
    return names


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("builds", __doc__, PAGE)
    parser.add_argument("--only", default="", help="comparisons by name or glob: NAME,NAME")
    parser.add_argument("--services", default=",".join(SERVICES), help="services: NAME,NAME")
    parser.add_argument("--earlier", help="keep the comparisons of this --output that are not made")
    parser.add_argument("--output", help="also write every single run to this file, as JSON")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
