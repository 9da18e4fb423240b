"""How two images compare, as the JSON that `compare.images` writes: all of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tasks.core import untrusted
from tasks.core.comparing.files import FileChange
from tasks.core.comparing.images import Comparison
from tasks.core.comparing.pairs import Compared
from tasks.core.comparing.places import Place
from tasks.core.images.contents import shown
from tasks.core.images.digesting import digest
from tasks.core.images.entries import FileEntry, Kind

#: Letters of a path; more, and it is cut.
MAX_PATH = 4096


def document(compared: Compared) -> dict[str, Any]:
    """The document without its schema number."""
    return {
        "from": _place(compared.before),
        "to": _place(compared.after),
        "differs": compared.differs,
        "platforms": [_platform(one) for one in compared.comparisons],
    }


def link(entry: FileEntry) -> str:
    """Where a link leads to, fit to be shown."""
    return untrusted.shown(entry.link, MAX_PATH)


def _place(place: Place) -> dict[str, Any]:
    archive = None if place.archive is None else str(place.archive)
    reference = place.reference if archive is None else None
    return {"name": place.name, "reference": reference, "archive": archive}


def _platform(one: Comparison) -> dict[str, Any]:
    return {
        "platform": one.platform,
        "differs": one.differs,
        "from": asdict(one.before),
        "to": asdict(one.after),
        "layers": [_pair(each) for each in one.layers],
        "files": [_file(each) for each in one.files],
        "packages": [
            {**_pair(each), "difference_bytes": each.difference_bytes} for each in one.packages
        ],
        "packages_from": one.packages_from,
        "config": [_pair(each) for each in one.config],
        "remarks": list(one.remarks),
    }


def _pair(record: Any) -> dict[str, Any]:
    """A record with ``before`` and ``after`` under the names that the command line has."""
    names = {
        "before": "from",
        "after": "to",
        "before_bytes": "from_bytes",
        "after_bytes": "to_bytes",
    }
    return {names.get(key, key): value for key, value in asdict(record).items()}


def _file(one: FileChange) -> dict[str, Any]:
    return {
        "path": shown(one.path, MAX_PATH),
        "change": one.change.value,
        "aspects": list(one.aspects),
        "difference_bytes": one.difference_bytes,
        "same_content_as": shown(one.twin, MAX_PATH) if one.twin else None,
        "from": _entry(one.before),
        "to": _entry(one.after),
    }


def _entry(entry: FileEntry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {
        "kind": entry.kind.value,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "size_bytes": entry.size_bytes,
        "link": link(entry) if entry.link else None,
        "sha256": digest(entry) if entry.kind is Kind.FILE else None,
        "layer": entry.layer,
    }
