"""An engine that answers: what `engine` finds, what `provision` brings up, what all others use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: The variable that buildx takes the name of its builder from.
BUILDER = "BUILDX_BUILDER"


@dataclass(frozen=True)
class Engine:
    """An engine that answers, and how to reach it.

    ``environment`` is laid over this process's for every docker, buildx and crane call; ``docker``
    is the CLI's path; ``registry`` is ``127.0.0.1:PORT`` beside the embedded engine; ``started``
    tells that this very call brought it up.
    """

    kind: Literal["system", "embedded"]
    host: str
    environment: Mapping[str, str]
    docker: str
    registry: str | None
    started: bool
    native_platform: str
