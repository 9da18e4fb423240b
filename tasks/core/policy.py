"""What is demanded of each target: the ``slipway.policy`` of ``invoke.yaml``.

The keys below ``policy`` are target names or globs; a target takes every entry that matches it, in
the order of the file, so that later ones refine earlier ones. Without the file the defaults hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any

from tasks.core.errors import UsageError


@dataclass(frozen=True)
class Policy:
    """How a target is started, and the limits it has to keep."""

    #: TCP port it answers on; None: the one port that the image exposes.
    port: int | None = None
    #: Path that answers 200 with JSON when all is well; None: not asked for.
    health: str | None = None
    #: Path that a visitor asks for; must answer below 400.
    page: str | None = "/"
    #: Paths that may be written to (memory); everything else is read-only. Volumes always may.
    writable: tuple[str, ...] = ("/tmp",)  # noqa: S108 - a path inside the container
    #: Variables for the container's environment, "NAME=value".
    environment: tuple[str, ...] = ()
    #: Seconds until it must be healthy.
    healthy_seconds: float = 30.0
    #: Seconds until it must have stopped after its stop signal.
    stop_seconds: float = 10.0
    #: Seconds that its tests may take (testing stages).
    tests_seconds: float = 600.0
    #: Memory it may use, in MiB.
    memory_mib: int = 512
    #: Processes and threads it may have.
    pids: int = 256


#: What the values of a key have to be beyond their kind, and how to say so.
_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "port": (lambda value: value <= 65535, "a TCP port from 1 to 65535"),
    "health": (lambda value: value.startswith("/"), "a path that starts with '/'"),
    "page": (lambda value: value.startswith("/"), "a path that starts with '/'"),
    "writable": (
        lambda value: all(path.startswith("/") for path in value),
        "a list of absolute paths",
    ),
    "memory_mib": (lambda value: value >= 6, "at least 6, the least that the engine takes"),
}
#: The largest number that makes sense anywhere: a signed 32-bit one.
_LARGEST = 2**31 - 1


def for_target(config: Mapping[str, Any], target: str) -> Policy:
    """The policy of ``target``; ``config`` is what ``invoke.yaml`` says under ``slipway``.

    Raises UsageError with the key's place for an unknown key or a value of the wrong kind.
    """
    policy = Policy()
    for pattern, changes in _entries(config).items():
        if fnmatchcase(target, pattern):
            policy = replace(policy, **changes)
    return policy


def check(config: Mapping[str, Any], targets: Collection[str]) -> None:
    """Raise UsageError for what ``for_target`` refuses, and for a key that names no target.

    ``targets`` are all targets there are: a typing error must not pass as "nothing demanded".
    """
    for pattern in _entries(config):
        if pattern != "*" and not any(fnmatchcase(name, pattern) for name in targets):
            known = ", ".join(sorted(targets))
            raise UsageError(
                f"invoke.yaml: slipway.policy.{pattern}: matches no target; there are: {known}"
            )


def _entries(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each pattern changes, in the order of the file, checked."""
    slipway = _mapping(config, "slipway")
    _known(slipway, ("policy",), "slipway")
    found = {}
    for pattern, entry in _mapping(slipway.get("policy", {}), "slipway.policy").items():
        place = f"slipway.policy.{pattern}"
        if not isinstance(pattern, str):
            raise UsageError(f"invoke.yaml: {place}: the key is not a text; put it in quotes")
        found[pattern] = _changes(_mapping(entry, place), place)
    return found


def _changes(entry: Mapping[str, Any], place: str) -> dict[str, Any]:
    kinds = {field.name: str(field.type) for field in fields(Policy)}
    _known(entry, tuple(kinds), place)
    changes = {name: _value(entry[name], kinds[name], f"{place}.{name}") for name in entry}
    for name, value in changes.items():
        holds, expected = _RULES.get(name, (None, ""))
        if holds and value is not None and not holds(value):
            raise _wrong(f"{place}.{name}", entry[name], expected)
    return changes


def _value(value: Any, kind: str, place: str) -> Any:
    if value is None and kind.endswith("| None"):
        return None
    if kind.startswith("tuple"):
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return tuple(value)
        raise _wrong(place, value, "a list of texts")
    if kind.startswith("str"):
        if isinstance(value, str) and value:
            return value
        raise _wrong(place, value, "a text")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    number = number and 0 < value <= _LARGEST  # also refuses .inf and .nan
    if not number or (kind.startswith("int") and not isinstance(value, int)):
        raise _wrong(place, value, "a positive whole number" if "int" in kind else "a number > 0")
    return value


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
