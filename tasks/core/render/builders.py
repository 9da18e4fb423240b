"""Builders and their nodes as a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tasks.core.machines.builders import Builder
from tasks.core.machines.probing import Node
from tasks.core.render import tables
from tasks.core.secrecy import masking

HEADERS = (
    *("builder", "driver", "node", "endpoint", "status"),
    *("native", "also runs", "BuildKit", "cache"),
)


def as_text(builders: Sequence[Builder], used: str) -> str:
    """A row for each node; the builder in use has a star, platforms given to a node have one too.

    Platforms in brackets run on the processor or under emulation: buildx does not tell.
    """
    rows = [
        _row(f"{builder.name}*" if builder.name == used else builder.name, builder, node)
        for builder in builders
        for node in builder.nodes
    ]
    return tables.table(HEADERS, rows)


def as_json(builders: Sequence[Builder], used: str) -> str:
    """The same as JSON."""
    described = [
        {
            "name": builder.name,
            "driver": builder.driver,
            "used": builder.name == used,
            "loads_images": builder.loads_images,
            "nodes": [_described(node) for node in builder.nodes],
        }
        for builder in builders
    ]
    return tables.document({"builders": described})


def _row(name: str, builder: Builder, node: Node) -> tuple[str | None, ...]:
    status = "reachable" if node.reachable else "down"
    return (
        name,
        builder.driver,
        node.name,
        masking.hide(node.endpoint),
        f"{status}: {node.reason}" if node.reason else status,
        _starred(node, node.native) or None,
        _others(node) or None,
        node.buildkit or None,
        tables.mib(node.cache_bytes),
    )


def _others(node: Node) -> str:
    listed = [name for name in node.platforms if name != node.native]
    words = {"emulated": "{} emulated", "unknown": "({})"}
    return ", ".join(words[node.how(name)].format(_starred(node, name)) for name in listed)


def _starred(node: Node, platform: str) -> str:
    return f"{platform}*" if platform and platform in node.preferred else platform


def _described(node: Node) -> dict[str, Any]:
    ran = [
        {"platform": name, "how": node.how(name), "preferred": name in node.preferred}
        for name in node.platforms
    ]
    return {**asdict(node), "endpoint": masking.hide(node.endpoint), "platforms": ran}
