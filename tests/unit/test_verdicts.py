"""How verdicts add up: what fails a run, and what is said of failures that do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.errors import ProofFailed
from tasks.core.proofs import verdicts
from tasks.core.proofs.verdicts import Severity, Verdict
from tests.unit.outcomes import HEALTHY


def failure(severity: Severity, name: str) -> Verdict:
    made = HEALTHY.decide("web", "linux/amd64", False, "exited", "60 s", "exited with 1")
    return replace(made, severity=severity, proof=name)


def test_the_gravest_failure_is_the_one_that_is_named() -> None:
    found = [failure(Severity.LOW, "a.low"), failure(Severity.HIGH, "a.high")]
    with pytest.raises(ProofFailed, match=r"^web: a\.high failed: exited with 1 \(and 1 more\)$"):
        verdicts.demand(found)


def test_less_grave_failures_do_not_count_and_are_named() -> None:
    found = [failure(Severity.LOW, "a.low"), failure(Severity.LOW, "a.low")]
    verdicts.demand(found, Severity.HIGH)
    said = "2 failed that are less grave than high, so they do not count: a.low"
    assert verdicts.passed_over(found, Severity.HIGH) == said


def test_nothing_is_said_where_every_failure_counts() -> None:
    found = [failure(Severity.HIGH, "a.high")]
    assert verdicts.passed_over(found, Severity.HIGH) == ""
    assert verdicts.passed_over(found, Severity.LOW) == ""
