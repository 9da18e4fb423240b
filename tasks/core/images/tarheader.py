"""The headers of a tar stream -> records: ustar, GNU and pax, taken as the engine takes them.

What is no header is an error and never the end: whatever lies behind it would go unseen.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from zlib import adler32

from tasks.core.untrusted import Malformed

BLOCK_BYTES = 512
MAX_EXTENSION_BYTES = 2**20
MAX_PATH_BYTES = 4096
MAX_PIECES = 100_000
PAX_TYPES = (b"x", b"X")
PAX_GLOBAL = b"g"
LONG_NAME, LONG_LINK = b"L", b"K"
GNU_SPARSE = b"S"
CAPABILITY = b"SCHILY.xattr.security.capability"

#: name, mode, uid, gid, size, modified, checksum, type, link, magic, prefix.
_FIELDS = struct.Struct("100s8s8s8s12s12s8s1s100s6s82x155s12x").unpack
_DIGITS = re.compile(rb"[0-9]{1,19}")

#: Gives exactly so many bytes, or raises Malformed.
Exactly = Callable[[int], bytes]
#: The pieces of a sparse file that are stored: (offset, length) in bytes, in their order.
Pieces = tuple[tuple[int, int], ...]


class Header(NamedTuple):
    """One member. Names are bytes as they stand there.

    ``stored_bytes`` is what follows in the stream, ``size_bytes`` how large the file is; they
    differ for a sparse one, whose ``pieces`` say where what is stored belongs.
    """

    name: bytes
    link: bytes
    type: bytes
    mode: int
    uid: int
    gid: int
    stored_bytes: int
    size_bytes: int
    pieces: Pieces | None = None
    has_capabilities: bool = False
    #: Seconds since 1970; 0 where the header says nothing that can be understood.
    modified: int = 0


def basic(block: bytes) -> Header:
    """The header in ``block`` by itself. Raises Malformed for anything else."""
    if len(block) != BLOCK_BYTES:
        raise Malformed("it ends within a header")
    name, mode, uid, gid, size, modified, check, kind, link, magic, prefix = _FIELDS(block)
    if _number(check) != 256 + _sum(block) - sum(check):
        raise Malformed("a header whose checksum is wrong")
    name = _text(name)
    prefix = _text(prefix) if magic == b"ustar\0" else b""
    stored_bytes = _number(size)
    if kind == b"\0":
        kind = b"5" if name.endswith(b"/") else b"0"
    return Header(
        name=prefix + b"/" + name if prefix else name,
        link=_text(link),
        type=kind,
        mode=_number(mode) & 0o7777,
        uid=_number(uid),
        gid=_number(gid),
        stored_bytes=stored_bytes,
        size_bytes=stored_bytes,
        modified=_date(modified),
    )


def records(content: bytes) -> dict[bytes, bytes]:
    """The pax records ``content``: later ones win. GNU's sparse pairs become one list."""
    found: dict[bytes, bytes] = {}
    pairs: list[bytes] = []
    at = 0
    while at < len(content):
        length, space, _ = content[at : at + 20].partition(b" ")
        if not space or not _DIGITS.fullmatch(length) or int(length) <= len(length) + 2:
            raise Malformed("a pax record without its length")
        record = content[at + len(length) + 1 : at + int(length)]
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not equals or not record.endswith(b"\n") or at + int(length) > len(content):
            raise Malformed("a pax record that does not end where it says")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            pairs.append(value)
        found[key] = value
        at += int(length)
    if pairs:
        found[b"GNU.sparse.map"] = b",".join(pairs)
    return found


def extended(header: Header, pax: Mapping[bytes, bytes], exactly: Exactly) -> Header:
    """``header`` with what its pax records change; reads a sparse file's map, if it has one."""
    size = _decimal(pax, b"size", header.size_bytes)
    changed = header._replace(
        name=pax.get(b"path") or header.name,
        link=pax.get(b"linkpath") or header.link,
        uid=_decimal(pax, b"uid", header.uid),
        gid=_decimal(pax, b"gid", header.gid),
        stored_bytes=size,
        size_bytes=size,
        has_capabilities=CAPABILITY in pax,
    )
    version = (pax.get(b"GNU.sparse.major", b""), pax.get(b"GNU.sparse.minor", b""))
    if version == (b"1", b"0"):
        return _map_in_content(changed, pax, exactly)
    if version in ((b"", b""), (b"0", b"0"), (b"0", b"1")) and b"GNU.sparse.map" in pax:
        words = pax[b"GNU.sparse.map"].split(b",")
        return _sparse(changed, pax, _numbers(words), size)
    return changed


def old_sparse(header: Header, block: bytes, exactly: Exactly) -> Header:
    """The sparse file of GNU's own format: its map is in the header and in blocks behind it."""
    fields = [block[at : at + 12] for at in range(386, 482, 12)]
    more = block[482]
    while more:
        extension = exactly(BLOCK_BYTES)
        fields += [extension[at : at + 12] for at in range(0, 504, 12)]
        more = extension[504]
        if len(fields) > MAX_PIECES:
            raise Malformed("a sparse file of too many pieces")
    while len(fields) >= 2 and not fields[-2].strip(b"\0 "):
        del fields[-2:]
    real = {b"GNU.sparse.size": b"%d" % _number(block[483:495])}
    return _sparse(header, real, [_number(field) for field in fields], header.stored_bytes)


def _map_in_content(header: Header, pax: Mapping[bytes, bytes], exactly: Exactly) -> Header:
    """pax sparse 1.0: the map is text at the start of the content, filled up to a block."""
    content, lines, wanted = b"", [b""], 1
    while len(lines) <= wanted:
        if len(content) >= min(header.stored_bytes, 24 * MAX_PIECES):
            raise Malformed("a sparse file without a map")
        content += exactly(BLOCK_BYTES)
        lines = content.split(b"\n")
        if len(lines) > 1:
            wanted = 1 + 2 * _numbers(lines[:1])[0]
    stored = header.stored_bytes - len(content)
    return _sparse(header, pax, _numbers(lines[1:wanted]), stored)


def _sparse(
    header: Header, pax: Mapping[bytes, bytes], numbers: Sequence[int], stored_bytes: int
) -> Header:
    pieces = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    real = _decimal(pax, b"GNU.sparse.realsize", _decimal(pax, b"GNU.sparse.size", 0))
    at = 0
    for offset, length in pieces:
        if offset < at or offset + length > real:
            raise Malformed("a sparse file whose pieces do not fit")
        at = offset + length
    if len(numbers) % 2 or sum(length for _, length in pieces) != stored_bytes:
        raise Malformed("a sparse file whose map does not match its content")
    name = pax.get(b"GNU.sparse.name") or header.name
    return header._replace(name=name, stored_bytes=stored_bytes, size_bytes=real, pieces=pieces)


def _sum(block: bytes) -> int:
    """The sum of 512 bytes, which `sum` takes as long for as all else here.

    The lower half of Adler-32 (RFC 1950) is 1 + the sum, modulo 65521: 256 bytes stay below that.
    """
    half = BLOCK_BYTES // 2
    return (adler32(block[:half]) & 0xFFFF) + (adler32(block[half:]) & 0xFFFF) - 2


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _date(field: bytes) -> int:
    """Dates before 1970 are numbers below 0, which nothing else here may be."""
    try:
        return _number(field)
    except Malformed:
        return 0


def _number(field: bytes) -> int:
    """A number in octal, or in base 256 where the first bit is set."""
    digits = field.strip(b" \0")
    if digits.isdigit():
        try:
            return int(digits, 8)
        except ValueError:
            raise Malformed("a header with a number that is none") from None
    if not digits:
        return 0
    if not field[0] & 0x80:
        raise Malformed("a header with a number that is none")
    value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
    if field[0] & 0x40 or value >= 2**63:
        raise Malformed("a header with a number out of range")
    return value


def _decimal(pax: Mapping[bytes, bytes], key: bytes, otherwise: int) -> int:
    return _numbers([pax[key]])[0] if pax.get(key) else otherwise


def _numbers(words: Sequence[bytes]) -> list[int]:
    if len(words) > 2 * MAX_PIECES or not all(_DIGITS.fullmatch(word) for word in words):
        raise Malformed("a pax record with a number that is none")
    return [int(word) for word in words]
