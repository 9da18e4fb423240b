"""Names that say that what is assigned to them is a secret, and values that are none."""

from __future__ import annotations

import re

from tasks.core import schema

#: What is no secret under any name: nothing, what a shell puts in later, where something lies.
_HARMLESS = re.compile(r"[\"']{2}[;)]*|[\"']?[$`].*|[;&|)\\].*", re.S)
_PLACE = re.compile(r"_(FILE|PATH|DIR|SOCK)$", re.I)
#: Official images name the keys that their releases are signed with by fingerprint.
_PUBLIC_KEY = re.compile(r"(^|_)GPG_KEYS?$", re.I)
_FINGERPRINTS = re.compile(r"[\"']?([0-9A-F]{16,40}[\s\"']*)+")


def tells(name: str, value: str) -> bool:
    """Whether a variable gives a secret away, by its name; some names are of public things."""
    if _PLACE.search(name) and value.lstrip("\"'").startswith("/"):
        return False
    if _PUBLIC_KEY.search(name) and _FINGERPRINTS.fullmatch(value):
        return False
    return schema.is_secret(name)


def is_harmless(value: str) -> bool:
    """Whether ``value`` is nothing, or a place for something that a shell puts in later."""
    return _HARMLESS.fullmatch(value) is not None
