"""Until when a base image is supported, told by its name alone: node:22-bookworm-slim."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from tasks.core.images import lifecycle
from tasks.core.provision import references

#: Suites of Debian and Ubuntu by the names that tags give them.
_SUITES = {
    **{"buster": (lifecycle.DEBIAN, "10"), "bullseye": (lifecycle.DEBIAN, "11")},
    **{"bookworm": (lifecycle.DEBIAN, "12"), "trixie": (lifecycle.DEBIAN, "13")},
    **{"bionic": (lifecycle.UBUNTU, "18.04"), "focal": (lifecycle.UBUNTU, "20.04")},
    **{"jammy": (lifecycle.UBUNTU, "22.04"), "noble": (lifecycle.UBUNTU, "24.04")},
}
#: What an image is of, by the last part of its path.
_PRODUCTS = {
    "node": lifecycle.NODE,
    "nginx": lifecycle.NGINX,
    "nginx-unprivileged": lifecycle.NGINX,
    "debian": lifecycle.DEBIAN,
    "ubuntu": lifecycle.UBUNTU,
    "alpine": lifecycle.ALPINE,
}
_DISTROLESS = re.compile(r"(?:nodejs(?P<node>[0-9]+)-|[a-z0-9]+-)?debian(?P<release>[0-9]+)")
_ALPINE = re.compile(r"alpine(?P<version>3\.[0-9]+)")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")


@dataclass(frozen=True)
class End:
    """One product in an image, and the last day of its support."""

    product: str
    day: date

    def days_left(self, today: date) -> int:
        """How many days of support follow ``today``; less than 0 when it has ended."""
        return (self.day - today).days


def first(reference: str) -> End | None:
    """What of a base image ends first; None where its name, or the table, says of nothing."""
    found = [End(f"{name} {v}", day) for name, v in of(reference) if (day := _day(name, v))]
    return min(found, key=lambda end: end.day, default=None)


def of(reference: str) -> Iterator[tuple[str, str]]:
    """Products and versions that the name of a base image tells of."""
    parsed = references.parse(reference)
    last = parsed.path.rpartition("/")[2]
    version = _VERSION.match(parsed.tag)
    distroless = _DISTROLESS.match(last) if "distroless" in parsed.path else None
    if distroless:
        if distroless["node"]:
            yield lifecycle.NODE, distroless["node"]
            yield lifecycle.DISTROLESS_NODE, distroless["release"]
        else:
            yield lifecycle.DISTROLESS, distroless["release"]
    if last in _PRODUCTS and version:
        yield _PRODUCTS[last], version[0]
    alpine = _ALPINE.search(parsed.tag)
    if alpine:
        yield lifecycle.ALPINE, alpine["version"]
    yield from (_SUITES[word] for word in parsed.tag.split("-") if word in _SUITES)


def _day(product: str, version: str) -> date | None:
    return lifecycle.last_day(product, version)
