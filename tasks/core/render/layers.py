"""Layers, waste and history as text, Markdown and JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tasks.core.images.archive import Image
from tasks.core.images.contents import shown
from tasks.core.layers import instructions
from tasks.core.layers.layerreport import LayerReport
from tasks.core.layers.waste import Loss
from tasks.core.render import markdown, tables

FORMATS = ("text", "json", "markdown")
LAYER_HEADERS = ("layer", "compressed", "unpacked", "files", "wasted", "instruction")
WASTE_HEADERS = ("wasted", "files", "path", "written by", "gone in")
FILE_HEADERS = ("size", "layer", "file")
HISTORY_HEADERS = ("layer", "compressed", "unpacked", "instruction")
#: Rows of a table of waste; JSON has all of them.
SHOWN = 10
WIDTH = 90
_SIZE = re.compile(r"[0-9.]+ (MiB|B)")


def render(reports: Sequence[LayerReport], format_: str) -> str:
    """Each image: its layers, its figures, the largest waste and the largest files."""
    if format_ == "json":
        return tables.document({"images": [_document(each) for each in reports]})
    return "\n\n".join(part for each in reports for part in _parts(each, format_))


def history(images: Sequence[tuple[str, Image]], format_: str) -> str:
    """Each image: its instructions in their order, and what each added; the sum is the image."""
    if format_ == "json":
        documents = [{**_named(name, image), "steps": _steps(image)} for name, image in images]
        return tables.document({"images": documents})
    parts = []
    for name, image in images:
        rows = [
            (
                step["layer"],
                tables.mib(step["compressed_bytes"]),
                tables.mib(step["unpacked_bytes"]),
                step["instruction"],
            )
            for step in _steps(image)
        ]
        total = (
            None,
            tables.mib(image.compressed_bytes),
            tables.mib(image.unpacked_bytes),
            "the image",
        )
        parts += [_title(name, image, format_), _table(HISTORY_HEADERS, [*rows, total], format_)]
    return "\n\n".join(parts)


def _parts(report: LayerReport, format_: str) -> list[str]:
    rows = [
        (
            row.layer,
            tables.mib(row.compressed_bytes),
            tables.mib(row.unpacked_bytes),
            row.files,
            tables.mib(row.wasted_bytes),
            row.instruction,
        )
        for row in report.rows
    ]
    files = [(tables.mib(f.size_bytes), f.layer, shown(f.path)) for f in report.waste.largest]
    parts = [
        _title(report.name, report.image, format_),
        _table(LAYER_HEADERS, rows, format_),
        _figures(report),
    ]
    losses = [loss for loss in report.waste.losses if loss.wasted_bytes]
    if losses:
        told = [row.instruction for row in report.rows]
        lines = [_loss(loss, told) for loss in losses[:SHOWN]]
        parts.append(_table(WASTE_HEADERS, lines, format_))
    if len(losses) > SHOWN:
        parts.append(f"… and {len(losses) - SHOWN} more: --format json")
    return [*parts, _table(FILE_HEADERS, files, format_)] if files else parts


def _figures(report: LayerReport) -> str:
    found, wasted = report.efficiency, report.waste
    percent = 100 * wasted.wasted_bytes / wasted.stored_bytes if wasted.stored_bytes else 0.0
    lost, stored = tables.mib(wasted.wasted_bytes), tables.mib(wasted.stored_bytes)
    return (
        f"True waste: {lost} of {stored} in files ({percent:.1f} %)\n"
        f"By dive's definition: efficiency {100 * found.score:.4f} %, "
        f"wasted {tables.mib(found.wasted_bytes)} ({found.wasted_bytes} bytes)"
    )


def _loss(loss: Loss, told: Sequence[str]) -> tuple[object, ...]:
    gone = None if loss.gone_in is None else _by(loss.gone_in, told)
    return (
        tables.mib(loss.wasted_bytes),
        loss.files,
        shown(loss.path, 80),
        _by(loss.layer, told),
        gone,
    )


def _by(layer: int, told: Sequence[str]) -> str:
    return f"{layer}: {_short(told[layer], 50)}"


def _table(headers: Sequence[str], rows: Sequence[Sequence[Any]], format_: str) -> str:
    """A table whose last column may be long; in Markdown nothing of it is markup."""
    if format_ == "markdown":
        cells = [[_cell(cell) for cell in row] for row in rows]
        return markdown.table(headers, cells)
    return tables.table(headers, [[*row[:-1], _short(row[-1], WIDTH)] for row in rows])


def _cell(value: object) -> str:
    if value is None or isinstance(value, int):
        return "-" if value is None else str(value)
    text = str(value)
    return text if _SIZE.fullmatch(text) else markdown.code(text)


def _short(value: object, limit: int) -> object:
    if not isinstance(value, str):
        return value
    return value if len(value) <= limit else f"{value[: limit - 1]}…"


def _title(name: str, image: Image, format_: str) -> str:
    title = f"{name}, {image.platform}, {tables.short_digest(image.digest)}"
    return f"### {markdown.code(title)}" if format_ == "markdown" else title


def _named(name: str, image: Image) -> dict[str, Any]:
    return {
        "name": name,
        "platform": image.platform,
        "digest": image.digest,
        "compressed_bytes": image.compressed_bytes,
        "unpacked_bytes": image.unpacked_bytes,
    }


def _document(report: LayerReport) -> dict[str, Any]:
    found, wasted = report.efficiency, report.waste
    return {
        **_named(report.name, report.image),
        "layers": [asdict(row) for row in report.rows],
        "dive": {
            "efficiency": found.score,
            "wasted_bytes": found.wasted_bytes,
            "size_bytes": found.size_bytes,
            "user_bytes": found.user_bytes,
            "wasted_user_percent": found.wasted_user_percent,
            "repeated": [
                {**asdict(each), "path": shown(each.path, 4096)} for each in found.repeated
            ],
        },
        "waste": {
            "stored_bytes": wasted.stored_bytes,
            "final_bytes": wasted.final_bytes,
            "wasted_bytes": wasted.wasted_bytes,
            "losses": [{**asdict(each), "path": shown(each.path, 4096)} for each in wasted.losses],
        },
        "largest": [{**asdict(each), "path": shown(each.path, 4096)} for each in wasted.largest],
    }


def _steps(image: Image) -> list[dict[str, Any]]:
    """The history's rows: what each adds to both sizes; the config is pulled, too."""
    rows: list[dict[str, Any]] = []
    for step in instructions.steps(image.config, len(image.layers)):
        layer = None if step.layer is None else image.layers[step.layer]
        rows.append(
            {
                "layer": step.layer,
                "instruction": step.instruction,
                "created": step.created,
                "digest": layer.digest if layer else None,
                "compressed_bytes": layer.compressed_bytes if layer else 0,
                "unpacked_bytes": layer.unpacked_bytes if layer else 0,
            }
        )
    if image.compressed_bytes is not None:
        pulled = sum(row["compressed_bytes"] for row in rows)
        rows.append(
            {
                "layer": None,
                "instruction": "(the image's configuration)",
                "created": "",
                "digest": image.config_digest,
                "compressed_bytes": image.compressed_bytes - pulled,
                "unpacked_bytes": 0,
            }
        )
    return rows
