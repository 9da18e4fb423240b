"""A bbolt file with nested buckets, as trivy's database is one: just enough of the format to write.

The format is that of go.etcd.io/bbolt, version 2: pages with a header of 16 bytes; two meta pages,
the free list, and the root's leaf page. Every nested bucket is written inline, within the value of
its entry, which bbolt itself does for small ones; so there is one leaf page, with overflow pages.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TypeAlias

Bucket: TypeAlias = Mapping[str, "Bucket | bytes"]

PAGE_BYTES = 4096
_LEAF, _META, _FREELIST = 0x02, 0x04, 0x10
_MAGIC, _VERSION = 0xED0CDAED, 2
_NESTED = 0x01
_HEADER = struct.Struct("<QHHI")  # id, flags, count, overflow
_ENTRY = struct.Struct("<IIII")  # flags, offset from here, key bytes, value bytes
_BUCKET = struct.Struct("<QQ")  # root page (0: inline), sequence
_ROOT_PAGE, _FREELIST_PAGE = 3, 2


def database(root: Bucket) -> bytes:
    """The file that holds ``root``, the same for the same content."""
    leaf = _leaf(root)
    pages = -(-(_HEADER.size + len(leaf)) // PAGE_BYTES)
    parts = [
        *(_meta(number, _ROOT_PAGE + pages) for number in (0, 1)),
        _page(_FREELIST_PAGE, _FREELIST, 0, b""),
        _page(_ROOT_PAGE, _LEAF, len(root), leaf, pages),
    ]
    return b"".join(parts)


def _page(number: int, flags: int, count: int, content: bytes, pages: int = 1) -> bytes:
    header = _HEADER.pack(number, flags, count, pages - 1)
    return (header + content).ljust(pages * PAGE_BYTES, b"\0")


def _meta(number: int, pages: int) -> bytes:
    """A meta page; bbolt takes the valid one with the highest transaction."""
    content = struct.pack(
        "<IIIIQQQQQ",
        *(_MAGIC, _VERSION, PAGE_BYTES, 0),
        *(_ROOT_PAGE, 0, _FREELIST_PAGE, pages, number),
    )
    return _page(number, _META, 0, content + struct.pack("<Q", _fnv1a(content)))


def _leaf(bucket: Bucket) -> bytes:
    """The entries of a leaf page, in the order of their keys' bytes, then keys and values."""
    pairs = sorted((key.encode(), value) for key, value in bucket.items())
    entries, data = b"", b""
    for number, (key, value) in enumerate(pairs):
        content = value if isinstance(value, bytes) else _inline(value)
        offset = (len(pairs) - number) * _ENTRY.size + len(data)
        nested = 0 if isinstance(value, bytes) else _NESTED
        entries += _ENTRY.pack(nested, offset, len(key), len(content))
        data += key + content
    return entries + data


def _inline(bucket: Bucket) -> bytes:
    content = _leaf(bucket)
    return _BUCKET.pack(0, 0) + _HEADER.pack(0, _LEAF, len(bucket), 0) + content


def _fnv1a(content: bytes) -> int:
    """The 64-bit FNV-1a hash, the checksum of a meta page."""
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
