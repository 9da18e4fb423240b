"""What is in an image -> the entry of it in the lock: its sizes, and the largest things in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from tasks.core.comparing import files
from tasks.core.comparing.lock import Entry, Listed
from tasks.core.images import packages
from tasks.core.images.contents import Contents, shown
from tasks.core.images.packages import PackageInspector
from tasks.core.images.sizes import LOOKALIKE_LABEL

INSPECTORS = (PackageInspector(),)
#: How many of each the lock lists: enough to explain growth, and to be read in a review.
MOST = {"folders": 30, "files": 30, "packages": 40}
#: What is smaller is not worth a line of it.
LEAST_BYTES = 16 * 2**10
MAX_PATH = 400
#: What bundlers put into the names of files, made of their content: index-Deiz5_iP.js.
_HASH = re.compile(
    r"(?<=[-.])(?=[^./]*[A-Z0-9_])(?:[A-Za-z0-9_-]{8}|[0-9a-f]{16,64})(?=(?:\.[A-Za-z0-9]+)+$)"
)


def weigh(contents: Contents) -> Entry:
    """The entry of an image that was read with INSPECTORS."""
    listed = {name: largest(sizes, MOST[name]) for name, sizes in everything(contents).items()}
    return Entry(
        compressed_bytes=contents.compressed_bytes,
        unpacked_bytes=contents.unpacked_bytes,
        layers=len(contents.layers),
        digest=contents.digest,
        lookalike_bases=is_lookalike(contents),
        **listed,
    )


def everything(contents: Contents) -> dict[str, dict[str, int]]:
    """The bytes of all folders with all that is below them, of all files, and of all packages.

    A hash in a file's name is a star: with it each build would have other files.
    """
    own: Counter[str] = Counter()
    for path, size_bytes in files.own_bytes(contents.files).items():
        own[_HASH.sub("*", shown(path, MAX_PATH))] += size_bytes
    return {"folders": _folders(own), "files": dict(own), "packages": _packages(contents)}


def largest(sizes: Mapping[str, int], most: int) -> Listed:
    """The ``most`` largest; which of those of one size is decided by their names."""
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    kept = [(name, size_bytes) for name, size_bytes in ordered[:most] if size_bytes >= LEAST_BYTES]
    rest = ordered[len(kept)][1] if len(ordered) > len(kept) else 0
    return Listed(dict(kept), rest)


def _folders(own: Mapping[str, int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for path, size_bytes in own.items():
        folder = path.rpartition("/")[0]
        while folder and size_bytes:
            found[folder] += size_bytes
            folder = folder.rpartition("/")[0]
    return dict(found)


def _packages(contents: Contents) -> dict[str, int]:
    """Several of one name and version, as npm has them, add up."""
    found: Counter[str] = Counter()
    for one in packages.installed(contents).packages:
        found[f"{one.kind}:{one.name} {one.version}"] += one.size_bytes or 0
    return dict(found)


def is_lookalike(contents: Contents) -> bool:
    """Whether an image stands on a look-alike base."""
    section = contents.config.get("config")
    labels = section.get("Labels") if isinstance(section, Mapping) else None
    return isinstance(labels, Mapping) and labels.get(LOOKALIKE_LABEL) == "true"
