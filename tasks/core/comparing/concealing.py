"""Texts of images, fit to be shown: no secret, no control character."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection
from typing import Any

from tasks.core import schema, untrusted
from tasks.core.secrecy import masking
from tasks.core.secrecy.secretforms import PRIVATE_KEY, SHAPES, Shape

#: Letters of one value that are shown.
LIMIT = 2000
_ASSIGNED = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)(?P<between>[\"']?\s?[=:]\s?)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s\"',;]+)"
)
#: A word of a command line and the one after it, also as a JSON array has them.
_OPTION = re.compile(
    r"--(?P<name>[A-Za-z][A-Za-z0-9-]*)(?P<between>[\"']?,?\s+[\"']?)(?P<value>[^\s\"',-][^\s\"',]*)"
)
_WORD_BREAKS = re.compile(r"[.-]")
#: What may follow the part that a kind of secret is known by.
_REST = rb"[A-Za-z0-9+/=_.-]*"
_MASKED = masking.MASK.encode()


def text(value: str, secrets: Collection[str] = ()) -> str:
    """``value`` without ``secrets``, what looks like one, and values of names that say so."""
    raw = masking.hide(value, secrets).encode("utf-8", "surrogatepass")
    for shape, pattern in _patterns():
        if shape.anchor in raw:
            raw = pattern.sub(_MASKED, raw)
    whole = raw.decode("utf-8", "surrogatepass")
    named = _OPTION.sub(_assigned, _ASSIGNED.sub(_assigned, whole[:LIMIT]))
    return untrusted.shown(named, 2 * LIMIT) + ("…" if len(whole) > LIMIT else "")


def named(name: str, value: str, secrets: Collection[str] = ()) -> str:
    """The same for the value of a variable or label: masked if its name says that it is secret."""
    return masking.MASK if value and is_secret(name) else text(value, secrets)


def is_secret(name: str) -> bool:
    """Whether a name says that its value is secret; labels have dots and dashes in theirs."""
    return schema.is_secret(_WORD_BREAKS.sub("_", name))


def plain(value: Any, secrets: Collection[str] = ()) -> str:
    """Any value of a config as one line: texts as they are, the rest as JSON."""
    if isinstance(value, str):
        return text(value, secrets)
    return text(json.dumps(value, ensure_ascii=False, sort_keys=True), secrets)


@functools.cache
def _patterns() -> tuple[tuple[Shape, re.Pattern[bytes]], ...]:
    """The kinds of secrets, each with all that belongs to it: of a private key, all that follows.

    The shapes stop where they are sure; a mask has to cover the rest, too.
    """
    return tuple(
        (
            shape,
            re.compile(
                shape.pattern.pattern + (rb"(?s:.*)" if shape.kind == PRIVATE_KEY else _REST)
            ),
        )
        for shape in SHAPES
    )


def _assigned(found: re.Match[str]) -> str:
    if not is_secret(found["name"]):
        return found[0]
    start = found.start()
    return found[0][: found.start("value") - start] + masking.MASK
