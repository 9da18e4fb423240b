"""Which files of a build context BuildKit is sent: ``.dockerignore``, and the patterns of COPY.

The rules are those of moby/patternmatcher, which both BuildKit and the engine use.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

IGNORE_FILE = ".dockerignore"


@dataclass(frozen=True)
class Pattern:
    """One line: a cleaned path with wildcards; ``exception`` for one that began with "!"."""

    text: str
    exception: bool = False

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """For a whole path; a pattern that is malformed never fits."""
        try:
            return re.compile(_translated(self.text), re.DOTALL)
        except re.error:
            return re.compile(r"(?!)")

    @property
    def literal(self) -> str:
        """What stands in front of the first wildcard."""
        return re.split(r"[*?\[\\]", self.text, maxsplit=1)[0]


@dataclass(frozen=True)
class Patterns:
    """An ordered list of patterns: the last one that fits a path, or a folder above it, decides."""

    entries: tuple[Pattern, ...]

    def match(self, path: str) -> bool:
        """Whether ``path`` (relative, with slashes) is meant."""
        parts = path.split("/")
        whole = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
        for entry in reversed(self.entries):
            if any(entry.expression.fullmatch(each) for each in whole):
                return not entry.exception
        return False

    def may_match_below(self, folder: str) -> bool:
        """Whether something below ``folder`` may be meant though the folder is not."""
        return any(_reaches(entry, folder) for entry in self.entries if not entry.exception)

    def may_spare_below(self, folder: str) -> bool:
        """Whether an exception may be about something below ``folder``."""
        return any(_reaches(entry, folder) for entry in self.entries if entry.exception)


def parse(text: str) -> Patterns:
    """The patterns of a ``.dockerignore``."""
    found = []
    for line in text.removeprefix("\ufeff").splitlines():
        word = line.strip()
        if line.startswith("#") or not word:
            continue
        exception = word.startswith("!")
        cleaned = _cleaned(word[1:].strip() if exception else word)
        if cleaned:
            found.append(Pattern(cleaned, exception))
    return Patterns(tuple(found))


def sources(words: Iterable[str]) -> Patterns:
    """The patterns of what a COPY takes; "." is everything."""
    return Patterns(tuple(Pattern(_cleaned(word) or "**") for word in words))


def ignore_file(context: Path, dockerfile: Path | None) -> Path | None:
    """The ignore file of a build: the Dockerfile's own comes before the context's."""
    own = dockerfile.with_name(f"{dockerfile.name}{IGNORE_FILE}") if dockerfile else None
    for path in (own, context / IGNORE_FILE):
        if path is not None and path.is_file():
            return path
    return None


def _cleaned(word: str) -> str:
    """As Go cleans a path; "" for the context itself."""
    path = posixpath.normpath(word).lstrip("/")
    while path.startswith("../"):
        path = path[3:]
    return "" if path in (".", "..") else path


def _reaches(entry: Pattern, folder: str) -> bool:
    literal = entry.literal
    return literal.startswith(f"{folder}/") or (
        literal != entry.text and f"{folder}/".startswith(literal)
    )


def _translated(text: str) -> str:
    made: list[str] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if text.startswith("**", at):
            at += 2
            if text.startswith("/", at):
                at += 1
                made.append("(?:.*/)?")
            else:
                made.append(".*")
            continue
        at += 1
        if letter == "*":
            made.append("[^/]*")
        elif letter == "?":
            made.append("[^/]")
        elif letter == "[":
            at = _class(text, at, made)
        elif letter == "\\" and at < len(text):
            made.append(re.escape(text[at]))
            at += 1
        else:
            made.append(re.escape(letter))
    return "".join(made)


def _class(text: str, at: int, made: list[str]) -> int:
    """Take over a character class up to its bracket; one that is not closed never fits."""
    end = text.find("]", at + 1)
    if end < 0:
        raise re.error("a class that is not closed")
    made.append(f"[{text[at:end]}]")
    return end + 1
