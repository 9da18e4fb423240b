"""What is compared with what, and how each side is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from bench import edits
from tasks.core.errors import UsageError

SERVICES = ("backend", "frontend")


@dataclass(frozen=True)
class Side:
    """One way to build a service: the ending of its bake target, and for which platforms.

    ``as_layouts``: the image travels as its task has it travel, see ``exporting``.
    """

    suffix: str
    platforms: tuple[str, ...] = ()
    as_layouts: bool = True
    #: How long one build takes at first guess; only the announced time hangs on it.
    guess_seconds: float = 10.0

    def target(self, service: str) -> str:
        """The bake target of ``service``."""
        return f"{service}-{self.suffix}"


@dataclass(frozen=True)
class Case:
    """A compared with B: the ratio of their seconds, and what it is meant to be.

    ``edit`` changes the sources before each run; without one every step is run anew.
    """

    name: str
    title: str
    a: Side
    b: Side
    limit: float
    at_least: bool = False
    edit: Callable[[Path, str, int, str], None] | None = None
    #: The sides that are built once beforehand, which nobody times.
    warmed: tuple[str, ...] = ("a", "b")
    #: A build of A is stopped when it took so many times as long as B in its run, which comes first
    #: then: the ratio is at least that. None: it is built to its end.
    enough: float | None = None

    @property
    def sides(self) -> tuple[str, str]:
        """The sides in the order in which they are built."""
        return ("a", "b") if self.enough is None else ("b", "a")

    @property
    def cold(self) -> bool:
        """Whether every step is run anew."""
        return self.edit is None

    def met(self, ratio: float) -> bool:
        """Whether ``ratio`` is what it is meant to be."""
        return ratio >= self.limit if self.at_least else ratio <= self.limit


def every(native: str, platforms: tuple[str, ...]) -> tuple[Case, ...]:
    """The cases, for an engine whose own platform is ``native``; the slow one comes last."""
    foreign = ("linux/arm64" if native != "linux/arm64" else "linux/amd64",)
    multistage = Side("production", as_layouts=False, guess_seconds=25)
    optimized = Side("optimized", guess_seconds=12)
    return (
        Case(
            "source",
            "optimized / multistage, one line of source changed",
            optimized,
            multistage,
            limit=0.5,
            edit=edits.change_line,
        ),
        Case(
            "dependency",
            "optimized / multistage, one dependency changed",
            optimized,
            multistage,
            limit=0.6,
            edit=edits.change_dependency,
        ),
        Case(
            "platforms",
            f"{len(platforms)} platforms / one, cold",
            Side("multiarch", platforms, guess_seconds=60),
            Side("multiarch", (native,), guess_seconds=45),
            limit=1.5,
        ),
        Case(
            "emulation",
            f"emulated / cross-built, {foreign[0]} alone, cold",
            Side(edits.EMULATED, foreign, guess_seconds=240),
            Side(edits.CROSS_BUILT, foreign, guess_seconds=40),
            limit=5,
            at_least=True,
            warmed=("b",),
            enough=5.2,
        ),
    )


def chosen(known: Sequence[Case], only: str) -> tuple[Case, ...]:
    """The cases that ``only`` names (names or globs, separated by commas); all of them for ""."""
    patterns = [word.strip() for word in only.split(",") if word.strip()]
    for pattern in patterns:
        if not any(fnmatchcase(case.name, pattern) for case in known):
            names = ", ".join(case.name for case in known)
            raise UsageError(f"--only {pattern!r} matches nothing; there are: {names}")
    if not patterns:
        return tuple(known)
    return tuple(case for case in known if any(fnmatchcase(case.name, p) for p in patterns))
