"""Regular expressions and variables as Go has them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import OutOfReach
from tasks.core.structure import patterns
from tasks.core.untrusted import Malformed


class TestExpand:
    """As Go's os.Expand gives it."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("$A/${B}c$", "1/2c$"),
            ("$AB$none-", "-"),
            ("${A", "A"),
            ("${}x", "x"),
            ("a$ b", "a$ b"),
            ("$$A", "dollarA"),
            ("$1a", "a"),
            ("$-A", "A"),
            ("${A B}", ""),
            ("\\$A", "\\1"),
            ("$é", "$é"),
        ],
    )
    def test_names(self, text: str, expected: str) -> None:
        assert patterns.expand(text, {"A": "1", "B": "2", "$": "dollar"}) == expected


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "text", "expected"),
        [
            ("a$", b"a\n", False),
            (r"a\z", b"a", True),
            ("(?m)^b$", b"a\nb\n", True),
            (r"\d", "٣".encode(), False),
            (r"\pN", "٣".encode(), True),
            (r"\Qa.b\E", b"axb", False),
            ("[[:upper:]]", b"a", False),
            ("(?U)a+", b"aa", True),
            ("^.$", b"\xff", True),
            ("^..$", b"\xe2\x82", True),
            ("", b"", True),
        ],
    )
    def test_as_in_go(self, pattern: str, text: bytes, expected: bool) -> None:
        assert patterns.found(pattern, patterns.readable(text)) is expected

    def test_a_text_made_to_take_for_ever(self) -> None:
        assert not patterns.found("(a|a)*b", b"a" * 1_000_000)
        assert not patterns.found(".*x.*y", b"x" * 1_000_000)

    @given(st.text(alphabet="ab(|)*+?[]^$\\.{}1,QEzC<>:=!P", max_size=12), st.binary(max_size=20))
    @settings(max_examples=300, deadline=None)
    def test_any_pattern_is_taken_or_refused(self, pattern: str, text: bytes) -> None:
        try:
            patterns.check(pattern)
        except Malformed:
            return
        assert patterns.found(pattern, patterns.readable(text)) in (True, False)


def test_without_the_library_the_mend_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(OutOfReach, match="google-re2, which is not installed"):
        patterns.check("never seen before")
