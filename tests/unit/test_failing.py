"""Why a build failed, in one line."""

from __future__ import annotations

from tasks.core.bake import failing
from tasks.core.journal import history
from tasks.core.journal.history import Failure, Step
from tasks.core.machines.builders import Builder
from tasks.core.machines.probing import Node

BOTH = ("linux/amd64", "linux/arm64")


def node(number: int, platform: str, reason: str = "") -> Node:
    return Node(
        name=f"pair{number}",
        endpoint=f"tcp://10.0.0.{number}:1234",
        reachable=not reason,
        reason=reason,
        platforms=(platform,),
        buildkit="",
        preferred=(platform,),
    )


def test_a_lost_node_is_named_with_the_way_on() -> None:
    pair = Builder("pair", "remote", (node(0, BOTH[0]), node(1, BOTH[1], "connection refused")))
    assert failing.lost(pair, BOTH) == (
        "the build failed: node pair1 (tcp://10.0.0.1:1234) of builder pair was lost during it: "
        "connection refused; bring it back and run this again: what the other nodes did is cached; "
        "or build without it: --platform linux/amd64"
    )


def test_a_node_that_was_not_needed_is_not_at_fault() -> None:
    pair = Builder("pair", "remote", (node(0, BOTH[0]), node(1, BOTH[1], "connection refused")))
    assert failing.lost(pair, BOTH[:1]) == ""


def test_with_nothing_left_no_platforms_are_offered() -> None:
    alone = Builder("alone", "remote", (node(0, BOTH[0], "connection refused"),))
    assert failing.lost(alone, BOTH).endswith("bring it back and run this again")


def test_a_failed_step_steers_no_terminal() -> None:
    failed = Failure("[a 1/1] RUN x", "exit code: 1", ("first", "\x1b[31mbad\x1b[0m\n thing "))
    assert failing.told(failed) == ("the build failed at [a 1/1] RUN x: exit code: 1 (bad thing)")


def test_the_steps_of_a_build_for_one_platform_are_that_platforms() -> None:
    step = Step("sha256:1", "[made 1/3] RUN x", cached=False, seconds=1.0)
    assert step.platform is None
    assert [one.platform for one in history.made_for(BOTH[1], [step])] == [BOTH[1]]
    several = Step("sha256:2", "[linux/arm64 made 1/3] RUN x", cached=False, seconds=1.0)
    assert [one.platform for one in history.made_for(None, [several])] == [BOTH[1]]
