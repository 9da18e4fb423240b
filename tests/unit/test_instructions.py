"""Instructions as they stand in the Dockerfile, each with its layer."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.core.layers import instructions
from tasks.core.layers.instructions import UNKNOWN


@pytest.mark.parametrize(
    ("told", "plain"),
    [
        ("RUN /bin/sh -c npm ci # buildkit", "RUN npm ci"),
        ("COPY /app /app # buildkit", "COPY /app /app"),
        ('/bin/sh -c #(nop)  CMD ["node"]', 'CMD ["node"]'),
        ("/bin/sh -c apt-get   update", "RUN apt-get update"),
        ("|1 A=b /bin/sh -c echo $A", "RUN echo $A"),
        ("RUN |1 A=b /bin/sh -c echo $A # buildkit", "RUN |1 A=b /bin/sh -c echo $A"),
        ("ENV A=b", "ENV A=b"),
        ("RUN printf '\x1b[2J'\n", "RUN printf '\\x1b[2J'"),
    ],
)
def test_plain(told: str, plain: str) -> None:
    assert instructions.plain(told) == plain


def layers(history: Any, count: int) -> list[tuple[str, int | None]]:
    return [
        (each.instruction, each.layer) for each in instructions.steps({"history": history}, count)
    ]


def test_empty_instructions_have_no_layer() -> None:
    history = [
        {"created_by": "COPY a /"},
        {"created_by": "ENV A=b", "empty_layer": True},
        {"created_by": "COPY b /"},
    ]
    assert layers(history, 2) == [("COPY a /", 0), ("ENV A=b", None), ("COPY b /", 1)]
    assert instructions.by_layer({"history": history}, 2) == ("COPY a /", "COPY b /")


@pytest.mark.parametrize("history", [None, [], {}, "x", 7])
def test_no_history_is_owned_up_to(history: Any) -> None:
    assert layers(history, 2) == [(UNKNOWN, 0), (UNKNOWN, 1)]


def test_every_layer_is_there_once_whatever_the_history_claims() -> None:
    assert layers([{"created_by": 5}, "x", None], 2) == [
        (UNKNOWN, 0),
        (UNKNOWN, 1),
        (UNKNOWN, None),
    ]
    assert layers([{"created_by": "A"}], 2) == [("A", 0), (UNKNOWN, 1)]
