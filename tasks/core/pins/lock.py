"""`bases.lock.json`: which digest each base image's name stood for when somebody agreed to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tasks.core import schema, untrusted
from tasks.core.errors import UsageError
from tasks.core.images import archive
from tasks.core.provision import references
from tasks.core.render import output, tables
from tasks.core.untrusted import Malformed

SCHEMA = 1
NAME = "bases.lock.json"
#: How the setting is called that says what builds make of the lock, and what it may say.
SETTING = "BASES_LOCK"
AUTO, REQUIRED, OFF = "auto", "required", "off"
PIN, UPDATE = "inv bases.pin", "inv bases.update"
MAX_FILE_BYTES = 2 * 2**20
MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_FIELDS = {"digest", "media_type", "platforms", "pinned", "lookalike"}


@dataclass(frozen=True)
class Pin:
    """One base image: the ``digest`` of its index (or its only manifest) and what that holds.

    ``pinned`` is the day on which this digest was written down. ``lookalike``: it is the digest of
    a stand-in, which no other machine has.
    """

    digest: str
    media_type: str
    platforms: tuple[str, ...]
    pinned: date
    lookalike: bool = False


#: Every pin, by the base image's name as Dockerfiles and settings have it.
Lock = Mapping[str, Pin]


def load(root: Path) -> Lock | None:
    """The lock of the repository at ``root``; None if it has none.

    Raises UsageError, on one line, for a file that makes no sense.
    """
    path = root / NAME
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {NAME}: {error.strerror}") from None
    try:
        return parse(content)
    except Malformed as problem:
        line = untrusted.shown(" ".join(str(problem).split()))
        raise UsageError(
            f"{NAME}: {line}; mend it, or remove it and write it anew: {PIN}"
        ) from None


def parse(content: bytes) -> Lock:
    """The pins in a lock's content. Raises Malformed for anything that is not one."""
    if len(content) > MAX_FILE_BYTES:
        raise Malformed(f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
    document = untrusted.mapping(untrusted.parse(content, "it"), "it")
    if document.get("schema") != SCHEMA:
        raise Malformed(f"its schema is {str(document.get('schema'))[:40]}, not {SCHEMA}")
    _known(document, {"schema", "bases"}, "it")
    bases = untrusted.mapping(document.get("bases"), "bases")
    return {_name(name): _pin(entry, f"bases.{name}") for name, entry in sorted(bases.items())}


def written(lock: Lock) -> str:
    """The lock as a file's content, without the last line's end: the same for the same pins."""
    document = {"schema": SCHEMA, "bases": {name: _fields(lock[name]) for name in sorted(lock)}}
    return json.dumps(document, indent=2, ensure_ascii=True)


def save(root: Path, lock: Lock) -> None:
    """Write the lock of the repository at ``root``; no reader ever sees half of it."""
    output.write(root / NAME, written(lock) + "\n")


def find(lock: Lock, reference: str) -> Pin | None:
    """The pin for ``reference``, see ``key``."""
    name = key(lock, reference)
    return None if name is None else lock[name]


def key(lock: Lock, reference: str) -> str | None:
    """Under which name ``reference`` is locked: its own, or the one that it has without a mirror.

    A mirror has the same bytes, possibly below a path of its own, so the digest is right wherever
    it is had from: a wrong one can only be missing there. Two pins that might be meant are none.
    """
    if reference in lock:
        return reference
    wanted = references.parse(reference)
    if not wanted.host or wanted.digest:
        return None
    alike = [name for name in lock if _mirrors(wanted, references.parse(name))]
    return alike[0] if len({lock[name].digest for name in alike}) == 1 else None


def short(pin: Pin | None) -> str:
    """A pin's digest as it is compared; "none" for none."""
    return tables.short_digest(pin.digest) if pin else "none"


def pinned(reference: str, digest: str) -> str:
    """``reference`` by ``digest``. Its tag stays: it is for people, and the digest decides."""
    return f"{reference}@{digest}"


def named(lock: Lock, names: Sequence[str]) -> tuple[str, ...]:
    """``names`` with the digest of each that is pinned to an original's."""
    pins = {name: find(lock, name) for name in names}
    return tuple(
        pinned(name, pin.digest) if (pin := pins.get(name)) and not pin.lookalike else name
        for name in names
    )


def _mirrors(one: references.Reference, other: references.Reference) -> bool:
    below = one.path == other.path or one.path.endswith(f"/{other.path}")
    return below and one.tag == other.tag


def _known(found: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(found.keys() - known)
    if unknown:
        raise Malformed(f"{where} has an unknown key {unknown[0][:80]!r}")


def _name(text: str) -> str:
    if not schema.is_image(text) or references.parse(text).digest:
        raise Malformed(f"bases: {text[:80]!r} is not the name of an image, with a tag or without")
    return text


def _pin(value: Any, where: str) -> Pin:
    fields = untrusted.mapping(value, where)
    _known(fields, _FIELDS, where)
    media_type = untrusted.text(fields.get("media_type"), f"{where}.media_type")
    if media_type not in MEDIA_TYPES:
        raise Malformed(f"{where}.media_type {media_type[:80]!r} is none of an image")
    lookalike = fields.get("lookalike", False)
    if not isinstance(lookalike, bool):
        raise Malformed(f"{where}.lookalike is not true or false")
    platforms = untrusted.sequence(fields.get("platforms"), f"{where}.platforms")
    return Pin(
        untrusted.digest(fields.get("digest"), f"{where}.digest"),
        media_type,
        tuple(_platform(each, f"{where}.platforms") for each in platforms),
        _day(fields.get("pinned"), f"{where}.pinned"),
        lookalike,
    )


def _platform(value: Any, where: str) -> str:
    text = untrusted.text(value, where)
    if not archive.PLATFORM.fullmatch(text):
        raise Malformed(f"{where}: {text[:80]!r} is no platform")
    return text


def _day(value: Any, where: str) -> date:
    try:
        return date.fromisoformat(untrusted.text(value, where))
    except ValueError:
        raise Malformed(f"{where} is not a day like 2026-01-31") from None


def _fields(pin: Pin) -> dict[str, Any]:
    return {
        "digest": pin.digest,
        "media_type": pin.media_type,
        "platforms": sorted(pin.platforms),
        "pinned": pin.pinned.isoformat(),
        **({"lookalike": True} if pin.lookalike else {}),
    }
