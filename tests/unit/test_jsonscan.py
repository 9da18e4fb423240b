"""Large JSON in pieces: what is kept and counted, and what is refused."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.images import jsonscan
from tasks.core.images.jsonscan import Scanner
from tasks.core.untrusted import Malformed

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def scan(content: bytes, size_bytes: int = 1000) -> Scanner:
    scanner = Scanner(
        [("a",), ("b", "c")], {("b", "list", "*", "id"): lambda text: text != b'"root"'}
    )
    for start in range(0, len(content), size_bytes):
        scanner.feed(content[start : start + size_bytes])
    scanner.close()
    return scanner


@given(value=VALUES, other=VALUES, size_bytes=st.integers(1, 40), indent=st.sampled_from([None, 1]))
@settings(max_examples=100, deadline=None)
def test_the_same_as_json_whatever_the_pieces(
    value: Any, other: Any, size_bytes: int, indent: int | None
) -> None:
    document = {"x": other, "a": value, "b": {"y": [other], "c": value}, "z": {"a": 1}}
    found = scan(json.dumps(document, indent=indent).encode(), size_bytes)
    assert found.kept == {("a",): value, ("b", "c"): value}


def test_what_is_counted() -> None:
    ids = [{"id": "root"}, {"id": "1", "more": [{"id": "2"}]}, {"ID": "3"}, {"id": "4"}]
    document = {"b": {"list": ids}, "list": ids}
    assert scan(json.dumps(document).encode(), 7).counts == {("b", "list", "*", "id"): 2}


def test_keys_with_escapes_are_the_same_keys() -> None:
    assert scan(b'{"\\u0061": 1}').kept == {("a",): 1}


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b" ", b"{", b"}", b"[1", b"[1]]", b"{]", b'{"a"}', b'{"a":}', b'{"a":1,}', b"[1,]"),
        *(b"[1 2]", b'{"a" 1}', b"{1:2}", b"[,]", b"tru", b"01", b"1 1", b"'a'", b'"a\nb"', b"[1"),
        *(b'{"a":1,"a":2}', b"\xff", b"nul", b"-", b"[1.]", b"NaN", b'"a', b"[:]", b'{"a":1:2}'),
        *(b'{"a":"\xff"}', b'{"a":"\\x"}', b"[" * 10_000),
    ],
)
def test_what_is_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        scan(content, 3)


@pytest.mark.parametrize("content", [b'{"x":"' + b"a" * 2**22, b'{"a":[' + b'"abcdefgh",' * 2**18])
def test_memory_stays_bounded(content: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(Malformed, match="more than 1048576 bytes"):
        scan(content, 2**18)
    assert tracemalloc.get_traced_memory()[1] < 40 * jsonscan.MAX_KEPT_BYTES
    tracemalloc.stop()
