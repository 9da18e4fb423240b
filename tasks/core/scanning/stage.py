"""The stage of the Dockerfiles that scans, and what its failures mean."""

from __future__ import annotations

import re

from tasks.core.errors import OutOfReach
from tasks.core.journal.history import Failure

NAME = "scan-on"
#: How `scan.sh` says that it could not scan, which is nobody's vulnerability.
UNABLE = (33, 34)
_AT = re.compile(rf"^\[[^\]]*\b{NAME} \d+/\d+\]")
_CODE = re.compile(r"exit code: (\d+)")


def unable(failure: Failure, line: str) -> OutOfReach | None:
    """``line`` as the error that it is if the gate could not scan; None for any other failure."""
    code = _CODE.search(failure.reason)
    if code is None or int(code[1]) not in UNABLE or not _AT.search(failure.step):
        return None
    told = line.replace("the build failed", "the gate could not scan", 1)
    return OutOfReach(f"{told}; or build without it: SCAN_GATE=off")
