"""What happened to `bases.lock.json`, what it lacks, and what was mirrored, as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.core.pins.aging import Aged
from tasks.core.pins.lock import Pin
from tasks.core.pins.mirroring import Copy, Mirrored
from tasks.core.pins.renewing import Change
from tasks.core.render import tables

FORMATS = ("text", "json", "markdown")


def changes(rows: Sequence[Change], form: str) -> str:
    """The changes of the lock, one a row."""
    if form == "json":
        return tables.document({"bases": [_change(row) for row in rows]})
    return tables.table(
        ("base image", "change", "before", "now", "platforms"),
        [
            (row.reference, row.kind, shown(row.before), shown(row.after), _platforms(row.after))
            for row in rows
        ],
        markdown=form == "markdown",
    )


def aged(rows: Sequence[Aged], form: str) -> str:
    """How the bases stand, one a row."""
    if form == "json":
        return tables.document({"bases": [_aged(row) for row in rows]})
    return tables.table(
        ("base image", "status", "locked", "for", "current", "support ends", "days left"),
        [
            (
                row.reference,
                row.status,
                shown(row.locked),
                None if row.pinned_days is None else f"{row.pinned_days} days",
                shown(row.current),
                f"{row.end.day} ({row.end.product})" if row.end else None,
                row.days_left,
            )
            for row in rows
        ],
        markdown=form == "markdown",
    )


def mirrored(found: Mirrored, form: str) -> str:
    """What was copied where, and what `.env` has to say to build from it."""
    if form == "json":
        return tables.document(
            {
                "bases": [_copied(each) for each in found.copies],
                "env": dict(found.settings),
                "unset": list(found.unset),
            }
        )
    markdown = form == "markdown"
    rows = [
        (each.reference, _outcome(each), each.destination, tables.short_digest(each.digest) or None)
        for each in found.copies
    ]
    parts = [tables.table(("base image", "copy", "at", "digest"), rows, markdown=markdown)]
    if found.settings:
        lines = "\n".join(f"{name}={value}" for name, value in found.settings)
        block = f"```\n{lines}\n```" if markdown else lines
        parts.append(f"For .env where only the mirror is in reach:\n\n{block}")
    if found.unset:
        parts.append(f"No setting names {', '.join(found.unset)}: change it where it stands.")
    return "\n\n".join(parts)


def shown(pin: Pin | None) -> str | None:
    """A pin's digest as it is compared, and whether it is a look-alike's."""
    if pin is None:
        return None
    digest = tables.short_digest(pin.digest)
    return f"{digest} (look-alike)" if pin.lookalike else digest


def _platforms(pin: Pin | None) -> str | None:
    return ", ".join(pin.platforms) if pin else None


def _change(row: Change) -> dict[str, Any]:
    return {
        "reference": row.reference,
        "change": row.kind,
        "before": row.before.digest if row.before else None,
        "digest": row.after.digest if row.after else None,
        "platforms": list(row.after.platforms) if row.after else [],
        "lookalike": bool(row.after and row.after.lookalike),
    }


def _aged(row: Aged) -> dict[str, Any]:
    return {
        "reference": row.reference,
        "status": row.status,
        "locked": row.locked.digest if row.locked else None,
        "pinned": row.locked.pinned.isoformat() if row.locked else None,
        "current": row.current.digest if row.current else None,
        "lookalike": bool(row.current and row.current.lookalike),
        "support_ends": row.end.day.isoformat() if row.end else None,
        "support_of": row.end.product if row.end else None,
        "days_left": row.days_left,
        "reason": row.reason,
    }


def _outcome(copy: Copy) -> str:
    if copy.reason:
        return "failed"
    return "look-alike" if copy.lookalike else "whole"


def _copied(copy: Copy) -> dict[str, Any]:
    return {
        "reference": copy.reference,
        "destination": copy.destination,
        "digest": copy.digest,
        "lookalike": copy.lookalike,
        "reason": copy.reason,
    }
