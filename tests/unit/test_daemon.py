"""An engine that cannot be reached is one line and exit code 3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from tasks.core import daemon
from tasks.core.errors import OutOfReach

if TYPE_CHECKING:
    from tasks.core.endpoint import Engine


@dataclass(frozen=True)
class FakeEngine:
    host: str
    environment: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("host", "environment"),
    [
        ("tcp://127.0.0.1:1", {}),
        ("tcp://127.0.0.1:1", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere"}),
        ("bogus://host", {}),
    ],
)
def test_an_engine_that_is_not_there(host: str, environment: dict[str, str]) -> None:
    engine = cast("Engine", FakeEngine(host, {"DOCKER_HOST": host, **environment}))
    with pytest.raises(OutOfReach) as caught:
        daemon.connect(engine)
    message = str(caught.value)
    assert caught.value.code == 3
    assert message.startswith(f"the engine at {host} does not answer: ")
    assert message.endswith("see: inv engine.status")
    assert "\n" not in message
