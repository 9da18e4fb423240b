"""What was measured, as it is kept in ``.slipway/compare/builds.json``: docs/optimization.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median

from tasks.core import untrusted
from tasks.core.errors import UsageError
from tasks.core.journal import decoding
from tasks.core.render import output
from tasks.core.untrusted import Malformed

SCHEMA = 1
FILE = Path(".slipway", "compare", "builds.json")
MAX_BYTES = 16 * 2**20

COLD, WARM, SOURCE, DEPENDENCY = "cold", "warm", "source", "dependency"
#: In the order in which they are made: each starts from what the one before left.
SCENARIOS = (WARM, SOURCE, DEPENDENCY, COLD)


@dataclass(frozen=True)
class Run:
    """One build: its seconds, how many steps it has, and how many came from the cache."""

    seconds: float
    steps: int
    cached: int


@dataclass(frozen=True)
class Measured:
    """The runs of one scenario, and how they came about.

    ``changed`` is the file that was changed before each run. Without runs ``reason`` says why; with
    them it is a remark on what was measured. ``machine`` tells engine, processors, commit.
    """

    scenario: str
    at: datetime
    command: str
    machine: str
    runs: tuple[Run, ...] = ()
    changed: str = ""
    reason: str = ""

    @property
    def seconds(self) -> float | None:
        """The median of the runs; None without any."""
        return median(run.seconds for run in self.runs) if self.runs else None

    @property
    def cached_percent(self) -> float | None:
        """How many steps came from the cache, by the median run; None without steps."""
        rates = [100 * run.cached / run.steps for run in self.runs if run.steps]
        return median(rates) if rates else None


@dataclass(frozen=True)
class Size:
    """The image of one platform; what is pulled is None where the engine does not know it."""

    platform: str
    compressed_bytes: int | None
    unpacked_bytes: int
    layers: int
    lookalike: bool = False


@dataclass(frozen=True)
class Subject:
    """One target with all that was measured of it. ``platforms``: what it was built for."""

    target: str
    service: str
    variant: str
    platforms: tuple[str, ...] = ()
    sizes: tuple[Size, ...] = ()
    #: How the sizes came about.
    command: str = ""
    scenarios: tuple[Measured, ...] = ()

    def measured(self, scenario: str) -> Measured | None:
        """What is known of a scenario."""
        return next((one for one in self.scenarios if one.scenario == scenario), None)


@dataclass(frozen=True)
class Results:
    """Everything that was measured, by target."""

    schema: int = SCHEMA
    subjects: tuple[Subject, ...] = ()

    def subject(self, target: str) -> Subject | None:
        """What was measured of ``target``."""
        return next((one for one in self.subjects if one.target == target), None)


def load(root: Path) -> Results:
    """What was kept; nothing yet is fine. Raises UsageError for a file that is not ours."""
    path = root / FILE
    try:
        document = untrusted.document(path, SCHEMA, MAX_BYTES)
        found = decoding.decode(Results, document, "it")
        _check(found)
        return found
    except FileNotFoundError:
        return Results()
    except Malformed as problem:
        shown = untrusted.shown(str(problem))
        raise UsageError(f"{FILE}: no results of compare.builds: {shown}; remove it") from None


def store(root: Path, found: Results) -> None:
    """Keep ``found``, written whole."""
    output.write(root / FILE, json.dumps(decoding.encode(found), indent=1) + "\n")


def joined(earlier: Results, subjects: Iterable[Subject]) -> Results:
    """``earlier`` with what was measured anew in its place; the rest of it stays."""
    known = {one.target: one for one in earlier.subjects}
    for one in subjects:
        known[one.target] = _joined(known.get(one.target), one)
    return replace(earlier, subjects=tuple(known[name] for name in sorted(known)))


def _joined(earlier: Subject | None, anew: Subject) -> Subject:
    if earlier is None or earlier.platforms != anew.platforms:
        return anew
    kept = [one for one in earlier.scenarios if anew.measured(one.scenario) is None]
    sizes = (anew.sizes, anew.command) if anew.sizes else (earlier.sizes, earlier.command)
    return replace(
        anew, scenarios=_ordered([*kept, *anew.scenarios]), sizes=sizes[0], command=sizes[1]
    )


def _ordered(scenarios: Sequence[Measured]) -> tuple[Measured, ...]:
    return tuple(sorted(scenarios, key=lambda one: SCENARIOS.index(one.scenario)))


def _check(found: Results) -> None:
    for subject in found.subjects:
        for one in subject.scenarios:
            if one.scenario not in SCENARIOS:
                raise Malformed(f"{one.scenario[:40]!r} is no scenario")
            if any(run.cached > run.steps for run in one.runs):
                raise Malformed(f"{subject.target}: more steps are cached than there are")
