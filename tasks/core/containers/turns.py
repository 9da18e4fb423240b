"""Containers get ready one after the other, because how long that takes is measured."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

#: How long the next one leaves it alone at most: one may need minutes, or never answer.
PATIENCE_SECONDS = 5.0


@dataclass
class Turn:
    """The time that an image's containers take to get ready.

    It begins when ``before`` has ended, or PATIENCE_SECONDS after that began.
    """

    before: Turn | None = None
    _began: float = 0.0
    _begun: threading.Event = field(default_factory=threading.Event, repr=False)
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    def begin(self) -> None:
        """Wait until it begins."""
        if self.before is not None:
            self.before._begun.wait()
            since = time.monotonic() - self.before._began
            self.before._over.wait(max(0.0, PATIENCE_SECONDS - since))
        self._began = time.monotonic()
        self._begun.set()

    def end(self) -> None:
        """Let the next one begin; once is enough, but more do no harm."""
        self._over.set()
        self._begun.set()


def turns(count: int, abreast: int) -> tuple[Turn, ...]:
    """The turns of so many images, ``abreast`` of them at the same time.

    Each has to end, whatever happens; and they have to be asked to begin in this order.
    """
    made: list[Turn] = []
    for number in range(count):
        made.append(Turn(made[number - abreast] if number >= abreast else None))
    return tuple(made)
