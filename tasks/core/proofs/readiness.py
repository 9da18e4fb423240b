"""Proofs on the start: it starts restricted, answers, and its own health check says yes.

The engine runs a health check at the pace of the image, often seconds apart. Slipway does not wait
for it: it asks the port every few milliseconds, and as soon as something answers it runs the same
command in the container itself, again until it says yes. Whichever says yes first counts, and the
engine's own opinion must not be another one later (`runtime.stays`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tasks.core import untrusted
from tasks.core.proofs import subject as asking
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.subject import Subject, fetch
from tasks.core.proofs.verdicts import Severity, Verdict
from tasks.core.waiting import Pace

if TYPE_CHECKING:
    from docker.models.containers import Container

#: How often the port is asked until it is ready.
PACE_SECONDS = 0.04
#: How often the engine is asked whether it still runs: that costs ten times what a request does.
STATE_PACE_SECONDS = 0.2
#: How long a server that has just begun may take for an answer, before it is asked again.
FIRST_ANSWER_SECONDS = 1.0
#: Between two of Slipway's own health checks: when it should be ready, and when it may be.
CHECK_SECONDS, IDLE_CHECK_SECONDS = 0.25, 1.0
#: How long a container without health check and port is watched before it counts as running.
OBSERVED_SECONDS = 1.0
#: The engine's own limit for a health check without one.
_CHECK_LIMIT_SECONDS = 30.0

STARTS = Proof(
    "runtime.starts",
    "Starts as restricted as in production",
    Severity.CRITICAL,
    "What needs root, capabilities or a writable root file system fails where they are not given.",
    "Started read-only, without capabilities and new privileges, with limits on memory and "
    "processes; one with a health check has to turn healthy besides.",
)
HEALTHY = Proof(
    "runtime.healthy",
    "Turns healthy in time",
    Severity.HIGH,
    "Whoever starts it waits for that, or sends requests to what cannot answer yet.",
    "The image's own health check, as the engine runs it and as soon as the port answers.",
)
STARTUP = Proof(
    "budget.startup",
    "Is ready as soon as allowed",
    Severity.LOW,
    "Every deployment and every restart takes that long.",
    "Seconds from the start until it answers and its health check says yes.",
)


@dataclass(frozen=True)
class Readiness:
    """Seconds from the start until the first answer and the first yes of the health check.

    None: not seen. ``ended`` is how it ended, "" while it runs; ``said`` what the check said last.
    """

    answered: float | None = None
    healthy: float | None = None
    ended: str = ""
    said: str = ""

    @property
    def seconds(self) -> float | None:
        """Seconds until it was ready by all that could be asked."""
        seen = [each for each in (self.answered, self.healthy) if each is not None]
        return max(seen, default=None)

    def __str__(self) -> str:
        words = [] if self.healthy is None else [f"healthy after {self.healthy:.2f} s"]
        words += [] if self.answered is None else [f"answered after {self.answered:.2f} s"]
        return ", ".join(words) or self.ended or "not ready"


class Check:
    """The image's health check, run by Slipway: one at a time, as the engine runs it."""

    def __init__(self, container: Container, config: Mapping[str, Any], slowness: int) -> None:
        self._container = container
        self._command = command(config)
        healthcheck = config.get("Healthcheck") or {}
        limit = (healthcheck.get("Timeout") or 0) / 1e9 or _CHECK_LIMIT_SECONDS
        self._limit = limit * slowness
        self._id = ""
        self._began = float("-inf")
        self._ended = time.monotonic()
        self._took = 0.0

    @property
    def possible(self) -> bool:
        """Whether the image has one."""
        return bool(self._command)

    def passed(self, likely: bool) -> bool:
        """Whether one has just said yes; begins the first, or another one a while after a no.

        ``likely`` tells that it may well say yes, so the first is begun at once and others soon.
        """
        now = time.monotonic()
        if self._id:
            state = self._api.exec_inspect(self._id)
            if not state["Running"]:
                self._id, self._ended, self._took = "", now, now - self._began
                return state["ExitCode"] == 0 and self._took <= self._limit
        elif self._is_due(now, likely):
            self._begin(now)
        return False

    def _is_due(self, now: float, likely: bool) -> bool:
        if likely and self._began < 0:
            return True
        pace = CHECK_SECONDS if likely else IDLE_CHECK_SECONDS
        return now - self._ended >= max(pace, self._took)  # half of a busy machine is enough

    def _begin(self, now: float) -> None:
        from docker.errors import APIError

        try:
            made = self._api.exec_create(self._container.id, self._command)
            self._api.exec_start(made["Id"], detach=True)
            self._id, self._began = made["Id"], now
        except APIError as error:
            if error.status_code == HTTPStatus.NOT_FOUND:
                raise
            self._ended = now  # it has ended, or lacks the check's program: no yes either way

    @property
    def _api(self) -> Any:
        client = self._container.client
        assert client is not None  # noqa: S101 - set by the SDK on every container it returns
        return client.api


def command(config: Mapping[str, Any]) -> list[str]:
    """The command of an image's health check; [] without one."""
    test = [str(word) for word in (config.get("Healthcheck") or {}).get("Test") or ()]
    if test[:1] == ["CMD"]:
        return test[1:]
    if test[:1] == ["CMD-SHELL"]:
        return [*(config.get("Shell") or ("/bin/sh", "-c")), *test[1:]]
    return []


def wait(subject: Subject, container: Container, port: int | None, began: float) -> Readiness:
    """Wait until it is ready, has ended, or its time is over.

    ``port`` is this machine's, None where it cannot be asked; ``began`` is when it was started, in
    seconds of the monotonic clock.
    """
    check = Check(container, subject.config, subject.slowness)
    until = began + subject.policy.healthy_seconds
    if not check.possible and not (port and subject.asked):
        until = min(until, time.monotonic() + OBSERVED_SECONDS)
    found = Readiness()
    pace = Pace(STATE_PACE_SECONDS)
    while True:
        if pace.due():
            container.reload()
        state = container.attrs["State"]
        if not state["Running"]:
            return Readiness(ended=f"exited with {state['ExitCode']}")
        found = _look(subject, port, check, state, found, began)
        if _is_ready(subject, found, check, port, began) or time.monotonic() >= until:
            return found
        time.sleep(PACE_SECONDS)


def _look(
    subject: Subject,
    port: int | None,
    check: Check,
    state: Mapping[str, Any],
    found: Readiness,
    began: float,
) -> Readiness:
    """What is known after one more look."""
    answered, healthy = found.answered, found.healthy
    if answered is None and port and subject.asked:
        patience = FIRST_ANSWER_SECONDS * subject.slowness
        if fetch(port, subject.asked, patience).status:
            answered = time.monotonic() - began
    may_be_ready = answered is not None or not (port and subject.asked)
    if healthy is None and check.possible:
        by_engine = (state.get("Health") or {}).get("Status") == "healthy"
        if by_engine or check.passed(may_be_ready):
            healthy = time.monotonic() - began
    return Readiness(answered, healthy, said=_said(state))


def _is_ready(
    subject: Subject, found: Readiness, check: Check, port: int | None, began: float
) -> bool:
    """Healthy and answering; one that is healthy gets a moment more to answer, no longer."""
    if check.possible and found.healthy is None:
        return False
    if not (port and subject.asked):
        return check.possible
    if found.answered is not None:
        return True
    waited = time.monotonic() - began - (found.healthy or 0)
    return check.possible and waited > FIRST_ANSWER_SECONDS * subject.slowness


def prove(subject: Subject, container: Container, ready: Readiness) -> Iterator[Verdict]:
    """The verdicts on how it started."""
    limit = subject.policy.healthy_seconds
    has_check = bool(command(subject.config))
    if ready.ended or (has_check and ready.healthy is None):
        proof, allowed = (HEALTHY, f"healthy in {limit:g} s") if has_check else (STARTS, "runs on")
        measured = ready.ended or f"not healthy after {limit:g} s"
        measured += "" if ready.answered is None else f", though it {ready}"
        said = asking.last_line(container) if ready.ended or not ready.said else ready.said
        yield subject.decide(proof, False, measured, allowed, f"{measured}: {said}")
        return
    yield subject.decide(STARTS, True, "runs", "runs on", "runs as restricted as in production")
    if not has_check:
        yield subject.skip(HEALTHY, "the image has no health check", str(ready))
    else:
        yield subject.decide(HEALTHY, True, str(ready), f"{limit:g} s", str(ready))


def prove_startup(subject: Subject, ready: Readiness) -> Verdict:
    """The verdict on how long that took."""
    limit = subject.policy.max_startup_seconds
    if ready.seconds is None:
        return subject.skip(STARTUP, "nothing tells when it was ready")
    measured = f"{ready.seconds:.2f} s"
    if limit is None:
        return subject.skip(STARTUP, f"ready after {measured}; the policy sets no limit", measured)
    allowed = f"{limit * subject.slowness:g} s"
    passed = ready.seconds <= limit * subject.slowness
    message = f"ready after {measured}" + ("" if passed else f", allowed are {allowed}")
    return subject.decide(STARTUP, passed, measured, allowed, message)


def _said(state: Mapping[str, Any]) -> str:
    """The last line of what the health check last said to the engine."""
    log = (state.get("Health") or {}).get("Log") or [{}]
    lines = str(log[-1].get("Output") or "").strip().splitlines()
    return untrusted.shown(lines[-1].strip(), 200) if lines else ""
