"""What one archive may demand of time and disk: a few kilobytes can claim to be any size."""

from __future__ import annotations

import time

from tasks.core.untrusted import Malformed

#: What all files of one archive may unpack to.
MAX_UNPACKED_BYTES = 64 * 2**30
#: How many times its size an archive may unpack to; this much it may in any case. Programs and
#: texts unpack to 2 to 5 times their size, gigabytes of zeros to 1000 times.
MAX_RATIO = 100
ANY_RATIO_BYTES = 2 * 2**30
MAX_SECONDS = 1200.0


class Allowance:
    """What one archive may still demand: each step says how many bytes it took."""

    def __init__(self) -> None:
        self._stored_bytes = self._unpacked_bytes = 0
        self._until = time.monotonic() + MAX_SECONDS

    def claim(self, size_bytes: int) -> None:
        """It says that it is so large. Raises Malformed when that is too much, read or not."""
        if size_bytes > MAX_UNPACKED_BYTES:
            raise Malformed(f"the archive unpacks to more than {MAX_UNPACKED_BYTES} bytes")

    def store(self, size_bytes: int) -> None:
        """So much was read. Raises Malformed when it is too much."""
        self._stored_bytes += size_bytes
        self._check()

    def unpack(self, size_bytes: int) -> None:
        """So much came out of what was read. Raises Malformed when it is out of proportion."""
        self._unpacked_bytes += size_bytes
        self._check()

    def stop(self) -> None:
        """Nothing more is allowed: whoever still reads ends at the next piece."""
        self._until = float("-inf")

    def _check(self) -> None:
        self.claim(max(self._stored_bytes, self._unpacked_bytes))
        if self._unpacked_bytes > ANY_RATIO_BYTES + MAX_RATIO * self._stored_bytes:
            raise Malformed(f"the archive unpacks to more than {MAX_RATIO} times its size")
        if time.monotonic() > self._until:
            raise Malformed(f"reading it takes more than {MAX_SECONDS:g} seconds")
