"""Wait: for what threads do, so that Ctrl-C is noticed at once; and until it is time again."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
SLICE_SECONDS = 0.2


class Pace:
    """Keeps something from being done more often than every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = float("-inf")

    def due(self) -> bool:
        """Whether it is time again; true the first time."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def result(future: Future[T]) -> T:
    """A thread's result, or the exception that ended it, waited for in slices."""
    while not future.done():
        with contextlib.suppress(TimeoutError):
            future.exception(timeout=SLICE_SECONDS)
    return future.result()
