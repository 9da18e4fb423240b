"""What every proof is: its id, what it is about, and how grave a failure is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.core.proofs.verdicts import Severity, Status, Verdict

#: How many findings a message names.
SHOWN = 3


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
        measured = f"{len(problems)} found" if problems else passed
        message = first(problems) if problems else passed
        return self._verdict(
            target, platform, not problems, measured, allowed, message, tuple(problems)
        )

    def decide(
        self, target: str, platform: str, passed: bool, measured: str, allowed: str, message: str
    ) -> Verdict:
        """The verdict on something measured; a failure's only finding is its message."""
        findings = () if passed else (message,)
        return self._verdict(target, platform, passed, measured, allowed, message, findings)

    def skip(self, target: str, platform: str, reason: str, measured: str = "-") -> Verdict:
        """Nothing is said, for ``reason``."""
        return self._verdict(target, platform, None, measured, "-", reason, ())

    def _verdict(
        self,
        target: str,
        platform: str,
        passed: bool | None,
        measured: str,
        allowed: str,
        message: str,
        findings: tuple[str, ...],
    ) -> Verdict:
        status = Status.SKIPPED if passed is None else Status.PASSED if passed else Status.FAILED
        return Verdict(
            target, platform, self.id, status, measured, allowed, message, self.severity, findings
        )


def first(problems: Sequence[str]) -> str:
    """The first few problems, and how many more there are."""
    more = f" (and {len(problems) - SHOWN} more)" if len(problems) > SHOWN else ""
    return "; ".join(problems[:SHOWN]) + more
