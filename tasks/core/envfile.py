"""Read ``.env`` files with python-dotenv, and say where a bad line stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import UsageError


@dataclass(frozen=True)
class Entry:
    """One ``NAME=value`` line: the value after quotes and ``${…}`` are resolved, and its line."""

    name: str
    value: str
    line: int


def parse(path: Path) -> tuple[Entry, ...]:
    """The entries of the file at ``path``, in order.

    Raises UsageError, with file and line, for a file that cannot be read, a line that is not
    ``NAME=value``, and a name that is set twice.
    """
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path.name}: not UTF-8 text at byte {error.start}; save it as UTF-8"
        ) from None
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read: {error.strerror}") from None
    lines: dict[str, int] = {}
    for binding in bindings:
        line = binding.original.line + _leading_newlines(binding.original.string)
        if binding.error or (binding.key and binding.value is None):
            text = binding.original.string.strip().split("=", 1)[0][:40]
            raise problem(path, line, f"malformed line at {text!r}; expected NAME=value")
        if not binding.key:
            continue
        if binding.key in lines:
            first = lines[binding.key]
            raise problem(path, line, f"{binding.key} is already set on line {first}; keep one")
        lines[binding.key] = line
    values = dotenv_values(path, encoding="utf-8")
    return tuple(Entry(name, values[name] or "", line) for name, line in lines.items())


def problem(path: Path, line: int, message: str) -> UsageError:
    """An error about one line of a file."""
    return UsageError(f"{path.name}:{line}: {message}")


def _leading_newlines(text: str) -> int:
    """How many lines above its name a binding starts: python-dotenv keeps blank ones in it."""
    return text[: len(text) - len(text.lstrip())].count("\n")
