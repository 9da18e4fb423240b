"""What a build made, as a table."""

from __future__ import annotations

from tasks.core.bake.baking import Build
from tasks.core.render import tables


def render(build: Build) -> str:
    """One row a target, then one line on the whole call."""
    rows = [
        [
            "\n".join(built.tags) or built.target,
            tables.short_digest(built.digest),
            tables.seconds(built.seconds),
            f"{built.cached} of {len(built.steps)}",
        ]
        for built in build.targets
    ]
    table = tables.table(["image", "digest", "seconds", "steps cached"], rows)
    return f"{table}\n{summary(build)}"


def summary(build: Build) -> str:
    """How much of the whole call came from the cache; shared steps count once."""
    steps = build.steps
    cached = sum(step.cached for step in steps)
    took = tables.seconds(build.seconds)
    count = len(build.targets)
    made = f"{count} image{'' if count == 1 else 's'} in {took}"
    if not steps:
        return f"{made}: no steps."
    if cached == len(steps):
        return f"{made}: everything was cached ({cached} steps)."
    return f"{made}: {cached} of {len(steps)} steps were cached."
