"""Go's regular expressions and its ``$NAME``: what the files of container-structure-test mean."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tasks.core import untrusted
from tasks.core.errors import OutOfReach
from tasks.core.untrusted import Malformed

_NAME = re.compile(r"\$(?:\{([^}]*)\}|(\{)|([*#$@!?\-0-9])|([A-Za-z0-9_]+))")
#: The only thing that RE2 takes and Go refuses: a byte in the middle of a letter.
_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")
_NO_TEXT = re.compile("[\ud800-\udfff]")


def check(pattern: str) -> None:
    """Raise Malformed, with the reason, for what is no regular expression in Go's sense."""
    _compiled(pattern)


def found(pattern: str, text: bytes) -> bool:
    """Whether some part of ``text`` matches, in time that is linear in its length."""
    return _compiled(pattern).search(text) is not None


def shown(pattern: str) -> str:
    """A pattern in quotes, fit to be printed."""
    return untrusted.shown(repr(pattern), 120)


def readable(content: bytes) -> bytes:
    """``content`` as UTF-8: as in Go, every byte that is none becomes a replacement character."""
    return encoded(content.decode("utf-8", "surrogateescape"))


def encoded(text: str) -> bytes:
    """A text of somebody else's as UTF-8; what is no letter becomes a replacement character."""
    return text.encode() if text.isascii() else _NO_TEXT.sub("\ufffd", text).encode()


def expand(text: str, environment: Mapping[str, str]) -> str:
    """``$NAME`` and ``${NAME}`` replaced, by nothing where the name is not known.

    As Go does: ``$$`` is a name too, and of ``${}`` or ``${`` without an end nothing is left.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3] or match[4]
        return environment.get(name, "") if name else ""

    return _NAME.sub(value, text)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    library = _library()
    options = library.Options()
    options.log_errors = False
    try:
        if _BYTE.search(pattern):
            raise Malformed(f"{shown(pattern)} is no regular expression: it has \\C")
        return library.compile(pattern.encode(), options)
    except UnicodeEncodeError:
        raise Malformed(f"{shown(pattern)} is not text") from None
    except library.error as error:
        reason = error.args[0].decode("utf-8", "replace") if error.args else "it is refused"
        raise Malformed(
            f"{shown(pattern)} is no regular expression: {untrusted.shown(reason, 120)}"
        ) from None


def _library() -> Any:
    """RE2, which Go's expressions come from: Python's own can take years for a line of text."""
    try:
        return importlib.import_module("re2")
    except ModuleNotFoundError:
        raise OutOfReach(
            "structure tests need the Python package google-re2, which is not installed: "
            "remove .venv and run inv again, or: pip install google-re2"
        ) from None
