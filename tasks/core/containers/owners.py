"""Which process started a container: once that has ended, nobody will remove it but the next run.

Only what ran here can be told: on this kernel since it booted, and where its ids mean the same.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tasks.core.provision import daemons

LABEL = "dev.slipway.owner"
_SPACE = Path("/proc/self/ns/pid")
#: Boot id, PID namespace, process id, start in clock ticks.
_OWNER = re.compile(r"([0-9a-f-]{36} [0-9]{1,20}) ([1-9][0-9]{0,8}) ([0-9]{1,20})")


def mine() -> str:
    """This process, for a label; "" where the system does not tell."""
    known = daemons.identity(os.getpid())
    space = _space()
    return f"{known.boot} {space} {known.pid} {known.started}" if known and space else ""


def is_gone(owner: str) -> bool:
    """Whether the process of that label ran here and has ended. In doubt it has not.

    A system may hide the processes of others, but not that their ids are taken.
    """
    told, here = _OWNER.fullmatch(owner), _OWNER.fullmatch(mine())
    if told is None or here is None or told[1] != here[1]:
        return False
    pid, started = int(told[2]), int(told[3])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's, and alive
    now = daemons.identity(pid)
    return now is not None and now.started != started


def _space() -> str:
    """What tells the PID namespace of this process from those of containers."""
    try:
        return str(_SPACE.stat().st_ino)
    except OSError:
        return ""
