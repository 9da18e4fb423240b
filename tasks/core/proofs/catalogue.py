"""What every proof is: its id, what it is about, and how grave a failure is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tasks.core.verdicts import Status, Verdict

#: How many findings a message names.
SHOWN = 3


class Severity(StrEnum):
    """How grave a failure is; the same words as scanners use."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Proof:
    """One property that is proven: ``reason`` says why it matters, ``observed`` how it is seen."""

    id: str
    title: str
    severity: Severity
    reason: str
    observed: str

    @property
    def family(self) -> str:
        """The family, the first part of the id."""
        return self.id.partition(".")[0]

    def judge(
        self, target: str, platform: str, problems: Sequence[str], passed: str, allowed: str
    ) -> Verdict:
        """Failed with the first ``problems``, or else passed with what was measured, ``passed``."""
        status = Status.FAILED if problems else Status.PASSED
        measured = f"{len(problems)} found" if problems else passed
        message = first(problems) if problems else passed
        return Verdict(target, platform, self.id, status, measured, allowed, message)

    def skip(self, target: str, platform: str, reason: str) -> Verdict:
        """Nothing is said, for ``reason``."""
        return Verdict(target, platform, self.id, Status.SKIPPED, "-", "-", reason)


def first(problems: Sequence[str]) -> str:
    """The first few problems, and how many more there are."""
    more = f" (and {len(problems) - SHOWN} more)" if len(problems) > SHOWN else ""
    return "; ".join(problems[:SHOWN]) + more
