"""Run a program without its output; print its seconds, and the bytes of memory it had at most.

Small on purpose, and without any import of ours: see ``layers``.
"""

from __future__ import annotations

import os
import sys
import time


def main(argv: list[str]) -> int:
    """Run ``argv``, whose first word is a path; returns the program's exit code."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    began = time.monotonic()
    started = os.posix_spawn(argv[0], argv, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(started, 0)
    sys.stdout.write(f"{time.monotonic() - began} {usage.ru_maxrss * 1024}\n")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
