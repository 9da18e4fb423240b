"""Two definitions of a target -> what differs in them: pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tasks.core import untrusted
from tasks.core.journal import targetrecords
from tasks.core.secrecy import masking

Kind = Literal[
    "new target",
    "file",
    "dockerfile",
    "ignore file",
    "argument",
    "label",
    "definition",
    "base",
    "builds on",
    "unknown",
]
#: What a bake file says of a target that no image depends on.
ASIDE = (
    "description",
    "dockerfile-inline",
    "cache-from",
    "cache-to",
    "no-cache",
    "no-cache-filter",
    "pull",
    "call",
)
_NAMED = {"args": "argument", "labels": "label"}
_SHOWN = 60


@dataclass(frozen=True)
class Reason:
    """Why a target has to be built: the kind of change, and what changed."""

    kind: Kind
    what: str

    @property
    def text(self) -> str:
        """As a person reads it."""
        return f"{self.kind} {self.what}" if self.what else self.kind


def of_definition(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> Iterator[Reason]:
    """What bake's own JSON says differently of a target."""
    if before is None:
        yield Reason("new target", "")
        return
    for key in sorted(before.keys() | now.keys()):
        if key in ASIDE or before.get(key) == now.get(key):
            continue
        if key in _NAMED:
            yield from _by_name(key, before.get(key) or {}, now.get(key) or {})
        else:
            yield Reason("definition", f"{key}: {_change(before.get(key), now.get(key))}")


def _by_name(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Reason]:
    for name in sorted(before.keys() | now.keys()):
        was, is_ = before.get(name), now.get(name)
        if was == is_:
            continue
        secret = any(targetrecords.is_secret(name, str(value or "")) for value in (was, is_))
        told = "" if secret else f": {_change(was, is_)}"
        yield Reason("argument" if key == "args" else "label", f"{untrusted.shown(name)}{told}")


def _change(before: Any, now: Any) -> str:
    return f"{_shown(before)} → {_shown(now)}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return untrusted.shown(masking.hide(str(value)), _SHOWN) or "''"
