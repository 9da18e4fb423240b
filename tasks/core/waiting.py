"""Wait for what threads do, so that Ctrl-C is noticed at once."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
SLICE_SECONDS = 0.2


def result(future: Future[T]) -> T:
    """A thread's result, or the exception that ended it, waited for in slices."""
    while not future.done():
        with contextlib.suppress(TimeoutError):
            future.exception(timeout=SLICE_SECONDS)
    return future.result()
