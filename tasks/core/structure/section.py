"""Typed access to a mapping of a structure test's file: every complaint names its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.core import untrusted
from tasks.core.structure import document, patterns
from tasks.core.structure.config import Pair
from tasks.core.structure.document import Scalar, Sort, Value
from tasks.core.untrusted import Malformed

_PAIR = ("key", "value", "isRegex")
MAX_NUMBER = 2**31 - 1


@dataclass(frozen=True)
class Section:
    """A mapping at ``place``; ``folded``: the case of its keys does not matter, as in JSON."""

    values: Mapping[str, Value]
    place: str
    folded: bool

    def get(self, key: str) -> Value:
        """What stands there; None for nothing."""
        return self.values.get(self._name(key))

    def only(self, *known: str) -> Section:
        """Itself. Raises Malformed for a key that is not among ``known``."""
        names = {self._name(key) for key in known}
        for key in self.values:
            if key not in names:
                where = self.at(untrusted.shown(key, 60))
                raise Malformed(f"{where}: unknown key; known: {', '.join(known)}")
        return self

    def at(self, key: str) -> str:
        """The place of a key."""
        return f"{self.place}.{key}" if self.place else key

    def text(self, key: str, *, needed: bool = False) -> str:
        """A text, "" for none; numbers and flags count as they are written."""
        found = _text(self.get(key), self.at(key))
        if needed and not found:
            raise Malformed(f"{self.at(key)}: is missing or empty")
        return found

    def flag(self, key: str, otherwise: bool) -> bool:
        """A flag, ``otherwise`` where there is none."""
        value = self.get(key)
        if value is None:
            return otherwise
        if not isinstance(value, Scalar) or value.sort is not Sort.FLAG:
            raise _wrong(value, self.at(key), "true or false")
        return value.text.lower() in document.YES

    def number(self, key: str) -> int | None:
        """A whole number; None for none."""
        value = self.get(key)
        if value is None:
            return None
        number = _number(value) if isinstance(value, Scalar) else None
        if number is None or abs(number) > MAX_NUMBER:
            raise _wrong(value, self.at(key), "a whole number")
        return number

    def texts(self, key: str, *, filled: bool = False) -> tuple[str, ...]:
        """A list of texts, () for none; ``filled``: no text of it may be empty."""
        found = _texts(self._list(key), self.at(key))
        if filled and "" in found:
            raise Malformed(f"{self.at(key)}[{found.index('')}]: is empty")
        return found

    def regexes(self, key: str) -> tuple[str, ...]:
        """A list of regular expressions, each of them checked."""
        found = self.texts(key)
        for number, pattern in enumerate(found):
            _check(pattern, f"{self.at(key)}[{number}]")
        return found

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of commands, each a list of words."""
        found = []
        for number, value in enumerate(self._list(key)):
            place = f"{self.at(key)}[{number}]"
            if not isinstance(value, tuple) or not value:
                raise _wrong(value, place, "a command, a list of words")
            found.append(_texts(value, place))
        return tuple(found)

    def pairs(self, key: str, *, valued: bool = False) -> tuple[Pair, ...]:
        """A list of keys with their values; ``valued``: no value may be empty."""
        found = []
        for each in self.sections(key, *_PAIR):
            pair = Pair(
                each.text("key", needed=True),
                each.text("value", needed=valued),
                each.flag("isRegex", False),
            )
            if pair.is_regex:
                _check(pair.value, each.at("value"))
            found.append(pair)
        return tuple(found)

    def sections(self, key: str, *known: str) -> tuple[Section, ...]:
        """A list of mappings that may have the keys ``known``."""
        return tuple(
            of(value, f"{self.at(key)}[{number}]", self.folded).only(*known)
            for number, value in enumerate(self._list(key))
        )

    def section(self, key: str, *known: str) -> Section:
        """A mapping that may have the keys ``known``; an empty one for none."""
        value = self.get(key)
        return of({} if value is None else value, self.at(key), self.folded).only(*known)

    def _list(self, key: str) -> tuple[Value, ...]:
        value = self.get(key)
        if value is None:
            return ()
        if not isinstance(value, tuple):
            raise _wrong(value, self.at(key), "a list")
        return value

    def _name(self, key: str) -> str:
        return key.lower() if self.folded else key


def of(value: Value, place: str, folded: bool) -> Section:
    """The mapping ``value``. Raises Malformed for anything else."""
    if not isinstance(value, Mapping):
        raise _wrong(value, place, "a mapping")
    if not folded:
        return Section(value, place, folded)
    lowered = {name.lower(): each for name, each in value.items()}
    if len(lowered) < len(value):
        raise Malformed(f"{place or 'the file'}: a key is there twice")
    return Section(lowered, place, folded)


def _text(value: Value, place: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, Scalar):
        raise _wrong(value, place, "a text")
    return value.text


def _texts(values: tuple[Value, ...], place: str) -> tuple[str, ...]:
    if None in values:
        raise Malformed(f"{place}[{values.index(None)}]: is empty; for an empty text say ''")
    return tuple(_text(value, f"{place}[{number}]") for number, value in enumerate(values))


def _number(value: Scalar) -> int | None:
    """A number as YAML 1.1 writes it: 17, 0x11, 0b10001, 021 and 1_7 too."""
    if value.sort is not Sort.NUMBER or ":" in value.text:
        return None
    digits = value.text.replace("_", "").lstrip("+-")
    base = {"0x": 16, "0b": 2}.get(digits[:2], 8 if digits[:1] == "0" else 10)
    number = int(digits, base) if len(digits) <= 40 else MAX_NUMBER + 1
    return -number if value.text.startswith("-") else number


def _check(pattern: str, place: str) -> None:
    try:
        patterns.check(pattern)
    except Malformed as problem:
        raise Malformed(f"{place}: {problem}") from None


def _wrong(value: Value, place: str, expected: str) -> Malformed:
    said = untrusted.shown(repr(value.text), 80) if isinstance(value, Scalar) else "this"
    return Malformed(f"{place or 'the file'}: {said} is not {expected}")
