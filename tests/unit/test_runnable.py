"""What can be run: by the engine in use, and by the nodes of a builder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.bake import runnable
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.machines import builders
from tasks.core.machines.builders import Builder
from tasks.core.machines.probing import Node

FAR = Engine("system", "ssh://me@arm", {}, "docker", None, False, "linux/arm64")
AWAKE = Node("a", "tcp://a", True, "", ("linux/arm64",), "0.25.1")
ASLEEP = replace(AWAKE, reason="starts with the first build", platforms=(), buildkit="")
DOWN = replace(AWAKE, reachable=False, reason="connection refused", platforms=(), buildkit="")


def has(monkeypatch: pytest.MonkeyPatch, *nodes: Node) -> None:
    monkeypatch.setattr(builders, "own", lambda engine: "default")
    monkeypatch.setattr(builders, "inspect", lambda engine, name: Builder(name, "remote", nodes))


def test_what_this_machine_emulates_is_no_help_to_an_engine_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has(monkeypatch, AWAKE)
    runnable.ensure(FAR, ["linux/arm64"])
    # This machine's own platform, whatever it is, and a foreign one.
    for platform in ("linux/amd64", "linux/s390x"):
        with pytest.raises(OutOfReach, match=f"^{platform} cannot be run by the engine at ssh://"):
            runnable.ensure(FAR, [platform])


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ((AWAKE,), ("linux/arm64",)),
        ((ASLEEP,), ("linux/amd64",)),
        ((AWAKE, DOWN), ("linux/arm64", "linux/amd64")),
    ],
)
def test_a_node_that_tells_nothing_rules_nothing_out(
    nodes: tuple[Node, ...], expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    has(monkeypatch, *nodes)
    assert runnable.available(FAR, "pair", ("linux/amd64",)) == expected
