"""The one place that prints a result."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach


def emit(text: str, output: str | None = None) -> None:
    """Print ``text`` on standard output, or write it whole to the file ``output``."""
    if output is None:
        print(text, flush=True)  # noqa: T201 - this is the place
        return
    path = Path(output)
    try:
        write(path, text + "\n")
    except OSError as error:
        raise OutOfReach(f"--output {output}: cannot be written: {error.strerror}") from None
    process.note(f"written: {output}")


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
