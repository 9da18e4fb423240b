"""The one place that prints a result."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach, UsageError


def emit(text: str, output: str | None = None) -> None:
    """Print ``text`` on standard output, or write it whole to the file ``output``.

    A reader that has gone away (``| head``) is no failure: what was proven still decides the exit
    code. Raises UsageError for a folder, OutOfReach for a file that cannot be written.
    """
    if output is None or output == "-":
        _print(text)
        return
    check(output)
    path = Path(output)
    try:
        if path.exists() and not path.is_file():
            path.write_text(text + "\n", encoding="utf-8")  # a device or a pipe is never replaced
        else:
            write(path.resolve(), text + "\n")
    except OSError as error:
        raise OutOfReach(f"--output {output}: cannot be written: {error.strerror}") from None
    process.note(f"written: {output}")


def check(output: str) -> None:
    """Whether ``output`` can be written: before the work that is to be written.

    Raises UsageError for a folder or a name without one, OutOfReach without the permission.
    """
    if output == "-":
        return
    path = Path(output)
    if not output or path.is_dir():
        raise UsageError(f"--output {output!r}: expected the name of a file")
    if not path.parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {path.parent}")
    replaced = path.is_file() or not path.exists()
    if not os.access(path.resolve().parent if replaced else path, os.W_OK):
        raise OutOfReach(f"--output {output}: cannot be written: no permission")


def _print(text: str) -> None:
    try:
        print(text, flush=True)  # noqa: T201 - this is the place
    except BrokenPipeError:
        process.to_nobody(sys.stdout)


def write(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write a file so that a reader, or a crash, never sees half of it.

    Its mode is kept if none is given; a new file's is 0644 then.
    """
    if mode is None:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
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
