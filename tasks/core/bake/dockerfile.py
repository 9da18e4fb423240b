"""A Dockerfile's grammar, which is BuildKit's: text -> instructions.

Parser directives, continued lines with comments and empty lines between them, heredocs, any case of
instructions.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import length_hint

_DIRECTIVE = re.compile(r"^#\s*(?P<name>[A-Za-z]+)\s*=\s*(?P<value>\S+)\s*$")
_HEREDOC = re.compile(r"(?<!\S)\d*<<(?P<tabs>-?)(?P<quote>[\"']?)(?P<word>[^\s<\"']+)(?P=quote)")
_HEREDOC_INSTRUCTIONS = ("RUN", "COPY", "ADD")
_VARIABLE = re.compile(
    r"\$(?:(?P<plain>[A-Za-z_]\w*)|"
    r"\{(?P<name>[A-Za-z_]\w*)(?::?(?P<how>[-+?])(?P<word>(?:[^{}]|\$\{[^{}]*\})*))?\})"
)


@dataclass(frozen=True)
class Instruction:
    """One logical line: the instruction's name in capitals, and what follows it.

    ``line`` is where it begins, counted from 1; ``body`` are the lines of its heredocs.
    """

    name: str
    value: str
    line: int = 0
    body: str = ""


def directives(text: str) -> dict[str, str]:
    """The parser directives (``syntax``, ``escape``, …) at the very top of a Dockerfile."""
    found: dict[str, str] = {}
    for line in text.removeprefix("\ufeff").splitlines():
        match = _DIRECTIVE.match(line.strip())
        if match is None or match["name"].lower() in found:
            break
        found[match["name"].lower()] = match["value"]
    return found


def without_syntax(text: str) -> str:
    """``text`` without its ``# syntax=`` line; every instruction keeps the number of its line.

    An empty comment takes its place, behind the other directives: a comment would end them.
    """
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    count = len(directives(text))
    kept = [line for line in lines[:count] if not line.lstrip("# \t").lower().startswith("syntax")]
    return "".join([*kept, *["#\n"] * (count - len(kept)), *lines[count:]])


def instructions(text: str) -> Iterator[Instruction]:
    """Every instruction, with its lines joined and its heredocs' bodies apart."""
    escape = directives(text).get("escape", "\\")
    every = text.removeprefix("\ufeff").splitlines()
    lines = iter(every)
    for line in lines:
        if _is_blank(line):
            continue
        number = len(every) - length_hint(lines)
        logical = _joined(line, lines, escape).strip()
        name, value = [*logical.split(None, 1), ""][:2]
        heredocs = name.upper() in _HEREDOC_INSTRUCTIONS
        body = "\n".join(_heredocs(value, lines)) if heredocs else ""
        yield Instruction(name.upper(), value.strip(), number, body)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """``text`` with ``$X``, ``${X}``, ``${X:-word}`` and ``${X:+word}`` filled in."""

    def replace(match: re.Match[str]) -> str:
        value = values.get(match["plain"] or match["name"], "")
        if match["how"] == "-":
            return value or substitute(match["word"], values)
        if match["how"] == "+":
            return substitute(match["word"], values) if value else ""
        return value

    return _VARIABLE.sub(replace, text)


def words(value: str) -> list[str]:
    """The words of an instruction, as a shell splits them."""
    try:
        return shlex.split(value)
    except ValueError:  # an unclosed quote: BuildKit will say so better than we could
        return value.split()


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _joined(line: str, lines: Iterator[str], escape: str) -> str:
    """``line`` with its continuation; blank lines and comments in between do not end it."""
    parts = []
    while line.rstrip().endswith(escape):
        parts.append(line.rstrip()[: -len(escape)])
        line = next((following for following in lines if not _is_blank(following)), "")
    return " ".join([*parts, line])


def _heredocs(value: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines of the heredocs that a line opens, their ends included."""
    for match in _HEREDOC.finditer(value):
        for line in lines:
            body = line.lstrip("\t") if match["tabs"] else line
            yield body
            if body == match["word"]:
                break
