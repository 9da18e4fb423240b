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


@dataclass(frozen=True)
class Verdict:
    """One proof of one target on one platform.

    ``measured`` and ``allowed`` are texts with their units; ``message`` is one line for a reader.
    """

    target: str
    platform: str
    proof: str
    status: Status
    measured: str
    allowed: str
    message: str

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return asdict(self)


def summary(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many passed, failed and were skipped."""
    counts = Counter(verdict.status for verdict in verdicts)
    return {status.value: counts[status] for status in Status}


def failed(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Those that failed."""
    return tuple(verdict for verdict in verdicts if verdict.status is Status.FAILED)


def demand(verdicts: Iterable[Verdict]) -> None:
    """Raise ProofFailed, naming the first failure, unless nothing failed."""
    failures = failed(verdicts)
    if failures:
        first = failures[0]
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise ProofFailed(f"{first.target}: {first.proof} failed: {first.message}{more}")
