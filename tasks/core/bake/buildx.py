"""Options -> argv for ``docker buildx``: pure functions, run by somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

#: The bake definition that arrives on standard input; see ``overlay``.
STDIN = "-"


def list_targets(docker: str, files: Sequence[str]) -> tuple[str, ...]:
    """List the names of all targets and groups as JSON."""
    return (docker, "buildx", "bake", *_files(files), "--list=type=targets,format=json")


def print_definition(docker: str, files: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Resolve targets or groups without building them, as JSON."""
    return (docker, "buildx", "bake", *_files(files), "--print", *names)


def bake(
    docker: str,
    files: Sequence[str],
    names: Sequence[str],
    *,
    metadata_file: Path,
    readable: Sequence[str] = (),
    writable: Sequence[str] = (),
    no_cache: bool = False,
    to: Literal["load", "push"] | None = "load",
) -> tuple[str, ...]:
    """Build ``names`` with the overlay from standard input.

    ``readable`` and ``writable`` are the paths outside the project that secrets come from and
    layouts go to: bake asks for leave. ``to`` is None for layouts, which the overlay names.
    """
    return (
        docker,
        "buildx",
        "bake",
        *_files((*files, STDIN)),
        *(f"--allow=fs.read={path}" for path in readable),
        *(f"--allow=fs.write={path}" for path in writable),
        "--metadata-file",
        str(metadata_file),
        *(("--no-cache",) if no_cache else ()),
        *((f"--{to}",) if to else ()),
        *names,
    )


def check(
    docker: str, files: Sequence[str], names: Sequence[str], *, readable: Sequence[str] = ()
) -> tuple[str, ...]:
    """Check the Dockerfiles of ``names`` without building, with the overlay from standard input."""
    allowed = (f"--allow=fs.read={path}" for path in readable)
    bake_ = (docker, "buildx", "bake", *_files((*files, STDIN)), *allowed)
    return (*bake_, "--progress=quiet", "--call=check,format=json", *names)


def history_list(docker: str) -> tuple[str, ...]:
    """List what BuildKit remembers of past builds, one JSON object a line, newest first."""
    return (docker, "buildx", "history", "ls", "--format", "json")


def history_inspect(docker: str, ref: str) -> tuple[str, ...]:
    """One past build as JSON: its error, durations, counts."""
    return (docker, "buildx", "history", "inspect", "--format", "json", ref)


def history_logs(docker: str, ref: str) -> tuple[str, ...]:
    """One past build's whole graph as JSON lines (printed on stderr)."""
    return (docker, "buildx", "history", "logs", "--progress=rawjson", ref)


def builder_inspect(docker: str, name: str) -> tuple[str, ...]:
    """A builder's nodes as text; buildx gives no JSON of one builder."""
    return (docker, "buildx", "inspect", name)


def builder_start(docker: str, name: str) -> tuple[str, ...]:
    """Start BuildKit on every node of a builder."""
    return (docker, "buildx", "inspect", "--bootstrap", name)


def builder_remove(docker: str, name: str) -> tuple[str, ...]:
    """Remove a builder with the containers that buildx made for it; engines and contexts stay."""
    return (docker, "buildx", "rm", "--force", name)


def disk_usage(docker: str, name: str) -> tuple[str, ...]:
    """A builder's cache; the last line is its size."""
    return (docker, "buildx", "du", "--builder", name)


def _files(files: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for name in files for word in ("--file", name))
