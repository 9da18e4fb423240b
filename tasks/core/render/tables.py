"""Rows -> a table as text, Markdown or JSON, and numbers as people read them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.errors import UsageError

MIB = 2**20
SCHEMA = 1
_NUMBER = re.compile(r"[-+]?\d[\d.,]*( (B|KiB|MiB|s|%|of \d+))?$|-$")
_HALF = re.compile("[\ud800-\udfff]")


def choose(given: str, allowed: Sequence[str]) -> str:
    """``given`` if it is one of the formats ``allowed``; a UsageError that lists them if not."""
    if given not in allowed:
        raise UsageError(f"--format {given!r} is not one of {', '.join(allowed)}")
    return given


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]], *, markdown: bool = False) -> str:
    """A table. Columns of numbers, with their units, stand right; None is shown as a dash."""
    from tabulate import tabulate

    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    numbers = [all(map(_NUMBER.match, column)) for column in zip(*cells, strict=True)]
    return tabulate(
        cells,
        headers=headers,
        tablefmt="github" if markdown else "simple",
        disable_numparse=True,
        colalign=["right" if number else "left" for number in numbers] or None,
    )


def document(fields: Mapping[str, Any]) -> str:
    """A JSON document with its schema number.

    Halves of pairs, which Python has for names that are no UTF-8, are escaped: no file holds them.
    """
    text = json.dumps({"schema": SCHEMA, **fields}, indent=2, ensure_ascii=False)
    return _HALF.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def mib(size_bytes: int | None) -> str | None:
    """Bytes as MiB (2^20 bytes) with one decimal; less than 0.1 MiB to the byte."""
    if size_bytes is None:
        return None
    return f"{size_bytes} B" if size_bytes < MIB // 10 else f"{size_bytes / MIB:.1f} MiB"


def difference(size_bytes: int) -> str:
    """How much more or less, with its sign, in the unit that shows it best: +1.2 MiB, -340 B."""
    sign = "+" if size_bytes > 0 else "-" if size_bytes else ""
    return sign + scaled(abs(size_bytes))


def scaled(size_bytes: int) -> str:
    """Bytes in the unit that shows them best: 1.2 MiB, 14.7 KiB, 340 B."""
    for unit, name in ((MIB, "MiB"), (2**10, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes} B"


def percent(size_bytes: int, of_bytes: int) -> str | None:
    """``size_bytes`` in percent of ``of_bytes``, with its sign and one decimal; None of nothing."""
    if not of_bytes:
        return None
    return f"{100 * size_bytes / of_bytes:+.1f} %" if size_bytes else "0.0 %"


def seconds(duration: float) -> str:
    """Seconds with one decimal."""
    return f"{duration:.1f} s"


def short_digest(digest: str) -> str:
    """A digest as people compare it: the algorithm and 12 hexadecimal digits."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{digits[:12]}" if digits else digest[:12]
