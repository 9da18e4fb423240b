"""Slipway beside its peers, on the gallery of flawed images: ``python -m bench.peers``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from bench import arguments, contenders, expressing, measuring, outcome, report, standing
from bench.contenders import HADOLINT, STRUCTURE, TRIVY, Findings
from bench.standing import SLIPWAY, Row
from tasks.core import daemon, filling, process
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.render import output
from tasks.core.session import ROOT
from tests.engine.conftest import emulation_lock, remove_images, run_task
from tests.engine.gallery import building, fakes
from tests.engine.gallery.exhibit import Exhibit
from tests.engine.gallery.shipping import POLICY
from tests.engine.gallery.table import EXHIBITS

PAGE = ROOT / "docs" / "verification.md"
PROJECT = "slipway-peers"
TOOLS = (SLIPWAY, STRUCTURE, HADOLINT, TRIVY)
#: What is wrong with these is the policy, which only Slipway has.
SHOWN = tuple(each for each in EXHIBITS if each not in POLICY)
#: What a tool says of this one, it says of every image.
PLAINEST = "scratch"


def main(words: Sequence[str] | None = None) -> int:
    """Compare, print the table, and return the exit code: 0 whatever was caught."""
    options = arguments.parser("peers", __doc__, PAGE, runs=False).parse_args(words)
    return outcome.code(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    versions = ", ".join(map(contenders.version, contenders.NAMES))
    session = measuring.session(ROOT)
    with closing(daemon.connect(session.engine)) as client, tempfile.TemporaryDirectory() as folder:
        daemon.demand_containerd_store(client)
        try:
            process.note("building the images …")
            root = building.build(session.engine, Path(folder, "gallery"), SHOWN, PROJECT)
            rows = compared(root, session.engine)
        finally:
            remove_images(client, PROJECT)
    text = standing.page(rows, TOOLS)
    output.emit(text)
    if options.update_docs:
        where = report.circumstances(session.engine)
        filling.fill(PAGE, "peers", f"{text}\n\nBy `python -m bench.peers` on {where} {versions}.")


def compared(root: Path, engine: Engine) -> tuple[Row, ...]:
    """Every exhibit with what each tool makes of it; ``root`` as `building.build` leaves it."""
    process.note("each tool in turn …")
    found = {
        SLIPWAY: _slipway(root),
        STRUCTURE: contenders.structure(root, SHOWN, engine, PROJECT),
        HADOLINT: contenders.hadolint(root, SHOWN),
        TRIVY: contenders.trivy(root, SHOWN, engine, PROJECT),
    }
    return tuple(_row(each, found) for each in SHOWN)


def _row(exhibit: Exhibit, found: Mapping[str, Findings]) -> Row:
    cells = {SLIPWAY: standing.slipway(exhibit, found[SLIPWAY])}
    cells[STRUCTURE] = standing.cell(exhibit, found[STRUCTURE])
    for tool, about in expressing.ABOUT.items():
        usual = found[tool][PLAINEST]
        known = exhibit.name in about
        cells[tool] = standing.cell(exhibit, found[tool], usual=usual, about=known)
    return Row(exhibit, cells)


def _slipway(root: Path) -> Findings:
    """The proofs that failed, by image."""
    words = ("verify.all", "--target", "*", "--jobs", "8", "--format", "json")
    with emulation_lock():
        ran = run_task(root, *words, env={"PROJECT": PROJECT, fakes.VARIABLE: fakes.BUILD_SECRET})
    if ran.code not in (0, 1):
        raise OutOfReach(f"verify.all ended with {ran.code}: {ran.said}")
    failed: dict[str, tuple[str, ...]] = {}
    for verdict in json.loads(ran.out)["verdicts"]:
        name, proof = verdict["target"], verdict["proof"]
        if verdict["status"] == "failed" and proof not in failed.get(name, ()):
            failed[name] = (*failed.get(name, ()), proof)
    return failed


if __name__ == "__main__":
    sys.exit(main())
