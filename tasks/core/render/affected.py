"""Which targets are affected, as a table, as JSON for a workflow's matrix, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.core.affected.deciding import Affected
from tasks.core.affected.reasons import Reason
from tasks.core.bake.definitions import Definition
from tasks.core.render import tables

FORMATS = ("text", "json", "markdown")
MOST = 3


def render(found: Affected, chosen: Definition, form: str) -> str:
    """Those of the affected targets that are ``chosen``."""
    rows = {name: given for name, given in found.targets.items() if name in chosen.targets}
    if form == "json":
        return _json(found, chosen, rows)
    if not rows:
        return f"Nothing to build: no target changed since {found.base[:12]}."
    cells = [(name, chosen.targets[name].service, _told(given)) for name, given in rows.items()]
    return tables.table(("target", "service", "because of"), cells, markdown=form == "markdown")


def _json(found: Affected, chosen: Definition, rows: dict[str, tuple[Reason, ...]]) -> str:
    """``targets`` alone and ``include`` are what a matrix takes."""
    return tables.document(
        {
            "base": found.base,
            "targets": list(rows),
            "include": [
                {
                    "target": name,
                    "service": chosen.targets[name].service,
                    "variant": chosen.targets[name].variant,
                }
                for name in rows
            ],
            "reasons": {
                name: [{"kind": each.kind, "what": each.what} for each in given]
                for name, given in rows.items()
            },
            "removed": list(found.removed),
        }
    )


def _told(given: Sequence[Reason]) -> str:
    """The reasons by kind, of each the first ones and how many more there are."""
    kinds: dict[str, list[str]] = {}
    for each in given:
        kinds.setdefault(each.kind, []).append(each.what)
    return "; ".join(_listed(kind, whats) for kind, whats in kinds.items())


def _listed(kind: str, whats: Sequence[str]) -> str:
    more = len(whats) - MOST
    rest = f" and {more} more" if more > 0 else ""
    return f"{kind} {', '.join(whats[:MOST])}{rest}".rstrip()
