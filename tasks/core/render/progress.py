"""How far a long task is: a bar on a terminal, a line for each step anywhere else."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator
from typing import TextIO

from tasks.core import process

WIDTH = 24
_ERASE = "\r\x1b[K"


def line(number: int, count: int, what: str, left_seconds: float) -> str:
    """``[3/14] backend-optimized: source, run 1 … about 40 s left``."""
    return f"[{number}/{count}] {what} … about {minutes(left_seconds)} left"


def bar(number: int, count: int, what: str, left_seconds: float, columns: int) -> str:
    """The same with a bar in front, cut to ``columns``; ``number - 1`` steps are done."""
    full = round(WIDTH * (number - 1) / count) if count else WIDTH
    drawn = f"{'█' * full}{'░' * (WIDTH - full)} {line(number, count, what, left_seconds)}"
    return drawn if len(drawn) < columns else f"{drawn[: columns - 2]}…"


def minutes(seconds: float) -> str:
    """A time for somebody who waits."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class Progress:
    """What was said last; on a terminal it stays the last line, whatever is printed above it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = ""
        self.on_terminal = stream.isatty()

    def tell(self, number: int, count: int, what: str, left_seconds: float) -> None:
        """Say that step ``number`` (from 1) of ``count`` begins."""
        if not self.on_terminal:
            process.note(line(number, count, what, left_seconds))
            return
        columns = shutil.get_terminal_size().columns
        self._drawn = bar(number, count, what, left_seconds, columns)
        self._stream.write(_ERASE + self._drawn)
        self._stream.flush()

    def above(self, text: str) -> None:
        """Write ``text`` where the bar was, and the bar again once a line is done."""
        again = self._drawn if text.endswith("\n") else ""
        self._stream.write(f"{_ERASE if self._drawn else ''}{text}{again}")
        self._stream.flush()

    def end(self) -> None:
        """Take the bar away."""
        if self._drawn:
            self._stream.write(_ERASE)
            self._stream.flush()
        self._drawn = ""


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Progress on stderr; notices that others print meanwhile appear above the bar."""
    shown = Progress(sys.stderr)
    if not shown.on_terminal:
        yield shown
        return
    try:
        with contextlib.redirect_stderr(_Above(shown, sys.stderr)):
            yield shown
    finally:
        shown.end()


class _Above(io.TextIOBase):
    """stderr as others see it while the bar is there."""

    def __init__(self, shown: Progress, stream: TextIO) -> None:
        self._shown, self._stream, self._line = shown, stream, ""

    def write(self, text: str) -> int:
        """Whole lines only: print writes a line and its end apart."""
        self._line += text
        whole, newline, self._line = self._line.rpartition("\n")
        if newline:
            self._shown.above(whole + newline)
        return len(text)

    def fileno(self) -> int:
        """Programs write to the terminal itself."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """It is one: bars are only drawn there."""
        return True

    def flush(self) -> None:
        """Everything is written at once."""
        self._stream.flush()
