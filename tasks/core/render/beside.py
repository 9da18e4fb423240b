"""Sizes by service and variant, as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tasks.core.comparing.baseline import LOOKALIKES
from tasks.core.comparing.beside import Beside
from tasks.core.render import markdown, tables

FORMATS = ("text", "markdown", "json")
HEADERS = (
    *("service", "platform", "variant", "target", "compressed", "difference", "percent"),
    *("unpacked", "difference", "percent", "layers"),
)


def render(rows: Sequence[Beside], format_: str) -> str:
    """Every image with its sizes and how they differ from what it is measured against."""
    if format_ == "json":
        return tables.document({"images": [_image(row) for row in rows]})
    cells = [_row(row) for row in rows]
    if format_ == "markdown":
        made = markdown.table(HEADERS, [[markdown.code(cell or "-") for cell in r] for r in cells])
        return "\n\n".join([made, *_remarks(rows)])
    return "\n".join([tables.table(HEADERS, cells), *_remarks(rows)])


def _row(row: Beside) -> tuple[str | None, ...]:
    image, against = row.image, row.against
    compressed = _difference(
        row.compressed_difference_bytes, against.compressed_bytes if against else None
    )
    unpacked = _difference(
        row.unpacked_difference_bytes, against.unpacked_bytes if against else None
    )
    return (
        *(image.service, image.platform, image.variant, image.target),
        *(tables.mib(image.compressed_bytes), *compressed),
        *(tables.mib(image.unpacked_bytes), *unpacked),
        str(image.layers),
    )


def _difference(more: int | None, of_bytes: int | None) -> tuple[str | None, str | None]:
    if more is None or of_bytes is None:
        return None, None
    return tables.difference(more), tables.percent(more, of_bytes)


def _remarks(rows: Sequence[Beside]) -> Iterator[str]:
    names = sorted({row.against.name for row in rows if row.against})
    if names:
        yield f"Differences: against {', '.join(names)}, platform by platform."
    without = {row.image.service for row in rows} - {
        row.image.service for row in rows if row.against
    }
    if without:
        yield f"Nothing to measure against for: {', '.join(sorted(without))}."
    if any(row.image.compressed_bytes is None for row in rows):
        yield "Compressed: not known, this engine keeps layers unpacked."
    kinds = {row.image.lookalike_bases for row in rows}
    kinds |= {row.against.lookalike_bases for row in rows if row.against}
    if len(kinds) > 1:
        yield "Some stand on look-alike bases, some do not: their differences mislead."
    elif True in kinds:
        yield LOOKALIKES


def _image(row: Beside) -> dict[str, Any]:
    against, own = row.against, asdict(row.image)
    sizes = {key: value for key, value in own.items() if not key.endswith("reduction_percent")}
    return {
        **sizes,
        "against": asdict(against) if against else None,
        "compressed_difference_bytes": row.compressed_difference_bytes,
        "unpacked_difference_bytes": row.unpacked_difference_bytes,
    }
