"""Look for secrets in content that goes by: in files, gzip files in them, and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.core.images import inflating
from tasks.core.images.entries import FileEntry
from tasks.core.secrecy import secretforms
from tasks.core.secrecy.secretforms import SHAPES, UNMISTAKABLE, Needle, Shape

#: What is kept of a piece, for a secret that lies across two of them.
OVERLAP_BYTES = 4096
MAX_UNPACKED_BYTES = 256 * 2**20
UNPACKED_AT_ONCE = 2**20
GZIP = b"\x1f\x8b\x08"


@dataclass(frozen=True, order=True)
class Hit:
    """A secret was found: its ``kind``, what it is called and in which form, never its value."""

    kind: str
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Hits:
    """What was found in one file; ``unread`` says why not all of it could be looked at."""

    hits: tuple[Hit, ...]
    unread: str = ""


VALUE = "value"


class SecretInspector:
    """Scans every file. ``secrets`` are values by name that must not be anywhere."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self._needles = secretforms.needles(secrets or {})

    @classmethod
    def of(cls, needles: Sequence[Needle]) -> SecretInspector:
        """An inspector for needles that were made already."""
        made = cls()
        made._needles = tuple(needles)
        return made

    def open(self, entry: FileEntry, head: bytes) -> _Scan | None:
        """A probe for every file that is not empty."""
        return self.probe(head)

    def probe(self, head: bytes) -> _Scan | None:
        """The same for a file that is known by its beginning alone."""
        return _Scan(self._needles, head[:3] == GZIP) if head else None

    def scan(self, text: str) -> tuple[Hit, ...]:
        """The secrets in a text."""
        return Content(self._needles).search(text.encode("utf-8", "surrogatepass"))


@dataclass
class Content:
    """One content, scanned piece by piece."""

    needles: Sequence[Needle]
    hits: set[Hit] = field(default_factory=set)
    tail: bytes = b""
    shapes: Sequence[Shape] | None = None

    def search(self, piece: bytes) -> tuple[Hit, ...]:
        """Take the next piece; returns what was found up to here."""
        if self.shapes is None:
            text = b"\0" not in piece[:8192] or piece[257:262] == b"ustar"  # archives are as text
            self.shapes = SHAPES if text else UNMISTAKABLE
        window = self.tail + piece
        for needle in self.needles:
            if needle.content in window:
                form = "" if needle.form == "plain" else f" ({needle.form})"
                self.hits.add(Hit(VALUE, f"the value of {needle.name}{form}"))
        for shape in self.shapes:
            if shape.anchor in window and shape.pattern.search(window):
                self.hits.add(Hit(shape.kind, f"a {shape.name}"))
        longest = max((len(needle.content) for needle in self.needles), default=0)
        self.tail = window[-max(OVERLAP_BYTES, longest) :]
        return tuple(sorted(self.hits))


class _Scan:
    """A file as it stands and, if it is gzip, what it unpacks to, within limits."""

    def __init__(self, needles: Sequence[Needle], packed: bool) -> None:
        self._stored = Content(needles)
        self._unpacked = Content(needles)
        self._packed = packed
        self._member = inflating.member()
        self._between = b""
        self._room_bytes = MAX_UNPACKED_BYTES
        self._unread = ""

    def feed(self, piece: bytes) -> bool:
        self._stored.search(piece)
        try:
            while self._packed and piece:
                piece = self._unpack(piece)
        except inflating.ERRORS:
            self._stop("its gzip data is damaged")
        return True

    def result(self) -> Hits | None:
        if self._packed and not self._member.eof:
            self._stop("its gzip data ends early")
        hits = self._stored.hits | self._unpacked.hits
        return Hits(tuple(sorted(hits)), self._unread) if hits or self._unread else None

    def _unpack(self, piece: bytes) -> bytes:
        """Unpack some of ``piece``; returns what is left of it."""
        if self._member.eof:
            return self._next_member(piece)
        if self._room_bytes <= 0:
            self._stop(f"it unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB")
            return b""
        content = self._member.decompress(piece, UNPACKED_AT_ONCE)
        self._room_bytes -= len(content)
        if content:
            self._unpacked.search(content)
        return self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def _next_member(self, piece: bytes) -> bytes:
        """Begin the next gzip member, if that is what comes behind the last one and its padding."""
        piece, self._between = (self._between + piece).lstrip(b"\0"), b""
        if len(piece) < len(GZIP):
            self._between = piece
            return b""
        self._packed = piece.startswith(GZIP)
        self._member = inflating.member()
        return piece

    def _stop(self, why: str) -> None:
        self._packed, self._unread = False, why
