"""Layers, read two at a time: hashing and decompressing leave room for another thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from tasks.core import waiting
from tasks.core.images.allowance import Allowance
from tasks.core.images.blobs import Blob

AT_ONCE = 2


def read(
    jobs: Iterable[Callable[[], Blob]], allowance: Allowance, at_once: int = AT_ONCE
) -> list[Blob]:
    """What the jobs read, in their order.

    The first failure, or an interrupt, ends all of it: what waits is dropped, and what reads by
    ``allowance`` ends with its next piece.
    """
    with ThreadPoolExecutor(at_once) as pool:
        reading = [pool.submit(job) for job in jobs]
        try:
            return [waiting.result(each) for each in reading]
        except BaseException:
            allowance.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
