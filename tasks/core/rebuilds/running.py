"""What ``compare.builds`` and ``compare.variants`` do."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core import filling, process
from tasks.core.bake.definitions import Target
from tasks.core.errors import UsageError
from tasks.core.images import sizes
from tasks.core.rebuilds import machine, measure, plan, results, scratch
from tasks.core.rebuilds import variants as tabling
from tasks.core.rebuilds.measure import Asked
from tasks.core.rebuilds.results import Subject
from tasks.core.rebuilds.variants import Row
from tasks.core.render import variants as variants_table
from tasks.core.session import Session
from tasks.core.verifying import catalogue, kept, policyfile

DOCS = Path("docs")
MARKER = "variants"


@dataclass(frozen=True)
class Wish:
    """What is to be measured; ``settings`` are laid over the person's own, as --set has them."""

    patterns: Sequence[str]
    runs: int
    scenarios: tuple[str, ...]
    command: str
    settings: tuple[str, ...]


def wish(patterns: Sequence[str], runs: str, scenario: str, given: Sequence[str]) -> Wish:
    """The options of compare.builds, checked. Raises UsageError.

    The command that is noted has the names of settings that were given, not their values.
    """
    count, scenarios = plan.runs_of(runs), plan.scenarios_of(scenario)
    words = ["inv", "compare.builds", "--runs", str(count)]
    words += [word for pattern in patterns for word in ("--target", pattern)]
    if scenario:
        words += ["--scenario", ",".join(one for one in scenarios)]
    words += [word for one in given for word in ("--set", f"{one.partition('=')[0]}=…")]
    # What is built must not change anybody's caches, and every build must have its digest; a scan
    # of what ships runs in every build, and would be measured as one of its steps.
    fixed = ("CACHE=off", "PROVENANCE=off", "SBOM=off", "SCAN_GATE=off")
    return Wish(
        patterns, count, scenarios, shlex.join(words), (f"PROJECT={scratch.project()}", *fixed)
    )


def builds(session: Session, wish: Wish) -> None:
    """Build, take the time, and keep what was measured, also when it ends before its time."""
    targets = _chosen(session, wish.patterns)
    earlier = results.load(session.root)
    count = len(plan.plan([one.name for one in targets], wish.scenarios, wish.runs))
    if session.dry:
        names = ", ".join(one.name for one in targets)
        process.note(f"would build {names}: {count} builds in copies of the repository")
        return
    asked = Asked(
        wish.scenarios,
        wish.runs,
        wish.command,
        machine.circumstances(session.root, session.engine),
    )
    found: dict[str, Subject] = {}
    try:
        measure.measure(session, targets, asked, found)
    finally:
        if found:
            results.store(session.root, results.joined(earlier, found.values()))
            process.note(f"kept in {results.FILE}; see: inv compare.variants")


def variants(session: Session, patterns: Sequence[str], report: str) -> tuple[Row, ...]:
    """What is known of each variant; ``report`` is a file of verdicts, "" for those kept."""
    verdicts = (
        kept.read(Path(report), f"--verdicts {report}") if report else kept.load(session.root)
    )
    targets = _chosen(session, patterns)
    return tabling.rows(
        targets, results.load(session.root), verdicts, session.engine.native_platform
    )


def update(session: Session, rows: Sequence[Row]) -> None:
    """Fill every place for variants in the pages of docs/. Raises UsageError if there is none."""
    pages = [
        (page, name)
        for page in sorted((session.root / DOCS).glob("*.md"))
        for name in filling.names(page, MARKER)
    ]
    if not pages:
        raise UsageError(
            f"no page of {DOCS}/ has a place for the table: "
            f"<!-- {MARKER}: begin --> and <!-- {MARKER}: end -->"
        )
    for page, name in pages:
        words = name.removeprefix(MARKER).strip()
        text = (
            variants_table.effect(rows, words)
            if words
            else (f"{variants_table.render(rows, 'markdown')}")
        )
        filling.fill(page, name, text)
    for page in dict.fromkeys(page for page, _ in pages):
        process.note(f"written: {page.relative_to(session.root)}")


def _chosen(session: Session, patterns: Sequence[str]) -> list[Target]:
    """What ships, and the baselines; or the targets that are named."""
    definition = session.everything()
    policyfile.check(session.config, definition.targets, catalogue.IDS)
    return list(sizes.choose(definition, patterns).values())
