"""Running bake: what is tried a second time, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.core import process
from tasks.core.bake import baking, failing
from tasks.core.bake.failing import Explained
from tasks.core.errors import BuildFailed
from tasks.core.journal.history import Failure

#: As an engine said it, but for shorter digests.
RACE = (
    'failed to prepare extraction snapshot "extract-478265516-wGK_ sha256:583a": '
    "parent snapshot sha256:78bf does not exist: not found"
)
OTHER = "exit code: 1"


class Recording:
    """What a record is told."""

    def __init__(self, *_: object, **__: object) -> None:
        self.failures: list[str] = []
        self.started = datetime.now(UTC)
        recordings.append(self)

    def failed(self, failure: object, message: str) -> None:
        self.failures.append(message)


recordings: list[Recording] = []


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Why each build fails; those that ran are taken out."""
    outcomes: list[str] = []
    monkeypatch.setattr(baking, "Recording", Recording)
    monkeypatch.setattr(process, "stream", lambda *_, **__: 1)
    monkeypatch.setattr(failing, "explain", lambda *_: explained(outcomes.pop(0)))
    yield outcomes
    recordings.clear()


def explained(reason: str) -> Explained:
    # What a step printed is no reason to try again.
    failure = Failure("[final 2/2] RUN x", reason, (RACE,))
    return Explained(BuildFailed(f"the build failed: {reason}"), failure)


def run() -> None:
    made: Any = SimpleNamespace(
        environment={}, root=None, settings={"BUILDER": ""}, overlay={}, layouts={}
    )
    baking.run(made, made, (), made, made, platforms=(), no_cache=False, kept=False)


def test_a_layer_that_the_engine_lost_is_built_once_more(
    builds: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    builds += [RACE, OTHER, "never asked"]
    with pytest.raises(BuildFailed, match="exit code"):
        run()
    assert builds == ["never asked"]
    assert [one.failures for one in recordings] == [
        [f"the build failed: {RACE}"],
        [f"the build failed: {OTHER}"],
    ]
    assert "the engine lost a layer" in capfd.readouterr().err


@pytest.mark.parametrize(("outcomes", "left"), [([RACE, RACE, ""], 1), ([OTHER, ""], 1)])
def test_nothing_is_tried_for_ever(builds: list[str], outcomes: list[str], left: int) -> None:
    builds += outcomes
    with pytest.raises(BuildFailed):
        run()
    assert len(builds) == left
