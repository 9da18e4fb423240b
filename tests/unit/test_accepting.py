"""What a policy makes of verdicts: left out, accepted for a while, no longer needed."""

from __future__ import annotations

import datetime
from typing import Any

from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.policy import Accepted, Policy
from tasks.core.proofs.verdicts import Severity, Status, Verdict
from tasks.core.verifying import accepting

TODAY = datetime.date(2026, 11, 24)
SETUID = Proof("filesystem.setuid", "title", Severity.HIGH, "reason", "observed")
PAGE = Proof("runtime.page", "title", Severity.HIGH, "reason", "observed")
FAILED = SETUID.judge("web", "linux/amd64", ["/bin/su has mode 4755", "/x is setgid"], "ok", "none")
PASSED = PAGE.judge("web", "linux/amd64", [], "HTTP 200", "none")


def accepted(proof: str, match: str, expires: datetime.date = TODAY) -> Accepted:
    return Accepted(proof, match, "needed by su", expires)


def settled(*exceptions: Accepted, **policy: Any) -> dict[str, Verdict]:
    found = accepting.settle([FAILED, PASSED], Policy(exceptions=exceptions, **policy), TODAY)
    return {one.proof: one for one in found}


def test_without_exceptions_nothing_changes() -> None:
    assert list(settled().values()) == [FAILED, PASSED]


def test_what_does_not_apply_is_skipped_and_said() -> None:
    for policy in ({"skip": ("filesystem.*",)}, {"proofs": ("runtime.*",)}):
        found = settled(**policy)
        assert found[SETUID.id].status is Status.SKIPPED
        assert found[SETUID.id].message == "the policy leaves it out"
        assert found[PAGE.id] == PASSED


def test_an_exception_for_every_finding_lets_it_pass() -> None:
    found = settled(accepted("filesystem.*", "/bin/su*"), accepted(SETUID.id, "/x*"))[SETUID.id]
    assert found.status is Status.PASSED
    assert found.message == (
        "2 accepted: needed by su, until 2026-11-24; needed by su, until 2026-11-24"
    )


def test_what_no_exception_matches_still_fails() -> None:
    found = settled(accepted(SETUID.id, "/bin/su*"))[SETUID.id]
    assert (found.status, found.findings) == (Status.FAILED, ("/x is setgid",))
    assert found.message == "/x is setgid (and 1 accepted)"


def test_an_exception_that_is_over_is_named_beside_one_that_holds() -> None:
    over = accepted(SETUID.id, "/x*", TODAY - datetime.timedelta(days=1))
    found = settled(accepted(SETUID.id, "/bin/su*"), over)[SETUID.id]
    assert found.findings == ("/x is setgid",)
    assert "(the exception ended on 2026-11-23: needed by su)" in found.message


def test_a_finding_is_matched_word_for_word_too() -> None:
    """Next.js names files in brackets, which a glob takes for a choice of letters."""
    wrong = SETUID.judge("web", "linux/amd64", ["/app/[id].js is setgid"], "ok", "none")
    policy = Policy(exceptions=(accepted(SETUID.id, "/app/[id].js is setgid"),))
    assert [one.status for one in accepting.settle([wrong], policy, TODAY)] == [Status.PASSED]


def test_an_exception_that_is_over_counts_no_more_and_is_named() -> None:
    over = TODAY - datetime.timedelta(days=1)
    found = settled(accepted(SETUID.id, "*", over))[SETUID.id]
    assert (found.status, found.findings) == (Status.FAILED, FAILED.findings)
    assert "(the exception ended on 2026-11-23: needed by su)" in found.message


def test_an_exception_without_use_is_reported_and_fails_nothing() -> None:
    found = settled(accepted(PAGE.id, "*"))["policy.exceptions"]
    assert (found.status, found.measured) == (Status.SKIPPED, "1 without use")
    assert "runtime.page '*' (needed by su)" in found.message


def test_one_about_a_proof_that_did_not_run_is_not_without_use() -> None:
    assert "policy.exceptions" not in settled(accepted("secrets.tokens", "*"))
    assert "policy.exceptions" not in settled(accepted(PAGE.id, "*"), skip=("runtime.*",))
