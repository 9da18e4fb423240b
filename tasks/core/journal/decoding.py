"""Frozen records <-> JSON, by the types of their fields: what is read is checked against them."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from tasks.core import untrusted
from tasks.core.untrusted import Malformed

Made = TypeVar("Made")


def encode(value: Any) -> Any:
    """``value`` (records, tuples, mappings, times, plain values) as JSON has it."""
    if is_dataclass(value):
        return {each.name: encode(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: encode(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [encode(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value


def decode(kind: type[Made], value: Any, where: str) -> Made:
    """A record of ``kind`` from JSON.

    A field with a default may be missing; one that is not known is passed over, so that older
    versions read what newer ones write within one schema. Raises Malformed with the place.
    """
    return cast(Made, _read(kind, value, where))


def _read(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        found = untrusted.mapping(value, where)
        made = cast(type, kind)
        given = {n: _field(each, n, found, where) for n, each in _fields(made).items()}
        return made(**given)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        (inner,) = (each for each in get_args(kind) if each is not type(None))
        return None if value is None else _read(inner, value, where)
    if origin is tuple:
        entries = untrusted.sequence(value, where)
        return tuple(
            _read(get_args(kind)[0], each, f"{where}[{n}]") for n, each in enumerate(entries)
        )
    if origin is Mapping:
        inner = get_args(kind)[1]
        entered = untrusted.mapping(value, where)
        return {key: _read(inner, each, f"{where}.{key}") for key, each in entered.items()}
    return _plain(kind, value, where)


def _field(known: tuple[Any, Field[Any]], name: str, found: Mapping[str, Any], where: str) -> Any:
    kind, field = known
    if name in found:
        return _read(kind, found[name], f"{where}.{name}")
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    raise Malformed(f"{where} has no {name}")


def _plain(kind: Any, value: Any, where: str) -> Any:
    if kind is str:
        return untrusted.text(value, where)
    if kind is int:
        return untrusted.count(value, where)
    if kind is float:
        return _number(value, where)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is datetime:
        return _moment(value, where)
    raise Malformed(f"{where} is not {getattr(kind, '__name__', kind)}")


def _number(value: Any, where: str) -> float:
    """Seconds: JSON as Python reads it also knows NaN, Infinity and whole numbers without end."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
        return float(value)
    raise Malformed(f"{where} is not a number of at least 0")


def _moment(value: Any, where: str) -> datetime:
    try:
        found = datetime.fromisoformat(untrusted.text(value, where))
    except ValueError:
        raise Malformed(f"{where} is not a time") from None
    if found.tzinfo is None:
        raise Malformed(f"{where} has no time zone")
    return found


@cache
def _fields(kind: type) -> dict[str, tuple[Any, Field[Any]]]:
    hints = get_type_hints(kind)
    return {each.name: (hints[each.name], each) for each in fields(kind)}
