"""Text of others inside Markdown: shown as it is, whatever it looks like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tasks.core import untrusted

#: What is no markup anywhere in Markdown or HTML. A dot is, in what looks like an address.
_UNSAFE = re.compile(r"[^\w ./,;()=+%'-]|_|(?<=www)\.", re.IGNORECASE)
#: What ends a cell or its code, or may.
_ENDING = re.compile(r"[`|\\]")
#: Letters of a cell.
CELL = 300


def code(text: str) -> str:
    """``text`` of anybody, on one line, as code: nobody is mentioned by it and nothing is linked.

    Where backticks do not do, it is an HTML element: they cannot hold what ends them, nor both a
    pipe and a backslash in a table.
    """
    shown = untrusted.shown(text, CELL)
    if not shown.strip():
        return "-"
    if not _ENDING.search(shown):
        return f"`{shown}`"
    return f"<code>{_UNSAFE.sub(_entity, shown)}</code>"


def prose(text: str) -> str:
    """Our own words, in which nothing but `code` is markup."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts = [text]
    escaped = [re.sub(r"([\\*_<>\[\]|`])", r"\\\1", part) for part in parts[::2]]
    parts[::2] = escaped
    return "`".join(parts)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown already. They are not padded: a comment has a limit."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
