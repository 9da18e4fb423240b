"""What is attached to an image, as a table or with the documents themselves."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.core.render import markdown, tables
from tasks.core.scanning.attached import Attached

FORMATS = ("text", "json", "markdown")
HEADERS = ("platform", "image", "SBOM", "provenance")


def render(reference: str, found: Sequence[Attached], format_: str) -> str:
    """The result as one of FORMATS; JSON has the documents whole."""
    if format_ == "json":
        platforms = [
            {
                "platform": each.platform,
                "digest": each.digest,
                "packages": each.packages,
                "materials": list(each.materials),
                "sbom": each.sbom or None,
                "provenance": each.provenance or None,
            }
            for each in found
        ]
        return tables.document({"image": reference, "platforms": platforms})
    rows = [
        (
            each.platform or "-",
            tables.short_digest(each.digest),
            f"{each.packages} packages" if each.sbom else "none",
            f"made from {len(each.materials)}" if each.provenance else "none",
        )
        for each in found
    ]
    if format_ == "markdown":
        return markdown.table(HEADERS, [[markdown.code(cell) for cell in row] for row in rows])
    return tables.table(HEADERS, rows)
