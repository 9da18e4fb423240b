"""Where and when figures arose, in one line."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from tasks.core import engine, process
from tasks.core.endpoint import Engine


def circumstances(root: Path, used: Engine) -> str:
    """The day, the commit of ``root``, and what the machine and the engine are."""
    details = engine.details(used)
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {_commit(root)}{details.native}, "
        f"{os.cpu_count()} processors, {gib:.0f} GiB of memory, engine {details.version}, "
        f"buildx {details.buildx}, {details.storage} image store."
    )


def _commit(root: Path) -> str:
    argv = ("git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=9", "--exclude=*")
    done = process.read(argv, check=False)
    return f"commit {done.stdout.strip()}, " if done.returncode == 0 else ""
