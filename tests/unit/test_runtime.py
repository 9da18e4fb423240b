"""What is known of an image before it is started, and what it says of itself once it runs."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.core.policy import Policy
from tasks.core.proofs import runtime
from tasks.core.proofs.runtime import Subject
from tasks.core.verdicts import Status


def subject(platform: str = "linux/amd64", **config: Any) -> Subject:
    return Subject("app", "app:1", platform, config, Policy())


@pytest.mark.parametrize(
    ("exposed", "port"),
    [
        ({"8000/tcp": {}}, 8000),
        ({"8000/tcp": {}, "53/udp": {}}, 8000),
        ({"8000/tcp": {}, "9229/tcp": {}}, None),
        ({"8000-8010/tcp": {}}, None),
        ({"x/tcp": {}}, None),
        (None, None),
    ],
)
def test_the_only_tcp_port_is_asked(exposed: Any, port: int | None) -> None:
    assert subject(ExposedPorts=exposed).port == port


@pytest.mark.parametrize(
    ("platform", "said", "status"),
    [
        ("linux/arm64", "aarch64", Status.PASSED),
        ("linux/arm/v7", "arm", Status.PASSED),
        ("linux/arm64", "x64", Status.FAILED),
        ("linux/mips64le", "mips64el", Status.SKIPPED),
    ],
)
def test_the_architecture_that_it_reports(platform: str, said: str, status: Status) -> None:
    assert runtime._reported(subject(platform), said).status is status
