"""`sizes.lock.json`: how large the images were when somebody last agreed to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core import untrusted
from tasks.core.errors import UsageError
from tasks.core.images import archive
from tasks.core.untrusted import Malformed

SCHEMA = 1
NAME = "sizes.lock.json"
MAX_NAME = 700
MAX_FILE_BYTES = 32 * 2**20
UPDATE = "inv compare.baseline --update"
SECTIONS = ("folders", "files", "packages")


@dataclass(frozen=True)
class Listed:
    """The largest of something, in bytes by name; what is not listed has at most ``rest_bytes``."""

    bytes: Mapping[str, int] = field(default_factory=dict)
    rest_bytes: int = 0


@dataclass(frozen=True)
class Entry:
    """One image for one platform. ``compressed_bytes`` is None where the engine does not know it.

    ``folders`` and ``files`` are by path, ``packages`` by "kind:name version". The record of a
    build knows neither ``layers`` nor ``lookalike_bases``.
    """

    compressed_bytes: int | None
    unpacked_bytes: int
    layers: int | None
    digest: str
    lookalike_bases: bool | None
    folders: Listed = Listed()
    files: Listed = Listed()
    packages: Listed = Listed()


#: The entries by target and platform.
Lock = Mapping[str, Mapping[str, Entry]]


def load(path: Path) -> Lock | None:
    """The lock at ``path``; None if there is none. UsageError for one that makes no sense."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    try:
        if len(content) > MAX_FILE_BYTES:
            raise Malformed(f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
        return parse(content)
    except Malformed as problem:
        line = untrusted.shown(" ".join(str(problem).split()))
        raise UsageError(
            f"{path.name}: {line}; mend it, or remove it and write it anew: {UPDATE}"
        ) from None


def parse(content: bytes) -> Lock:
    """The lock in a file's content, or the sizes in a build's record; else raises Malformed."""
    document = untrusted.mapping(untrusted.parse(content, "it"), "it")
    if document.get("schema") != SCHEMA:
        raise Malformed(f"its schema is {str(document.get('schema'))[:40]}, not {SCHEMA}")
    if isinstance(document.get("targets"), list):
        return _recorded(document["targets"])
    targets = untrusted.mapping(document.get("targets"), "targets")
    return {
        target: {
            _platform(platform): _entry(entry, f"targets.{target}.{platform}")
            for platform, entry in untrusted.mapping(platforms, f"targets.{target}").items()
        }
        for target, platforms in targets.items()
    }


def written(lock: Lock) -> str:
    """The lock as a file's content: sorted, and the same for the same entries."""
    targets = {
        target: {platform: _fields(entry) for platform, entry in platforms.items()}
        for target, platforms in lock.items()
        if platforms
    }
    document = {"schema": SCHEMA, "targets": targets}
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True)


def _platform(text: str) -> str:
    if not archive.PLATFORM.fullmatch(text):
        raise Malformed(f"{text[:80]!r} is no platform")
    return text


def figures(entry: Entry) -> dict[str, Any]:
    """An entry without what is in the image, as JSON has it."""
    return {
        "compressed_bytes": entry.compressed_bytes,
        "unpacked_bytes": entry.unpacked_bytes,
        "layers": entry.layers,
        "digest": entry.digest,
        "lookalike_bases": entry.lookalike_bases,
    }


def _fields(entry: Entry) -> dict[str, Any]:
    sections = {name: getattr(entry, name) for name in SECTIONS}
    return {
        **figures(entry),
        **{
            name: {"bytes": dict(listed.bytes), "rest_bytes": listed.rest_bytes}
            for name, listed in sections.items()
        },
    }


def _entry(value: Any, where: str) -> Entry:
    fields = untrusted.mapping(value, where)
    compressed = fields.get("compressed_bytes")
    lookalike = fields.get("lookalike_bases")
    if not isinstance(lookalike, bool):
        raise Malformed(f"{where}.lookalike_bases is not true or false")
    return Entry(
        compressed_bytes=None
        if compressed is None
        else untrusted.count(compressed, f"{where}.compressed_bytes"),
        unpacked_bytes=untrusted.count(fields.get("unpacked_bytes"), f"{where}.unpacked_bytes"),
        layers=untrusted.count(fields.get("layers"), f"{where}.layers"),
        digest=untrusted.digest(fields.get("digest"), f"{where}.digest"),
        lookalike_bases=lookalike,
        **dict(_sections(fields, where)),
    )


def _recorded(targets: Sequence[Any]) -> Lock:
    """The sizes in the record of a build, as far as they were known then."""
    found: dict[str, dict[str, Entry]] = {}
    for target in targets:
        fields = untrusted.mapping(target, "a target")
        name = untrusted.text(fields.get("name"), "the name of a target")
        for image in untrusted.sequence(fields.get("images"), f"images of {name}"):
            sizes = untrusted.mapping(image, f"an image of {name}")
            platform = _platform(untrusted.text(sizes.get("platform"), f"platform of {name}"))
            if sizes.get("unpacked_bytes") is not None:
                found.setdefault(name, {})[platform] = _from_record(sizes, f"an image of {name}")
    return found


def _from_record(fields: Mapping[str, Any], where: str) -> Entry:
    compressed = fields.get("compressed_bytes")
    unpacked = untrusted.count(fields.get("unpacked_bytes"), f"unpacked_bytes of {where}")
    unknown = Listed(rest_bytes=unpacked)  # nothing is listed: anything may have been that large
    return Entry(
        None if compressed is None else untrusted.count(compressed, f"compressed_bytes of {where}"),
        unpacked,
        None,
        untrusted.digest(fields.get("digest"), f"digest of {where}"),
        None,
        *(unknown, unknown, unknown),
    )


def _sections(fields: Mapping[str, Any], where: str) -> Iterator[tuple[str, Listed]]:
    for name in SECTIONS:
        place = f"{where}.{name}"
        section = untrusted.mapping(fields.get(name, {}), place)
        listed = untrusted.mapping(section.get("bytes", {}), f"{place}.bytes")
        rest = untrusted.count(section.get("rest_bytes", 0), f"{place}.rest_bytes")
        sizes = {
            untrusted.shown(key, MAX_NAME): untrusted.count(size, f"{place}.{key}")
            for key, size in listed.items()
        }
        yield name, Listed(sizes, rest)
