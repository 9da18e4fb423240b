"""The proof that a container survives a burst of requests."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.subject import Answer, Subject, fetch, runs
from tasks.core.proofs.verdicts import Severity, Verdict

if TYPE_CHECKING:
    from docker.models.containers import Container

AT_ONCE = 16
#: How long all of it may take.
LIMIT_SECONDS = 10.0

BURST = Proof(
    "runtime.burst",
    "Survives a burst of requests",
    Severity.HIGH,
    "What answers one request may break at the first sixteen that come together.",
    f"The policy's `burst_requests`, {AT_ONCE} at a time, for the health path or else the page: "
    "all answered below 500, none refused or cut, and it runs afterwards.",
)


def prove(subject: Subject, container: Container, port: int) -> Verdict:
    """The verdict on this machine's ``port``; takes LIMIT_SECONDS at most, and one answer's."""
    wanted, path = subject.policy.burst_requests, subject.asked
    if not wanted or path is None:
        return subject.skip(BURST, "the policy sends none" if path else "no path to ask for")
    limit = LIMIT_SECONDS * subject.slowness
    began = time.monotonic()
    until = began + limit

    def ask(_: int) -> Answer | None:
        return fetch(port, path, subject.answer_seconds) if time.monotonic() < until else None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(ask, range(wanted)))
    took = time.monotonic() - began
    problems = judge(answers, path, limit)
    if not runs(container):
        code = container.attrs["State"]["ExitCode"]
        problems.insert(0, f"it did not survive: exited with {code}")
    good = f"{wanted} requests answered in {took:.2f} s, {AT_ONCE} at a time"
    return subject.judge(BURST, problems, good, f"{wanted} answers below 500 in {limit:g} s")


def judge(answers: list[Answer | None], path: str, limit: float) -> list[str]:
    """A line for each kind of bad answer, and one for requests that found no time (None)."""
    bad = Counter(str(one) for one in answers if one and not 0 < one.status < 500)
    problems = [f"GET {path}: {said}, {count} times" for said, count in bad.most_common()]
    late = answers.count(None)
    if late:
        problems.append(f"GET {path}: {late} of {len(answers)} not even sent after {limit:g} s")
    return problems
