"""Until when releases are supported: a table, made on the day that AS_OF says.

From what the projects publish: Debian's distro-info-data for Debian (with its long-term support,
which is Debian's own and what its images are rebuilt from) and Ubuntu (standard support), Alpine's
and Node.js's release schedules, the support policy and build of distroless, nginx's changes (a
branch ends when the next one of its kind begins), all compared with the endoflife.date project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tasks.core import untrusted

AS_OF = date(2026, 8, 22)
DEBIAN, UBUNTU, ALPINE, NODE, NGINX = "Debian", "Ubuntu", "Alpine", "Node.js", "nginx"
DISTROLESS, DISTROLESS_NODE = "distroless on Debian", "distroless Node.js on Debian"
#: The last day of support, oldest release first; "": no day was known.
_ENDS: Mapping[str, Mapping[str, str]] = {
    DEBIAN: {"10": "2024-06-30", "11": "2026-08-31", "12": "2028-06-30", "13": "2030-06-30"},
    UBUNTU: {
        **{"18.04": "2023-05-31", "20.04": "2025-05-29", "20.10": "2021-07-22"},
        **{"21.04": "2022-01-20", "21.10": "2022-07-14", "22.04": "2027-06-01"},
        **{"22.10": "2023-07-20", "23.04": "2024-01-25", "23.10": "2024-07-11"},
        **{"24.04": "2029-05-31", "24.10": "2025-07-10", "25.04": "2026-01-15"},
        **{"25.10": "2026-07-09", "26.04": "2031-05-29"},
    },
    ALPINE: {
        **{"3.17": "2024-11-22", "3.18": "2025-05-09", "3.19": "2025-11-01"},
        **{"3.20": "2026-04-01", "3.21": "2026-11-01", "3.22": "2027-05-01"},
        **{"3.23": "2027-11-01", "3.24": "2028-06-01"},
    },
    NODE: {
        **{"16": "2023-09-11", "17": "2022-06-01", "18": "2025-04-30", "19": "2023-06-01"},
        **{"20": "2026-04-30", "21": "2024-06-01", "22": "2027-04-30", "23": "2025-06-01"},
        **{"24": "2028-04-30", "25": "2026-06-01", "26": "2029-04-30"},
    },
    NGINX: {
        **{"1.22": "2023-04-11", "1.23": "2023-05-23", "1.24": "2024-04-23"},
        **{"1.25": "2024-05-29", "1.26": "2025-04-23", "1.27": "2025-06-24"},
        **{"1.28": "2026-04-14", "1.29": "2026-05-13", "1.30": "", "1.31": ""},
    },
    DISTROLESS: {"11": "2024-06-01", "12": "2026-09-30", "13": ""},
    DISTROLESS_NODE: {"11": "2023-12-01", "12": "2026-01-31", "13": ""},
}
#: How many numbers of a version name a release.
_NUMBERS = {UBUNTU: 2, ALPINE: 2, NGINX: 2}
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}")


@dataclass(frozen=True)
class Standing:
    """How a release stood on a day: ``supported`` is None where the table does not know it."""

    supported: bool | None
    text: str


def standing(product: str, version: str, today: date) -> Standing:
    """Whether ``version`` of ``product`` is still supported on ``today``, by the table."""
    ends = _ENDS[product]
    if not _VERSION.fullmatch(version):
        shown = untrusted.shown(version, 40) or "no version"
        return Standing(None, f"{product}: {shown} is no release that is known here")
    release = ".".join(version.split(".")[: _NUMBERS.get(product, 1)])
    oldest = next(iter(ends))
    if release not in ends:
        if _numbers(release) < _numbers(oldest):
            return Standing(False, f"{product} {release} ended before {oldest}, {_on(product)}")
        return Standing(None, f"{product} {release} is not in the table of {AS_OF}")
    if not ends[release]:
        return Standing(True, f"{product} {release} is supported (as of {AS_OF})")
    supported = today <= date.fromisoformat(ends[release])
    words = "is supported until" if supported else "ended on"
    return Standing(supported, f"{product} {release} {words} {ends[release]}")


def last_day(product: str, version: str) -> date | None:
    """The last day of support of ``version`` of ``product``, by the table; None: it knows none."""
    release = ".".join(version.split(".")[: _NUMBERS.get(product, 1)])
    day = _ENDS[product].get(release, "")
    return date.fromisoformat(day) if day else None


def _on(product: str) -> str:
    release, day = next(iter(_ENDS[product].items()))
    return f"and {release} on {day}"


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))
