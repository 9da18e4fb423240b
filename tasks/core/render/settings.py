"""Every setting with its value, secrets masked, and where it came from."""

from __future__ import annotations

from tasks.core.render import tables
from tasks.core.settings import Settings, mask


def rows(settings: Settings) -> list[dict[str, str]]:
    """Name, value as it may be shown, and origin of each setting."""
    return [
        {"name": entry.name, "value": mask(entry.shown, settings), "origin": entry.origin}
        for entry in settings.entries.values()
    ]


def as_text(settings: Settings) -> str:
    """The settings as a table."""
    cells = [[row["name"], row["value"] or None, row["origin"]] for row in rows(settings)]
    return tables.table(["setting", "value", "from"], cells)


def as_json(settings: Settings) -> str:
    """The settings as a JSON document."""
    return tables.document({"settings": rows(settings)})
