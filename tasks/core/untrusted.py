"""Typed access to JSON that somebody else wrote: nothing is believed before it is looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

#: Deeper ones could not be handed to another process, and no document of a tool is.
MAX_DEPTH = 100
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Malformed(Exception):
    """Data from outside is not what it claims to be; the message says what and where."""


def parse(content: bytes, where: str) -> Any:
    """The JSON document ``content``. Raises Malformed for anything else, however deeply nested."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{where} is not valid JSON: {error}") from None
    if _is_deep(value):
        raise Malformed(f"{where} is JSON nested more than {MAX_DEPTH} deep")
    return value


def document(path: Path, schema: int, most_bytes: int) -> Mapping[str, Any]:
    """The JSON object in a file of ours, of version ``schema``. Raises Malformed, and OSError."""
    if path.stat().st_size > most_bytes:
        raise Malformed(f"it is larger than {most_bytes // 2**20} MiB")
    found = mapping(parse(path.read_bytes(), "it"), "it")
    if found.get("schema") != schema:
        raise Malformed(f"its schema is {str(found.get('schema'))[:20]!r}, not {schema}")
    return found


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [below for each in level for below in _below(each)]
    return bool(level)


def _below(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """``value`` if it is a JSON object."""
    if not isinstance(value, dict):
        raise Malformed(f"{where} is not an object")
    return value


def sequence(value: Any, where: str) -> Sequence[Any]:
    """``value`` if it is a JSON array."""
    if not isinstance(value, list):
        raise Malformed(f"{where} is not an array")
    return value


def text(value: Any, where: str) -> str:
    """``value`` if it is a string."""
    if not isinstance(value, str):
        raise Malformed(f"{where} is not a string")
    return value


def count(value: Any, where: str) -> int:
    """``value`` if it is a whole number that can count something (JSON's true is no number)."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed(f"{where} is not a whole number of at least 0")
    return value


def shown(value: str, limit: int = 300) -> str:
    """``value`` fit for a terminal: on one line, no control characters, at most ``limit`` long."""
    text = "".join(letter if letter.isprintable() else _escaped(letter) for letter in value[:limit])
    return f"{text[: limit - 1]}…" if len(text) > limit or len(value) > limit else text


def digest(value: Any, where: str) -> str:
    """``value`` if it is a sha256 digest."""
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise Malformed(f"{where} is not a sha256 digest: {str(value)[:80]!r}")
    return value


def _escaped(letter: str) -> str:
    """A letter by its number; names that are no UTF-8 have their bytes above 0xDC00."""
    number = ord(letter) - 0xDC00 if 0xDC80 <= ord(letter) <= 0xDCFF else ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
