"""JSON that may be large -> the few values that matter, piece by piece and in little memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from tasks.core import untrusted
from tasks.core.untrusted import Malformed

#: What one text or number, and one value that is kept, may take up.
MAX_TOKEN_BYTES = 2**20
MAX_KEPT_BYTES = 2**20
MAX_DEPTH = 200
#: Stands in a path for every element of an array.
EACH = "*"
#: Keys from the outermost to the value.
Path = tuple[str, ...]
_TOKEN = re.compile(
    rb"[ \t\r\n]*+(?:([{}\[\],:])"
    rb'|("(?:[^"\\\x00-\x1f]++|\\.)*+")'
    rb"|(true|false|null|-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][-+]?\d++)?+)(?=[ \t\r\n\]},]))",
    re.DOTALL,
)
#: What may come next.
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _COMMA_OR_END, _NOTHING = range(7)
_BEGINS = {b"{": _KEY_OR_END, b"[": _VALUE_OR_END}
_ENDS = {b"}": b"{", b"]": b"["}


class Scanner:
    """Takes a document piece by piece; it need not be in memory as a whole.

    ``kept`` are the paths whose values are wanted. ``counted`` are paths of texts and numbers, and
    which of them, as they are written, to count.
    """

    def __init__(
        self, kept: Collection[Path], counted: Mapping[Path, Callable[[bytes], bool]]
    ) -> None:
        self._kept_paths, self._counted = frozenset(kept), counted
        self._deepest = max(map(len, (*kept, *counted)))
        self._rest = b""
        self._expected = _VALUE
        self._open: list[bytes] = []
        self._path: list[str] = []
        self._taking: list[bytes] | None = None
        self._taking_depth = self._taken_bytes = 0
        self.kept: dict[Path, Any] = {}
        self.counts: dict[Path, int] = dict.fromkeys(counted, 0)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes. Raises Malformed for what is no JSON or demands too much."""
        self._scan(self._rest + piece)
        if len(self._rest) > MAX_TOKEN_BYTES:
            raise Malformed(f"it is not JSON, or has a text of more than {MAX_TOKEN_BYTES} bytes")

    def close(self) -> None:
        """The document is over. Raises Malformed if it is not whole."""
        self._scan(self._rest + b" ")  # a number ends where something else begins
        if self._rest.strip(b" \t\r\n") or self._expected != _NOTHING:
            raise Malformed("it is not JSON, or ends early")

    def _scan(self, text: bytes) -> None:
        at = 0
        while found := _TOKEN.match(text, at):
            at = found.end()
            self._token(found[1] or b"", found[2] or found[3] or b"")
        self._rest = text[at:]

    def _token(self, mark: bytes, scalar: bytes) -> None:
        """One token: a ``mark``, or else a ``scalar``: a text, number or word."""
        if scalar and self._expected in (_KEY, _KEY_OR_END) and scalar[:1] == b'"':
            self._path[-1] = untrusted.parse(scalar, "a key") if self._near() else ""
            self._expected = _COLON
        elif scalar and self._expected in (_VALUE, _VALUE_OR_END):
            self._begin()
            self._count(scalar)
            self._take(scalar)
            self._end()
            return
        elif mark in _BEGINS and self._expected in (_VALUE, _VALUE_OR_END):
            self._begin()
            self._open.append(mark)
            self._path.append(EACH)
            if len(self._open) > MAX_DEPTH:
                raise Malformed(f"it is nested more than {MAX_DEPTH} deep")
            self._expected = _BEGINS[mark]
        elif mark in _ENDS and self._may_end(mark):
            self._open.pop()
            self._path.pop()
            self._take(mark)
            self._end()
            return
        elif mark == b":" and self._expected == _COLON:
            self._expected = _VALUE
        elif mark == b"," and self._expected == _COMMA_OR_END:
            self._expected = _KEY if self._open[-1] == b"{" else _VALUE
        else:
            raise Malformed(f"it is not JSON at {(mark or scalar)[:20]!r}")
        self._take(mark or scalar)

    def _near(self) -> bool:
        """Whether paths of this depth matter at all."""
        return len(self._path) <= self._deepest

    def _may_end(self, mark: bytes) -> bool:
        empty = {b"}": _KEY_OR_END, b"]": _VALUE_OR_END}[mark]
        inside = bool(self._open) and self._open[-1] == _ENDS[mark]
        return inside and self._expected in (empty, _COMMA_OR_END)

    def _begin(self) -> None:
        """A value begins: keep it from here if it is wanted."""
        if self._taking is None and self._near() and tuple(self._path) in self._kept_paths:
            if tuple(self._path) in self.kept:
                raise Malformed(f"it has {self._path[-1]} twice")
            self._taking, self._taking_depth, self._taken_bytes = [], len(self._open), 0

    def _end(self) -> None:
        """A value is over."""
        self._expected = _COMMA_OR_END if self._open else _NOTHING
        if self._taking is not None and len(self._open) == self._taking_depth:
            text, self._taking = b"".join(self._taking), None
            self.kept[tuple(self._path)] = untrusted.parse(text, self._path[-1])

    def _take(self, token: bytes) -> None:
        if self._taking is not None:
            self._taking.append(token)
            self._taken_bytes += len(token)
            if self._taken_bytes > MAX_KEPT_BYTES:
                raise Malformed(f"its {self._path[0]} has more than {MAX_KEPT_BYTES} bytes")

    def _count(self, scalar: bytes) -> None:
        if self._near():
            counts = self._counted.get(tuple(self._path))
            if counts and counts(scalar):
                self.counts[tuple(self._path)] += 1
