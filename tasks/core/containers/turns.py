"""Containers get ready one after the other, because how long that takes is measured."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

#: How long the next one waits at most: one may need minutes, or never answer.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Turn:
    """The time that an image's containers take to get ready.

    It begins when ``before`` has ended, or PATIENCE_SECONDS later.
    """

    before: Turn | None = None
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    def begin(self) -> None:
        """Wait until it begins."""
        if self.before is not None:
            self.before._over.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        """Let the next one begin; once is enough, but more do no harm."""
        self._over.set()


def turns(count: int) -> tuple[Turn, ...]:
    """The turns of so many images; one of them for every two processors at the same time."""
    abreast = max(1, (os.cpu_count() or 1) // 2)
    made: list[Turn] = []
    for number in range(count):
        made.append(Turn(made[number - abreast] if number >= abreast else None))
    return tuple(made)
