"""Rows -> a table as text, Markdown or JSON, and numbers as people read them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.errors import UsageError

MIB = 2**20
SCHEMA = 1
_NUMBER = re.compile(r"-?\d[\d.,]*( (MiB|KiB|B|s|%|of \d+))?$|-$")


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
    """A JSON document with its schema number."""
    return json.dumps({"schema": SCHEMA, **fields}, indent=2, ensure_ascii=False)


def mib(size_bytes: int | None) -> str | None:
    """Bytes as MiB (2^20 bytes) with one decimal."""
    return None if size_bytes is None else f"{size_bytes / MIB:.1f} MiB"


def size(size_bytes: int | None) -> str:
    """Bytes as MiB, below a tenth of one as KiB; a dash for None."""
    if size_bytes is None:
        return "-"
    if 0 < size_bytes < MIB / 10:
        return f"{max(size_bytes / 1024, 0.1):.1f} KiB"
    return f"{size_bytes / MIB:.1f} MiB"


def seconds(duration: float) -> str:
    """Seconds with one decimal."""
    return f"{duration:.1f} s"


def short_digest(digest: str) -> str:
    """A digest as people compare it: the algorithm and 12 hexadecimal digits."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{digits[:12]}" if digits else digest[:12]
