"""What the names of base images stand for now: asked of their registries, never of a memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from tasks.core import process, untrusted
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.pins import lock
from tasks.core.pins.lock import Pin
from tasks.core.provision import bases, reach, references, registry
from tasks.core.provision.bases import BaseNeed
from tasks.core.provision.reach import Answer
from tasks.core.provision.references import Reference
from tasks.core.provision.registry import Stored
from tasks.core.untrusted import Malformed

ASK_SECONDS = 20
AT_ONCE = 4
_FORMAT = '{"manifest":{{json .Manifest}},"image":{{json .Image}}}'


@dataclass(frozen=True)
class Found:
    """What a base image's name stands for; ``pin`` is None where no registry said, for ``reason``.

    ``source`` is where it is had from, by digest: a look-alike lies elsewhere than its name says.
    """

    reference: str
    pin: Pin | None
    source: str = ""
    reason: str = ""


def current(engine: Engine, needs: Sequence[BaseNeed], today: date) -> tuple[Found, ...]:
    """What each of ``needs`` stands for now, in their order. Changes nothing."""
    if not needs:
        return ()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(partial(_current, engine, today), needs))


def without(found: Sequence[Found]) -> list[str]:
    """The bases that no registry told of, those of one reason together with it."""
    reasons: dict[str, list[str]] = {}
    for each in found:
        if each.pin is None:
            reasons.setdefault(each.reason, []).append(each.reference)
    return [f"{', '.join(names)} ({reason})" for reason, names in reasons.items()]


def where(found: Found) -> str:
    """The registry that a base image is had from, as people call it."""
    return references.parse(found.reference).host or "the default registry"


def _current(engine: Engine, today: date, need: BaseNeed) -> Found:
    """The original where it is in reach, else the look-alike that stands in for it here."""
    reference = references.parse(need.reference)
    stood_in = bases.look_alike(engine, need.reference)
    passed_off = None
    if stood_in is not None and engine.kind == "embedded":
        # This engine asks its mirror first, and that has the look-alike under the name.
        answer = ask_registry(engine, need.reference)
    else:
        answer = reach.fresh(engine, reference)
        passed_off = _passed_off(engine, reference, answer)
    if answer.can_be_had and passed_off is None:
        pin = Pin(answer.digest, _kind(answer), answer.platforms, today)
        return _whole(need, Found(need.reference, pin, lock.pinned(need.reference, answer.digest)))
    place, stored = passed_off or stood_in or ("", None)
    if stored is None:
        return Found(need.reference, None, reason=answer.reason or "no registry has it")
    # Look-alikes are written as OCI indexes, see provision/make.
    pin = Pin(stored.digest, lock.MEDIA_TYPES[0], tuple(stored.platforms), today, lookalike=True)
    found = Found(need.reference, pin, lock.pinned(place, stored.digest), answer.reason)
    return _whole(need, found)


def _passed_off(engine: Engine, reference: Reference, answer: Answer) -> tuple[str, Stored] | None:
    """The look-alike that ``answer`` is about: the mirror has it under other spellings, too.

    A name with the default registry's host in front is one of them.
    """
    if engine.kind != "embedded" or not answer.digest:
        return None
    return bases.look_alike(engine, reference.context_names[-1], answer.digest)


def _whole(need: BaseNeed, found: Found) -> Found:
    lacking = sorted(set(need.platforms) - set(found.pin.platforms if found.pin else ()))
    if not lacking:
        return found
    return Found(need.reference, None, reason=f"its registry has no {', '.join(lacking)}")


def _kind(answer: Answer) -> str:
    """The kind of a manifest; an old registry that names none has old lists of manifests."""
    return answer.media_type if answer.media_type in lock.MEDIA_TYPES else lock.MEDIA_TYPES[1]


def ask_registry(engine: Engine, reference: str) -> Answer:
    """Ask the registry itself, past the engine's mirrors."""
    argv = (engine.docker, "buildx", "imagetools", "inspect", "--format", _FORMAT, reference)
    try:
        done = process.read(argv, env=engine.environment, check=False, timeout=ASK_SECONDS)
    except OutOfReach:
        return Answer((), reason=f"no answer within {ASK_SECONDS} s")
    if done.returncode != 0:
        return Answer((), reason=refusal(done))
    try:
        return told(json.loads(done.stdout))
    except (ValueError, Malformed) as problem:
        return Answer((), reason=f"what it answered cannot be read: {str(problem)[:120]}")


def refusal(done: process.Completed) -> str:
    """Why buildx failed, in its own words; "" if it did not."""
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    return untrusted.shown(lines[-1].removeprefix("ERROR: ") if lines else done.reason())


def told(document: Mapping[str, Any]) -> Answer:
    """What ``imagetools inspect`` said of an image. Raises Malformed."""
    manifest = untrusted.mapping(document.get("manifest"), "manifest")
    entries = manifest.get("manifests")
    if entries is None:
        described = [untrusted.mapping(document.get("image"), "image")]
    else:
        each = [
            untrusted.mapping(entry, "a manifest")
            for entry in untrusted.sequence(entries, "manifests")
        ]
        described = [untrusted.mapping(entry.get("platform", {}), "platform") for entry in each]
    return Answer(
        registry.platform_names(described),
        untrusted.digest(manifest.get("digest"), "digest"),
        media_type=untrusted.text(manifest.get("mediaType", ""), "mediaType"),
    )
