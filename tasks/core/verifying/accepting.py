"""Verdicts under a policy: which proofs apply, and which findings are accepted for a while."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from tasks.core.proofs.catalogue import Proof, first
from tasks.core.proofs.policy import Accepted, Policy
from tasks.core.proofs.verdicts import Severity, Status, Verdict

UNUSED = Proof(
    "policy.exceptions",
    "Every exception of the policy is in use",
    Severity.LOW,
    "An exception that matches nothing hides the next thing that it does match.",
    "Each exception is compared with all findings of the proofs that it names, in this run.",
)
PROOFS = (UNUSED,)


def applies(policy: Policy, proof: str) -> bool:
    """Whether the policy asks for a proof."""
    asked = any(fnmatchcase(proof, glob) for glob in policy.proofs)
    return asked and not any(fnmatchcase(proof, glob) for glob in policy.skip)


def settle(
    verdicts: Iterable[Verdict], policy: Policy, today: datetime.date
) -> tuple[Verdict, ...]:
    """The verdicts on one target as the policy sees them, and one on exceptions without use.

    What does not apply is skipped, not left out: a table that is silent about it would mislead.
    """
    given = tuple(verdicts)
    settled = [_settled(verdict, policy, today) for verdict in given]
    return (*settled, *_unused(given, policy))


def _settled(verdict: Verdict, policy: Policy, today: datetime.date) -> Verdict:
    if not applies(policy, verdict.proof):
        message = "the policy leaves it out"
        return replace(verdict, status=Status.SKIPPED, message=message, findings=())
    if verdict.status is not Status.FAILED:
        return verdict
    named = [each for each in policy.exceptions if fnmatchcase(verdict.proof, each.proof)]
    valid = [each for each in named if today <= each.expires]
    left = tuple(one for one in verdict.findings if not any(_covers(each, one) for each in valid))
    expired = [each for each in named if each not in valid]
    if left == verdict.findings:
        return _reminded(verdict, expired)
    accepted = len(verdict.findings) - len(left)
    used = [each for each in valid if any(_covers(each, one) for one in verdict.findings)]
    why = "; ".join(f"{each.reason}, until {each.expires}" for each in used)
    if left:
        message = f"{first(left)} (and {accepted} accepted)"
        rest = replace(
            verdict,
            message=message,
            findings=left,
            measured=f"{len(left)} found, {accepted} accepted",
        )
        return _reminded(rest, expired)
    return replace(
        verdict,
        status=Status.PASSED,
        message=f"{accepted} accepted: {why}",
        findings=(),
    )


def _reminded(verdict: Verdict, expired: Sequence[Accepted]) -> Verdict:
    """A failure whose exception is over says so: somebody wondered."""
    over = [each for each in expired if any(_covers(each, one) for one in verdict.findings)]
    if not over:
        return verdict
    ends = f"the exception ended on {over[0].expires}: {over[0].reason}"
    return replace(verdict, message=f"{verdict.message} ({ends})")


def _covers(accepted: Accepted, finding: str) -> bool:
    """By glob, or word for word: names of files may have brackets, `[id].js`."""
    return finding == accepted.match or fnmatchcase(finding, accepted.match)


def _unused(verdicts: Sequence[Verdict], policy: Policy) -> Iterator[Verdict]:
    """Only exceptions to proofs that said something can be without use."""
    if not verdicts or not policy.exceptions:
        return
    said = [
        verdict
        for verdict in verdicts
        if verdict.status is not Status.SKIPPED and applies(policy, verdict.proof)
    ]
    idle = []
    for each in policy.exceptions:
        about = [verdict for verdict in said if fnmatchcase(verdict.proof, each.proof)]
        findings = [one for verdict in about for one in verdict.findings]
        if about and not any(_covers(each, one) for one in findings):
            idle.append(f"{each.proof} {each.match!r} ({each.reason})")
    if idle:
        target = verdicts[0].target
        reason = f"not needed any more, take it out of invoke.yaml: {first(idle)}"
        yield UNUSED.skip(target, "", reason, f"{len(idle)} without use")
