"""How containers are started: as restricted as production."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.core.containers import sandbox
from tasks.core.proofs.policy import Policy

SECOND = 10**9


def test_a_container_may_do_nothing_that_it_was_not_given() -> None:
    options = sandbox.restricted(Policy(writable=("/tmp", "/run"), memory_mib=64, pids=9), 8000)
    assert options["read_only"] is True
    assert options["cap_drop"] == ["ALL"]
    assert options["security_opt"] == ["no-new-privileges:true"]
    assert set(options["tmpfs"]) == {"/tmp", "/run"}
    assert (options["mem_limit"], options["pids_limit"]) == ("64m", 9)
    assert options["ports"] == {"8000/tcp": ("127.0.0.1", None)}


def test_without_a_port_none_is_published() -> None:
    assert sandbox.restricted(Policy(), None)["ports"] == {}


@pytest.mark.parametrize(
    ("check", "patient"),
    [
        (None, None),
        ({"Test": ["CMD", "x"]}, {"test": ["CMD", "x"], "timeout": 300 * SECOND}),
        (
            {"Test": ["CMD", "x"], "Timeout": SECOND, "Interval": 2, "Retries": 4},
            {"test": ["CMD", "x"], "timeout": 10 * SECOND, "interval": 2, "retries": 4},
        ),
    ],
)
def test_an_emulated_health_check_gets_more_time(check: Any, patient: Any) -> None:
    assert sandbox.patient({"Healthcheck": check}, 10) == patient
