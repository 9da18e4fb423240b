"""The outcome of proofs: what was measured, what was allowed, and how outcomes add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from tasks.core.errors import ProofFailed


class Status(StrEnum):
    """How a proof ended. Skipped means that it says nothing, and the message says why."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Severity(StrEnum):
    """How grave a failure is; the same words as scanners use, the least grave first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least grave."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Verdict:
    """One proof of one target on one platform.

    ``measured`` and ``allowed`` are texts with their units; ``message`` is one line for a reader.
    ``findings`` are all that is wrong, a line each: what exceptions are matched with.
    """

    target: str
    platform: str
    proof: str
    status: Status
    measured: str
    allowed: str
    message: str
    severity: Severity = Severity.HIGH
    findings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return asdict(self)


def summary(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many passed, failed and were skipped."""
    counts = Counter(verdict.status for verdict in verdicts)
    return {status.value: counts[status] for status in Status}


def failed(verdicts: Iterable[Verdict], least: Severity = Severity.LOW) -> tuple[Verdict, ...]:
    """Those that failed and are at least that grave."""
    failures = [verdict for verdict in verdicts if verdict.status is Status.FAILED]
    return tuple(verdict for verdict in failures if verdict.severity.rank >= least.rank)


def passed_over(verdicts: Iterable[Verdict], least: Severity) -> str:
    """A line on the failures that are less grave than ``least``; "" where there are none."""
    lesser = [one for one in failed(verdicts) if one.severity.rank < least.rank]
    if not lesser:
        return ""
    names = ", ".join(dict.fromkeys(one.proof for one in lesser))
    return f"{len(lesser)} failed that are less grave than {least}, so they do not count: {names}"


def demand(verdicts: Iterable[Verdict], least: Severity = Severity.LOW) -> None:
    """Raise ProofFailed, naming the gravest failure, if any is as grave as ``least``."""
    failures = failed(verdicts, least)
    if failures:
        first = max(failures, key=lambda verdict: verdict.severity.rank)
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise ProofFailed(f"{first.target}: {first.proof} failed: {first.message}{more}")
