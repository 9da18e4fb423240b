"""Containers get ready one after the other, because how long that takes is measured."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from types import TracebackType

#: How long the next one waits at most: one may need minutes, or never answer.
PATIENCE_SECONDS = 3.0


@dataclass(frozen=True)
class Turn:
    """The time from a container's start until it is ready; enter it, or skip it.

    It begins when ``before`` is over, or PATIENCE_SECONDS later.
    """

    before: Turn | None = None
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    def __enter__(self) -> None:
        if self.before is not None:
            self.before._over.wait(PATIENCE_SECONDS)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.skip()

    def skip(self) -> None:
        """Let the next one begin."""
        self._over.set()


def turns(count: int) -> tuple[Turn, ...]:
    """The turns of so many containers; one of them for every two processors at the same time."""
    abreast = max(1, (os.cpu_count() or 1) // 2)
    made: list[Turn] = []
    for number in range(count):
        made.append(Turn(made[number - abreast] if number >= abreast else None))
    return tuple(made)
