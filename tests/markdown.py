"""What the pages of the documentation hold: headings, links, fenced blocks, commands.

Enough of GitHub's Markdown for our own pages, which keep to it; no parser for others'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
#: Fences whose lines are commands; those without a language are, too, behind a "$ ".
SHELLS = ("sh", "console")
_FENCE = re.compile(r"^ *(```+)([\w-]*)\s*$")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*#*$")
_LINK = re.compile(r"!?\[(?:[^\]`]|`[^`]*`)*\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
_SPAN = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Fence:
    """One fenced block: its language ("" for none), its text, the line that it begins on."""

    language: str
    text: str
    line: int
    closed: bool


@dataclass(frozen=True)
class Command:
    """A command that a page shows, and where."""

    words: str
    page: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """One page: prose with a blank line for each of its fences' lines, and the fences."""

    name: str
    prose: tuple[str, ...]
    fences: tuple[Fence, ...]

    @property
    def anchors(self) -> frozenset[str]:
        """What `#…` may name, as GitHub makes it from the headings."""
        seen: dict[str, int] = {}
        made = []
        for line in self.prose:
            heading = _HEADING.match(line)
            if heading:
                slug = _slug(heading[1])
                number = seen.get(slug, 0)
                seen[slug] = number + 1
                made.append(f"{slug}-{number}" if number else slug)
        return frozenset(made)

    @property
    def links(self) -> tuple[tuple[int, str], ...]:
        """Line and goal of each link and picture."""
        return tuple(
            (number, goal)
            for number, line in enumerate(self.prose, 1)
            for goal in _LINK.findall(line)
        )

    @property
    def spans(self) -> tuple[tuple[int, str], ...]:
        """Line and text of everything in inline code."""
        return tuple(
            (number, text)
            for number, line in enumerate(self.prose, 1)
            for text in _SPAN.findall(line)
        )

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands of the fenced blocks, one a line, without remarks."""
        return tuple(
            Command(words, self.name, line)
            for fence in self.fences
            for line, words in _commands(fence)
        )


def every() -> list[Page]:
    """README.md, its neighbours, and the pages of docs/."""
    found = [ROOT / name for name in PAGES]
    return [page(path) for path in [*found, *sorted(ROOT.glob("docs/**/*.md"))]]


@cache
def page(path: Path) -> Page:
    """The page at ``path``."""
    return parse(str(path.relative_to(ROOT)), path.read_text())


def parse(name: str, text: str) -> Page:
    """The page whose Markdown is ``text``."""
    prose: list[str] = []
    fences: list[Fence] = []
    opened: tuple[str, str, int] | None = None
    body: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            opened, body = (fence[1], fence[2], number), []
        elif opened is not None and fence and fence[1] == opened[0] and not fence[2]:
            fences.append(Fence(opened[1], "\n".join(body), opened[2], closed=True))
            opened = None
        elif opened is not None:
            body.append(line)
        prose.append("" if opened or fence else line)
    if opened is not None:
        fences.append(Fence(opened[1], "\n".join(body), opened[2], closed=False))
    return Page(name, tuple(prose), tuple(fences))


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def _commands(fence: Fence) -> Iterator[tuple[int, str]]:
    begun = ""
    for number, line in enumerate(fence.text.splitlines(), fence.line + 1):
        shown = line.strip()
        if fence.language in ("", "console") and not begun:
            if not shown.startswith("$ "):
                continue
            shown = shown[2:]
        elif fence.language not in (*SHELLS, ""):
            return
        begun += _without_remark(shown)
        if begun.endswith("\\"):
            begun = begun[:-1]
        elif begun:
            yield number, " ".join(begun.split())
            begun = ""


def _without_remark(line: str) -> str:
    """A line of sh without what follows a `#` outside of quotes."""
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (at == 0 or line[at - 1].isspace()):
            return line[:at].rstrip()
    return line.rstrip()
