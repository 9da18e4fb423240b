"""When a push is tried again, and what is told of one that takes time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tasks.core.errors import OutOfReach
from tasks.core.shipping import pushing
from tasks.core.shipping.pushing import PushFailed

TAG = "host/app:1"

#: As engines word them.
PASSING = (
    "unexpected status from PUT request to http://host/v2/app/manifests/1: 503 Service Unavailable",
    'failed to do request: Put "http://host/v2/": read tcp 127.0.0.1:1->127.0.0.1:2: read: '
    "connection reset by peer",
    'failed to do request: Head "https://host/v2/": EOF',
    'Get "https://host/v2/": dial tcp: lookup host on 127.0.0.11:53: no such host',
    "received unexpected HTTP status: 502 Bad Gateway",
    "toomanyrequests: too many requests",
    'Head "https://host/v2/": net/http: TLS handshake timeout',
    "context deadline exceeded",
)
REFUSED = (
    "unexpected status from POST request to http://host/v2/app/blobs/uploads/: 403 Forbidden",
    "push access denied, repository does not exist or may require authorization: "
    "authorization failed: no basic auth credentials",
    "unauthorized: authentication required",
    "denied: requested access to the resource is denied",
)
LASTING = (
    "manifest unknown: manifest unknown",
    'failed to do request: Head "https://host/v2/": tls: failed to verify certificate: x509: '
    "certificate signed by unknown authority",
    'failed to do request: Head "https://host/v2/": tls: first record does not look like a TLS '
    "handshake",
    "name invalid: invalid repository name",
)


def failing(*reasons: str) -> Callable[[], None]:
    """An attempt that fails for each of the reasons, then succeeds."""
    left = list(reasons)

    def attempt() -> None:
        if left:
            raise PushFailed(left.pop(0))

    return attempt


@pytest.mark.parametrize("reason", PASSING)
def test_what_may_pass_is_tried_again(reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    slept: list[float] = []
    pushing.retried(failing(reason, reason), TAG, slept.append)
    assert slept == [1.0, 2.0]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"  {TAG}: ")
    assert said[0].endswith("; trying again in 1 s …")


def test_it_ends_after_growing_pauses() -> None:
    slept: list[float] = []
    with pytest.raises(OutOfReach, match=r"^host/app:1: the push failed 5 times: 503") as caught:
        pushing.retried(failing(*["503 x"] * 9), TAG, slept.append)
    assert slept == list(pushing.PAUSES)
    assert caught.value.code == 3


@pytest.mark.parametrize("reason", [*REFUSED, *LASTING])
def test_what_will_not_pass_is_not_tried_again(reason: str) -> None:
    slept: list[float] = []
    with pytest.raises(OutOfReach) as caught:
        pushing.retried(failing(reason), TAG, slept.append)
    assert slept == []
    assert str(caught.value).endswith("; run: docker login") == (reason in REFUSED)


def test_a_refusal_after_a_stumble_ends_it() -> None:
    slept: list[float] = []
    with pytest.raises(OutOfReach, match="the registry refuses: 401"):
        pushing.retried(failing("EOF", "401 Unauthorized"), TAG, slept.append)
    assert slept == [1.0]


def test_what_a_registry_says_is_one_plain_line() -> None:
    with pytest.raises(OutOfReach) as caught:
        pushing.retried(failing(f"a\nb\x1b[31m {'x' * 999}"), TAG)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


def clock(*times: float) -> Callable[[], float]:
    ticks: Iterator[float] = iter(times)
    return lambda: next(ticks)


def line(name: str, done: int, total: int) -> dict[str, Any]:
    detail = {"current": done * 2**20, "total": total * 2**20}
    return {"id": name, "status": "Pushing", "progressDetail": detail}


def test_progress_adds_the_layers_up_every_other_second() -> None:
    lines = [
        line("a", 1, 10),
        line("b", 2, 20),
        {"id": "a", "status": "Preparing", "progressDetail": {}},
        line("a", 9, 10),
        {"status": "latest: digest: sha256:… size: 1"},
    ]
    times = clock(0, 1, 2.5, 2.5, 3, 4.6, 4.6, 5)
    assert list(pushing.progress(lines, times)) == ["  3 of 30 MiB sent", "  11 of 30 MiB sent"]


def test_a_quick_push_tells_nothing() -> None:
    assert list(pushing.progress([line("a", 1, 10)], clock(0, 0.1))) == []
    assert list(pushing.progress([{"status": "x"}], clock(0, 9))) == []


def test_an_error_in_the_engines_lines_ends_it() -> None:
    with pytest.raises(PushFailed, match="denied"):
        list(pushing.progress([{"error": "denied", "errorDetail": {}}], clock(0)))
