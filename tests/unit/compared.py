"""Two images made of layers, compared and told."""

from __future__ import annotations

from typing import Any

from tasks.core.comparing import images
from tasks.core.comparing.images import Comparison
from tasks.core.comparing.pairs import Compared
from tasks.core.comparing.places import Place
from tasks.core.render import comparison
from tests.unit import layers

PLACES = (Place("old", "app:1"), Place("new", "app:2"))


def compare(
    before: list[bytes],
    after: list[bytes],
    told: dict[str, Any] | None = None,
    told_after: dict[str, Any] | None = None,
) -> Comparison:
    one, other = (
        layers.image(*stack, inspectors=images.INSPECTORS, **(changes or {}))
        for stack, changes in ((before, told), (after, told_after))
    )
    return images.compare(one, other, ("hunter2hunter2",))


def settings(**values: Any) -> dict[str, Any]:
    return {"config": values}


def rendered(found: Comparison, format_: str = "text", limit: int = 20) -> str:
    return comparison.render(Compared(*PLACES, (found,)), format_, limit)
