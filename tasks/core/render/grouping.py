"""Verdicts put together for a reader: what is the same is told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.core.proofs.catalogue import first
from tasks.core.proofs.verdicts import Status, Verdict

MARKS = {Status.PASSED: "ok", Status.FAILED: "FAILED", Status.SKIPPED: "skipped"}


@dataclass(frozen=True)
class Failure:
    """A failure with all ``platforms`` that it is the same on."""

    verdict: Verdict
    platforms: tuple[str, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        """All that is wrong, a line each."""
        return self.verdict.findings or (self.verdict.message,)

    @property
    def remark(self) -> str:
        """What the message says beyond the findings, such as that an exception ended."""
        return self.verdict.message.removeprefix(first(self.findings)).strip()

    @property
    def figures(self) -> str:
        """What was measured and what is allowed, as a phrase."""
        return f"measured: {self.verdict.measured}; allowed: {self.verdict.allowed}"


@dataclass(frozen=True)
class Family:
    """The verdicts of one family on one platform of a target.

    ``outcome`` counts them ("7 ok, 1 FAILED"), ``measured`` has what those that passed say.
    """

    target: str
    platform: str
    name: str
    outcome: str
    measured: str


def family(proof: str) -> str:
    """The family of a proof's id."""
    return proof.partition(".")[0]


def platforms(verdicts: Sequence[Verdict]) -> list[str]:
    """The platforms that there are verdicts on."""
    return sorted({verdict.platform for verdict in verdicts if verdict.platform})


def failures(verdicts: Sequence[Verdict]) -> tuple[Failure, ...]:
    """What failed, the gravest first."""
    found: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.status is Status.FAILED:
            what = (verdict.target, verdict.proof, verdict.measured, verdict.message)
            found.setdefault((*what, verdict.findings), []).append(verdict)
    merged = [
        Failure(same[0], tuple(verdict.platform for verdict in same)) for same in found.values()
    ]
    return tuple(sorted(merged, key=lambda failure: -failure.verdict.severity.rank))


def families(verdicts: Sequence[Verdict]) -> tuple[Family, ...]:
    """Every family of every platform and target, in the order of the verdicts."""
    found: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        place = (verdict.target, verdict.platform, family(verdict.proof))
        found.setdefault(place, []).append(verdict)
    return tuple(Family(*place, _outcome(same), _measured(same)) for place, same in found.items())


def skipped(verdicts: Sequence[Verdict]) -> dict[str, tuple[str, ...]]:
    """The ids of what was skipped, by the reason."""
    found: dict[str, dict[str, None]] = {}
    for verdict in verdicts:
        if verdict.status is Status.SKIPPED:
            found.setdefault(verdict.message, {})[verdict.proof] = None
    return {reason: tuple(proofs) for reason, proofs in found.items()}


def _outcome(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(verdict.status for verdict in verdicts)
    return ", ".join(f"{counts[status]} {MARKS[status]}" for status in Status if counts[status])


def _measured(verdicts: Sequence[Verdict]) -> str:
    passed = [verdict.message for verdict in verdicts if verdict.status is Status.PASSED]
    return "; ".join(dict.fromkeys(passed))
