"""Turns: who gets ready when."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.core.containers import turns
from tasks.core.containers.turns import Turn
from tasks.core.verifying import crew


def test_one_after_the_other_in_their_order() -> None:
    begun: list[int] = []
    alone = threading.Lock()

    def take(number: int, turn: Turn) -> None:
        turn.begin()
        assert alone.acquire(blocking=False)
        begun.append(number)
        time.sleep(0.01)
        alone.release()
        turn.end()

    with ThreadPoolExecutor(4) as pool:
        taken = [pool.submit(take, *each) for each in reversed(list(enumerate(turns.turns(4, 1))))]
    assert [each.exception() for each in taken] == [None] * 4
    assert begun == [0, 1, 2, 3]


def test_one_that_has_ended_holds_up_nobody() -> None:
    first, second = turns.turns(2, 1)
    first.end()
    first.end()
    began = time.monotonic()
    second.begin()
    assert time.monotonic() - began < turns.PATIENCE_SECONDS


def test_patience_with_each_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted from when that one began, or all would begin together behind a slow one."""
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.05)
    first, *others = turns.turns(4, 1)
    first.begin()
    began = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Turn.begin, others))
    assert time.monotonic() - began >= 3 * 0.05


def test_nobody_overtakes_one_that_still_waits() -> None:
    first, second, third = turns.turns(3, 1)
    first.begin()
    with ThreadPoolExecutor(2) as pool:
        last = pool.submit(third.begin)
        middle = pool.submit(second.begin)
        time.sleep(0.05)
        assert not middle.done()
        assert not last.done()
        first.end()
        middle.result(1)
        assert not last.done()
        second.end()
        last.result(1)


def test_each_has_two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    first, second, third = turns.turns(3, crew.size())
    assert first.before is second.before is None
    assert third.before is first
