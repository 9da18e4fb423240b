"""Which task runs: what a record of a build calls it."""

from __future__ import annotations

from contextvars import ContextVar

#: "build.multistage"; "" outside of a task.
TASK: ContextVar[str] = ContextVar("task", default="")


def named(module: str, name: str) -> str:
    """What a task is called on the command line: `project`'s stand at the top."""
    verb = module.rpartition(".")[2]
    return name if verb == "project" else f"{verb}.{name}"
