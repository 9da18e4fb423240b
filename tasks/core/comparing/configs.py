"""Two configs of images -> in what they differ, with secrets masked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.core.comparing import concealing

#: Keys of the config's section "config", and what people call them.
SIMPLE = {
    "User": "user",
    "Entrypoint": "entrypoint",
    "Cmd": "command",
    "WorkingDir": "working directory",
    "StopSignal": "stop signal",
    "Healthcheck": "health check",
    "Shell": "shell",
    "OnBuild": "on build",
}
#: Parts of a health check that are durations.
DURATIONS = ("Interval", "StartInterval", "StartPeriod", "Timeout")
ENVIRONMENT, LABEL, PORT, VOLUME = "environment", "label", "port", "volume"
UNREADABLE = "(not readable)"
PRESENT = "declared"


@dataclass(frozen=True)
class ConfigChange:
    """One setting: ``field`` is what it is about, ``name`` which variable, label, port, volume.

    None: it is not set. Values may be masked, and so alike although they differ.
    """

    field: str
    name: str
    before: str | None
    after: str | None


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], secrets: Collection[str] = ()
) -> tuple[ConfigChange, ...]:
    """Everything that a container is started with and that is not the same in both."""
    here, there = _section(before), _section(after)
    return (*_simple(here, there, secrets), *_named(here, there, secrets))


def _simple(
    here: Mapping[str, Any], there: Mapping[str, Any], secrets: Collection[str]
) -> Iterator[ConfigChange]:
    for key, name in SIMPLE.items():
        one, other = here.get(key) or None, there.get(key) or None
        for part, before, after in _parts(one, other):
            if before != after:
                shown = [
                    None if value is None else concealing.plain(_timed(part, value), secrets)
                    for value in (before, after)
                ]
                yield ConfigChange(name, concealing.text(part, secrets), shown[0], shown[1])


def _parts(one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    """Two values; a health check's by its parts."""
    if not any(isinstance(value, Mapping) for value in (one, other)):
        yield "", one, other
        return
    here, there = (value if isinstance(value, Mapping) else {} for value in (one, other))
    for key in sorted(here.keys() | there.keys()):
        yield key, here.get(key), there.get(key)


def _timed(part: str, value: Any) -> Any:
    """The nanoseconds of a health check as seconds."""
    if part in DURATIONS and isinstance(value, int):
        return f"{value / 10**9:g} s"
    return value


def _named(
    here: Mapping[str, Any], there: Mapping[str, Any], secrets: Collection[str]
) -> Iterator[ConfigChange]:
    parts = (
        (ENVIRONMENT, "Env", _pairs),
        (LABEL, "Labels", _texts),
        (PORT, "ExposedPorts", _keys),
        (VOLUME, "Volumes", _keys),
    )
    for field, key, read in parts:
        one, other = read(here.get(key)), read(there.get(key))
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                shown = [
                    None if value is None else concealing.named(name, value, secrets)
                    for value in (one.get(name), other.get(name))
                ]
                title = concealing.text(name, secrets)
                yield ConfigChange(field, title, shown[0], shown[1])


def _section(config: Mapping[str, Any]) -> Mapping[str, Any]:
    section = config.get("config")
    return section if isinstance(section, Mapping) else {}


def _pairs(value: Any) -> Mapping[str, str]:
    """NAME=value texts; the last one of a name is what a container gets."""
    if not isinstance(value, list):
        return _unreadable(value)
    pairs = (str(each).partition("=") for each in value)
    return {name: assigned for name, _, assigned in pairs}


def _texts(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        return _unreadable(value)
    return {key: text if isinstance(text, str) else str(text) for key, text in value.items()}


def _keys(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        return _unreadable(value)
    return dict.fromkeys(value, PRESENT)


def _unreadable(value: Any) -> Mapping[str, str]:
    """What is no mapping is compared as it stands."""
    return {UNREADABLE: concealing.plain(value)} if value else {}
