"""What a build for several platforms made, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.builds import Built
from tasks.core.multiarch import Proven
from tasks.core.render import build, tables
from tasks.core.render import verdicts as verdict_table

HEADERS = ("target", "platform", "digest", "compressed", "seconds")


def render(proven: Proven) -> str:
    """One row a platform and one for the index, the verdicts, then what was pushed."""
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
        ended = [s.ended_seconds for s in built.steps if s.platform == image.platform]
        yield [
            built.target,
            image.platform,
            tables.short_digest(image.digest),
            tables.mib(image.compressed_bytes),
            tables.seconds(max(ended, default=0.0)),
        ]
    total = sum(image.compressed_bytes for image in built.images)
    yield [
        built.target,
        "index",
        tables.short_digest(built.digest),
        tables.mib(total),
        tables.seconds(built.seconds),
    ]
