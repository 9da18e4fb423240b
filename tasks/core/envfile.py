"""Read ``.env`` files with python-dotenv, and say where a bad line stands."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import UsageError

_FIRST_WORD = re.compile(r"\s*(?:export\s+)?([A-Za-z0-9_.-]*)")


@dataclass(frozen=True)
class Entry:
    """One ``NAME=value`` line: the value after quotes and ``${…}`` are resolved, and its line."""

    name: str
    value: str
    line: int


def parse(path: Path, environ: Mapping[str, str] | None = None) -> tuple[Entry, ...]:
    """The entries of the file at ``path``, in order; it is read once, so it may be a pipe.

    ``${NAME}`` stands for an entry above it, else for a variable of ``environ`` (None: this
    process's). Raises UsageError, with file and line, for a file that cannot be read, a line that
    is not ``NAME=value``, a name that is set twice, and a ``${NAME}`` that stands for nothing.
    """
    from dotenv.parser import parse_stream

    known = dict(os.environ if environ is None else environ)
    entries: dict[str, Entry] = {}
    for binding in parse_stream(io.StringIO(_text(path))):
        name, text = binding.key, binding.original.string
        line = binding.original.line + _leading_newlines(text)
        if binding.error or (name and binding.value is None):
            raise problem(path, line, f"malformed line{_named(text)}; expected NAME=value")
        if not name:
            continue
        if name in entries:
            first = entries[name].line
            raise problem(path, line, f"{name} is already set on line {first}; keep one")
        known[name] = _resolved(path, line, binding.value or "", known)
        entries[name] = Entry(name, known[name], line)
    return tuple(entries.values())


def first_word(text: str) -> str:
    """What may be shown of a line that cannot be read: the rest of it may be a secret."""
    match = _FIRST_WORD.match(text)
    return match.group(1)[:40] if match else ""


def label(path: Path) -> str:
    """What a person calls the file: its name, or the whole path of a pipe like /dev/fd/63."""
    return path.name if path.is_file() else str(path)


def problem(path: Path, line: int, message: str) -> UsageError:
    """An error about one line of a file."""
    return UsageError(f"{label(path)}:{line}: {message}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{label(path)}: not UTF-8 text at byte {error.start}; save it as UTF-8"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{path.name}: cannot be read: {error.strerror}; make it a text file you may read"
        ) from None


def _resolved(path: Path, line: int, value: str, known: Mapping[str, str]) -> str:
    """``value`` with ``${NAME}`` and ``${NAME:-default}`` filled in, as python-dotenv does it."""
    from dotenv.variables import Variable, parse_variables

    atoms = list(parse_variables(value))
    for atom in atoms:
        if isinstance(atom, Variable) and atom.default is None and atom.name not in known:
            reference = f"${{{atom.name}}}"
            raise problem(
                path,
                line,
                f"{reference} is set neither above nor in the environment; "
                f"set it, or write ${{{atom.name}:-default}}",
            )
    return "".join(atom.resolve(known) for atom in atoms)


def _named(text: str) -> str:
    # A line that is a value alone, like one of a pasted key, has no upper-case word in front.
    word = first_word(text)
    return f" at {word!r}" if word.isupper() else ""


def _leading_newlines(text: str) -> int:
    """How many lines above its name a binding starts: python-dotenv keeps blank ones in it."""
    return text[: len(text) - len(text.lstrip())].count("\n")
