"""What an image's config says, compared with what a test demands of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.core import untrusted
from tasks.core.images.contents import Contents
from tasks.core.structure import patterns
from tasks.core.structure.config import MetadataTest, Pair


@dataclass(frozen=True)
class Stated:
    """The part of a config that tests are about; what makes no sense in it is left out."""

    environment: Mapping[str, str]
    labels: Mapping[str, str]
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    workdir: str
    user: str


def stated(contents: Contents) -> Stated:
    """What the config of an image says."""
    section = contents.config.get("config")
    config: Mapping[str, Any] = section if isinstance(section, dict) else {}
    labels = config.get("Labels")
    pairs = (entry.partition("=") for entry in _texts(config.get("Env")))
    return Stated(
        environment={name: value for name, _, value in pairs},
        labels=labels if isinstance(labels, dict) else {},
        ports=tuple(name.partition("/")[0] for name in _keys(config.get("ExposedPorts"))),
        volumes=_keys(config.get("Volumes")),
        entrypoint=_texts(config.get("Entrypoint")),
        cmd=_texts(config.get("Cmd")),
        workdir=str(config.get("WorkingDir") or ""),
        user=str(config.get("User") or ""),
    )


def problems(said: Stated, test: MetadataTest) -> Iterator[str]:
    """A line for each thing that is not as ``test`` demands."""
    yield from _pairs("the variable", said.environment, test.environment)
    for key in test.unbound:
        if key in said.environment:
            yield f"the variable {_shown(key)} is set"
    yield from _pairs("the label", said.labels, test.labels)
    for name, there, wanted in (
        ("cmd", said.cmd, test.cmd),
        ("entrypoint", said.entrypoint, test.entrypoint),
        ("workdir", said.workdir, test.workdir or None),
        ("user", said.user, test.user or None),
    ):
        if wanted is not None and there != wanted:
            yield f"{name} is {_shown(there)}, not {_shown(wanted)}"
    yield from _listed("port", "exposed", said.ports, test.exposed_ports, test.unexposed_ports)
    yield from _listed("volume", "declared", said.volumes, test.volumes, test.unmounted_volumes)


def _pairs(what: str, there: Mapping[str, Any], wanted: Sequence[Pair]) -> Iterator[str]:
    for pair in wanted:
        value = there.get(pair.key)
        if not isinstance(value, str):
            yield f"{what} {_shown(pair.key)} is not there"
        elif pair.is_regex:
            if not patterns.found(pair.value, patterns.encoded(value)):
                regex = patterns.shown(pair.value)
                yield f"{what} {_shown(pair.key)} is {_shown(value)}: no match for {regex}"
        elif value != pair.value:
            yield f"{what} {_shown(pair.key)} is {_shown(value)}, not {_shown(pair.value)}"


def _listed(
    what: str, how: str, there: Sequence[str], wanted: Sequence[str], unwanted: Sequence[str]
) -> Iterator[str]:
    for name in wanted:
        if name not in there:
            yield f"{what} {_shown(name)} is not {how}"
    for name in unwanted:
        if name in there:
            yield f"{what} {_shown(name)} is {how}"


def _shown(value: str | tuple[str, ...]) -> str:
    return untrusted.shown(repr(value if isinstance(value, str) else list(value)), 120)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _keys(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, dict) else ()
