"""Proofs on the end: the stop signal leads to a clean exit, and a request in flight is answered."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING

from tasks.core import untrusted
from tasks.core.proofs import subject as asking
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.subject import Answer, Subject, runs
from tasks.core.proofs.verdicts import Severity, Verdict

if TYPE_CHECKING:
    from docker.models.containers import Container

GRACEFUL_EXITS = (0, 143)  # 143: ended by SIGTERM itself (128 + 15)
#: For a server to read the first half of a request, and to act on the stop signal before the rest
#: comes: a server that leaves at once is gone by then, one that drains still waits.
READING_SECONDS, REST_SECONDS = 0.1, 0.1

STOPS = Proof(
    "runtime.stops",
    "Stops in time at the stop signal",
    Severity.HIGH,
    "What ignores it is killed in the middle of its work, and holds up every deployment.",
    "The image's own stop signal is sent; it has to exit with 0 or 143 within the policy's "
    "`stop_seconds`.",
)
DRAINS = Proof(
    "runtime.drains",
    "Answers the request in flight when it is stopped",
    Severity.MEDIUM,
    "Every deployment would cost some visitors an error.",
    "Half of a request's head is sent, then the stop signal, 0.1 s later the rest: the answer has "
    "to come whole, below 500. Servers that count a request only from its last header on "
    "(uvicorn does) need this proof in the policy's `skip`.",
)
PROOFS = (STOPS, DRAINS)


def prove(subject: Subject, container: Container, port: int | None) -> Iterator[Verdict]:
    """Stop it with a request on this machine's ``port``, if it answers there, and judge both."""
    if not runs(container):
        ended = f"ended by itself with {container.attrs['State']['ExitCode']}"
        yield subject.decide(STOPS, False, ended, "runs until it is stopped", ended)
        yield subject.skip(DRAINS, "it had ended by itself")
        return
    with ExitStack() as stack:
        request = None
        if port is not None and subject.asked:
            request = stack.enter_context(_half_sent(port, subject.asked))
            time.sleep(READING_SECONDS)
        began = time.monotonic()
        problem = _signal(subject, container)
        answer = _rest(request, subject) if request and not problem else None
        yield problem or _stops(subject, container, began)
    if answer is None:
        yield subject.skip(DRAINS, "no request can be in flight: nothing answers on a known port")
        return
    passed = 0 < answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    message = f"the request in flight {'was answered' if passed else 'was dropped'}: {answer}"
    yield subject.decide(DRAINS, passed, str(answer), "answered below 500", message)


def _half_sent(port: int, path: str) -> socket.socket:
    """A connection on which a request has begun; one that cannot be made shows at its end."""
    connection = socket.socket()
    connection.settimeout(asking.ANSWER_SECONDS)
    try:
        connection.connect(("127.0.0.1", port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Age".encode())
    except OSError:
        connection.close()
    return connection


def _rest(connection: socket.socket, subject: Subject) -> Answer:
    """The answer after the other half."""
    seconds = subject.policy.stop_seconds
    time.sleep(REST_SECONDS)
    try:
        connection.settimeout(seconds)
        connection.sendall(b"nt: slipway\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(connection, method="GET")
        response.begin()
        return asking.received(response, seconds)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, asking.reason(error))


def _signal(subject: Subject, container: Container) -> Verdict | None:
    """Send the stop signal; a verdict if that was not possible."""
    from docker.errors import APIError

    signal = str(subject.config.get("StopSignal") or "SIGTERM")
    try:
        container.kill(signal=signal)
    except APIError as error:
        if error.status_code == HTTPStatus.NOT_FOUND:
            raise
        reason = untrusted.shown(str(error.explanation), 200)
        message = f"the stop signal {untrusted.shown(signal, 40)} cannot be sent: {reason}"
        return subject.decide(STOPS, False, "not sent", "a signal", message)
    return None


def _stops(subject: Subject, container: Container, began: float) -> Verdict:
    """Wait for the end; what has not ended in time is killed, as the engine would do."""
    limit = subject.policy.stop_seconds
    code = _ended(container, began + limit)
    took = time.monotonic() - began
    if code is None:
        container.kill()
        measured = f"still running after {limit:g} s"
    else:
        measured = f"exit {code} after {took:.1f} s"
    passed = code in GRACEFUL_EXITS and took <= limit + REST_SECONDS
    message = f"stopped with {measured}" if passed else f"not graceful: {measured}"
    return subject.decide(STOPS, passed, measured, f"exit 0 or 143 in {limit:g} s", message)


def _ended(container: Container, until: float) -> int | None:
    """The exit code, None for what still runs at ``until`` (seconds of the monotonic clock)."""
    while True:
        if not runs(container):
            return int(container.attrs["State"]["ExitCode"])
        left = until - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(0.03, left))
