"""What a build for several platforms made, as tables or as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from tasks.core.bake.baking import Built
from tasks.core.bake.exporting import PlatformImage
from tasks.core.proofs import verdicts
from tasks.core.render import build, tables
from tasks.core.render import verdicts as verdict_table
from tasks.core.shipping.multiarch import Proven

FORMATS = ("text", "json")
HEADERS = ("target", "platform", "digest", "compressed", "seconds")


def render(proven: Proven, format_: str) -> str:
    """The verdicts, one row a platform and one for the index, then what was pushed."""
    if format_ == "json":
        return tables.document(
            {
                "targets": [_fields(built, proven.pushed) for built in proven.build.targets],
                "verdicts": [verdict.as_dict() for verdict in proven.verdicts],
                "summary": verdicts.summary(proven.verdicts),
                "seconds": round(proven.build.seconds, 3),
            }
        )
    rows = [row for built in proven.build.targets for row in _rows(built)]
    parts = [
        verdict_table.render(proven.verdicts, "text"),
        tables.table(HEADERS, rows),
        build.summary(proven.build),
        "Seconds: from the start of the build to the last step of the platform.",
    ]
    if proven.pushed:
        parts.append(f"Pushed and read back, the same digests: {', '.join(proven.pushed)}")
    return "\n".join(parts)


def _rows(built: Built) -> Iterator[list[str | None]]:
    for image in built.images:
        yield [
            built.target,
            image.platform,
            tables.short_digest(image.digest),
            tables.mib(image.compressed_bytes),
            tables.seconds(_seconds(built, image)),
        ]
    total = sum(image.compressed_bytes for image in built.images)
    yield [
        built.target,
        "index",
        tables.short_digest(built.digest),
        tables.mib(total),
        tables.seconds(built.seconds),
    ]


def _fields(built: Built, pushed: Collection[str]) -> dict[str, Any]:
    images = [
        {
            "platform": image.platform,
            "digest": image.digest,
            "compressed_bytes": image.compressed_bytes,
            "seconds": round(_seconds(built, image), 3),
        }
        for image in built.images
    ]
    return {
        "target": built.target,
        "digest": built.digest,
        "tags": list(built.tags),
        "pushed": [tag for tag in built.tags if tag in pushed],
        "seconds": round(built.seconds, 3),
        "images": images,
    }


def _seconds(built: Built, image: PlatformImage) -> float:
    """From the start of the build to the end of the platform's last step."""
    ended = (step.ended_seconds for step in built.steps if step.platform == image.platform)
    return max(ended, default=0.0)
