"""Keep secrets out of everything that is printed."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "••••••"
#: A secret shorter than this is not looked for inside texts: it would hit words at random.
SHORTEST = 4
# All of a URL's user part, up to the last "@" of its host: tokens stand in for the user name too,
# and passwords contain "@". An image's digest (docker-image://node:22@sha256:…) is no host.
_URL_USER = re.compile(r"(?<=://)[^/\s]+(?=@(?!sha[0-9]+:))")


def hide(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without the values ``secrets``, as they are or quoted, and without users of URLs."""
    forms = {form for value in secrets for form in (value, repr(value)[1:-1])}
    # The longest first: one secret may be a part of another.
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= SHORTEST:
            text = text.replace(form, MASK)
    return _URL_USER.sub(MASK, text)
