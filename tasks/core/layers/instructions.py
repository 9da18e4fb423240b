"""The history in an image's config -> its instructions, each with the layer that it made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.core import untrusted

_CLASSIC_RUN = re.compile(r"^(\|\d+ .*?)?/bin/sh -c (?!#\(nop\))")
MAX_TEXT = 2000
UNKNOWN = "(the history does not say)"


@dataclass(frozen=True)
class Step:
    """One instruction: ``layer`` counts from 0 and is None for one that made no layer.

    ``created`` is the date as it stands there, empty where there is none.
    """

    instruction: str
    layer: int | None
    created: str = ""


def steps(config: Mapping[str, Any], layers: int) -> tuple[Step, ...]:
    """The instructions of an image in their order; each of its ``layers`` is in exactly one.

    A history that is missing, or tells of fewer layers, is filled up with UNKNOWN; what it tells
    of layers beyond those is shown as without one.
    """
    found, number = [], 0
    for entry in _entries(config):
        empty = entry.get("empty_layer") is True or number >= layers
        found.append(Step(_text(entry), None if empty else number, _date(entry)))
        number += not empty
    return (*found, *(Step(UNKNOWN, each) for each in range(number, layers)))


def by_layer(config: Mapping[str, Any], layers: int) -> tuple[str, ...]:
    """The instruction of each layer, the lowest first."""
    return tuple(each.instruction for each in steps(config, layers) if each.layer is not None)


def plain(created_by: str) -> str:
    """An instruction as it stands in the Dockerfile, on one line, fit to be printed."""
    line = " ".join(created_by[: 2 * MAX_TEXT].split())
    line = line.removesuffix(" # buildkit").removeprefix("/bin/sh -c #(nop) ")
    if _CLASSIC_RUN.match(line):
        line = _CLASSIC_RUN.sub("RUN ", line, count=1)
    return untrusted.shown(line.strip().replace("RUN /bin/sh -c ", "RUN ", 1), MAX_TEXT)


def _entries(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    history = config.get("history")
    for entry in history if isinstance(history, list) else ():
        yield entry if isinstance(entry, dict) else {}


def _text(entry: Mapping[str, Any]) -> str:
    told = entry.get("created_by") or entry.get("comment")
    return plain(told) if isinstance(told, str) and told.strip() else UNKNOWN


def _date(entry: Mapping[str, Any]) -> str:
    created = entry.get("created")
    return untrusted.shown(created, 40) if isinstance(created, str) else ""
