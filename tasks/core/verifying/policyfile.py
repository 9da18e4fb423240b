"""The ``slipway.policy`` of ``invoke.yaml`` -> the policy of each target.

The keys below ``policy`` are target names or globs; a target takes every entry that matches it, in
the order of the file, so that later ones refine earlier ones; their exceptions add up. Without the
file the defaults hold.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from typing import Any

from tasks.core.errors import UsageError
from tasks.core.proofs.policy import Accepted, Policy

#: The largest number that makes sense anywhere: a signed 32-bit one.
_LARGEST = 2**31 - 1
_PATH = (
    lambda value: (
        value.startswith("/") and value.isascii() and value.isprintable() and " " not in value
    ),
    "a path that starts with '/', as an address has it: other letters as %20",
)
#: Not all of the image: a proof on what is in, or beside, "/" would hold for nothing.
_FOLDERS = (
    lambda value: (
        all(path[:1] == "/" and set(path.split("/")) - {"", "."} for path in value)
        and not any(".." in path.split("/") for path in value)
    ),
    "a list of absolute paths below '/'",
)
_INSIDE = (
    lambda value: value[:1] != "/" and ".." not in value.split("/"),
    "a path below the build context",
)
_PORT = "a TCP port from 1 to 65535"
#: What the values of a key have to be beyond their kind, and how to say so.
_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "port": (lambda value: 0 < value <= 65535, _PORT),
    "other_ports": (lambda value: all(0 < port <= 65535 for port in value), "a list of TCP ports"),
    "health": _PATH,
    "page": _PATH,
    "source_file": _INSIDE,
    "dependency_file": _INSIDE,
    "writable": _FOLDERS,
    "application": _FOLDERS,
    "environment": (
        lambda value: all(pair.partition("=")[0] and "=" in pair for pair in value),
        "a list of NAME=value",
    ),
    "memory_mib": (lambda value: value >= 6, "at least 6, the least that the engine takes"),
}
#: Numbers that may be 0.
_FROM_ZERO = (
    *("burst_requests", "max_growth_mib", "max_growth_percent", "max_wasted_mib"),
    *("observe_seconds", "owners"),
)
#: The largest bytes of an image that make sense: a pebibyte.
_MOST_BYTES = 2**50
_KINDS: Mapping[str, str] = {field.name: str(field.type) for field in fields(Policy)}


def for_target(config: Mapping[str, Any], target: str, proofs: Collection[str] = ()) -> Policy:
    """The policy of ``target``; ``config`` is what ``invoke.yaml`` says under ``slipway``.

    With ``proofs``, all ids there are, a glob of proofs that matches none of them is refused too.
    Raises UsageError with the key's place for an unknown key or a value of the wrong kind.
    """
    policy = Policy()
    for pattern, changes in _entries(config, proofs).items():
        if fnmatchcase(target, pattern):
            accepted = (*policy.exceptions, *changes.get("exceptions", ()))
            policy = replace(policy, **{**changes, "exceptions": accepted})
    return policy


def check(
    config: Mapping[str, Any], targets: Collection[str], proofs: Collection[str] = ()
) -> None:
    """Raise UsageError for what ``for_target`` refuses, and for a key that names no target.

    ``targets`` are all targets there are: a typing error must not pass as "nothing demanded".
    """
    for pattern in _entries(config, proofs):
        if pattern != "*" and not any(fnmatchcase(name, pattern) for name in targets):
            known = ", ".join(sorted(targets))
            raise UsageError(
                f"invoke.yaml: slipway.policy.{pattern}: matches no target; there are: {known}"
            )


def _entries(config: Mapping[str, Any], proofs: Collection[str]) -> dict[str, dict[str, Any]]:
    """What each pattern changes, in the order of the file, checked."""
    slipway = _mapping(config, "slipway")
    _known(slipway, ("policy",), "slipway")
    found = {}
    for pattern, entry in _mapping(slipway.get("policy", {}), "slipway.policy").items():
        place = f"slipway.policy.{pattern}"
        if not isinstance(pattern, str):
            raise UsageError(f"invoke.yaml: {place}: the key is not a text; put it in quotes")
        changes = _changes(_mapping(entry, place), place)
        for name in ("proofs", "skip"):
            for glob in changes.get(name, ()):
                _check_proof(glob, proofs, f"{place}.{name}")
        for number, accepted in enumerate(changes.get("exceptions", ()), 1):
            _check_proof(accepted.proof, proofs, f"{place}.exceptions, entry {number}, proof")
        found[pattern] = changes
    return found


def _check_proof(glob: str, proofs: Collection[str], place: str) -> None:
    if proofs and not any(fnmatchcase(proof, glob) for proof in proofs):
        raise UsageError(
            f"invoke.yaml: {place}: {glob!r} matches no proof; they are listed by: inv verify.list"
        )


def _changes(entry: Mapping[str, Any], place: str) -> dict[str, Any]:
    _known(entry, tuple(_KINDS), place)
    changes = {name: _value(entry[name], name, f"{place}.{name}") for name in entry}
    for name, value in changes.items():
        holds, expected = _RULES.get(name, (None, ""))
        if holds and value is not None and not holds(value):
            raise _wrong(f"{place}.{name}", entry[name], expected)
    return changes


def _value(value: Any, name: str, place: str) -> Any:
    kind = _KINDS[name]
    if value is None and kind.endswith("| None"):
        return None
    if name == "exceptions":
        return tuple(_accepted(value, place))
    if kind.startswith("tuple"):
        return _list(value, name, place)
    if kind.startswith("bool"):
        if isinstance(value, bool):
            return value
        raise _wrong(place, value, "true or false")
    if kind.startswith("str"):
        if isinstance(value, str) and value:
            return value
        raise _wrong(place, value, "a text")
    return _number(value, name, place, whole=kind.startswith("int"))


def _list(value: Any, name: str, place: str) -> tuple[Any, ...]:
    whole = "int" in _KINDS[name]
    if not isinstance(value, list):
        raise _wrong(place, value, f"a list of {'whole numbers' if whole else 'texts'}")
    if whole:
        return tuple(_number(each, name, place, whole=True) for each in value)
    if all(isinstance(word, str) for word in value):
        return tuple(value)
    raise _wrong(place, value, "a list of texts")


def _number(value: Any, name: str, place: str, *, whole: bool) -> Any:
    least = 0 if name in _FROM_ZERO else 1 if whole else 5e-324
    number = isinstance(value, int | float) and not isinstance(value, bool)
    most = _MOST_BYTES if name == "max_bytes" else _LARGEST
    number = number and least <= value <= most  # also refuses .inf and .nan
    if number and (isinstance(value, int) or not whole):
        return value
    if name in _FROM_ZERO:
        raise _wrong(place, value, "a whole number from 0 on" if whole else "a number from 0 on")
    raise _wrong(place, value, "a positive whole number" if whole else "a number > 0")


def _accepted(value: Any, place: str) -> list[Accepted]:
    names = tuple(field.name for field in fields(Accepted))
    if not isinstance(value, list):
        raise _wrong(place, value, "a list of exceptions")
    found = []
    for number, entry in enumerate(value, 1):
        where = f"{place}, entry {number}"
        given = _mapping(entry, where)
        _known(given, names, where)
        for name in names:
            if name not in given:
                raise UsageError(f"invoke.yaml: {where}: {name} is missing")
        for name in ("proof", "match", "reason"):
            if not isinstance(given[name], str) or not given[name].strip():
                raise _wrong(f"{where}.{name}", given[name], "a text")
        found.append(
            Accepted(
                given["proof"],
                given["match"],
                given["reason"],
                _date(given["expires"], f"{where}.expires"),
            )
        )
    return found


def _date(value: Any, place: str) -> datetime.date:
    """YAML makes a date of 2026-12-31 by itself, unless it stands in quotes."""
    if isinstance(value, datetime.datetime):
        raise _wrong(place, str(value), "a day, YYYY-MM-DD")
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise _wrong(place, value, "a day, YYYY-MM-DD") from None


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(place, value, "a mapping")
    return value


def _known(entry: Mapping[str, Any], names: tuple[str, ...], place: str) -> None:
    for key in entry:
        if key not in names:
            raise UsageError(f"invoke.yaml: {place}.{key}: unknown key; known: {', '.join(names)}")


def _wrong(place: str, value: Any, expected: str) -> UsageError:
    return UsageError(f"invoke.yaml: {place}: {value!r} is not {expected}")
