"""YAML or JSON that somebody else wrote -> plain values, within limits; nothing is constructed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

from tasks.core import untrusted
from tasks.core.untrusted import Malformed

if TYPE_CHECKING:
    from invoke.vendor.yaml.nodes import MappingNode, Node, ScalarNode

MAX_BYTES = 256 * 2**10
#: With those that aliases repeat: a few lines can stand for billions.
MAX_VALUES = 20_000
MAX_DEPTH = 32


class Sort(StrEnum):
    """What a scalar is without being told."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it is written: where a text is wanted, ``yes`` is just that."""

    text: str
    sort: Sort


Value = None | Scalar | tuple["Value", ...] | Mapping[str, "Value"]

_TAG = "tag:yaml.org,2002:"
_SORTS = {
    f"{_TAG}str": Sort.TEXT,
    f"{_TAG}int": Sort.NUMBER,
    f"{_TAG}bool": Sort.FLAG,
    f"{_TAG}float": Sort.OTHER,
    f"{_TAG}timestamp": Sort.OTHER,
    f"{_TAG}value": Sort.TEXT,
    f"{_TAG}merge": Sort.TEXT,
}
#: YAML 1.1, as the real tool reads it: more words for true and false than are in use today.
YES = ("true", "yes", "on", "y")
_SHORT = ("y", "Y", "n", "N")


def from_yaml(content: bytes) -> Value:
    """The only document in ``content``. Raises Malformed for anything that is not plain data."""
    from invoke.vendor.yaml import SafeLoader
    from invoke.vendor.yaml.error import MarkedYAMLError, YAMLError

    try:
        node = SafeLoader(content).get_single_node()
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Malformed(f"{line}is not valid YAML: {error.problem}") from None
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:
        reason = untrusted.shown(" ".join(str(error).split()), 120)
        raise Malformed(f"is not valid YAML: {reason}") from None
    return None if node is None else _Walk().value(node, 0)


def from_json(content: bytes) -> Value:
    """The document in ``content``. Raises Malformed for anything else."""
    try:
        read = json.loads(
            content,
            parse_int=lambda text: Scalar(text, Sort.NUMBER),
            parse_float=lambda text: Scalar(text, Sort.OTHER),
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
        return _plain(read, 0)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"is not valid JSON: {error}") from None


class _Walk:
    """Goes through a document and counts: aliases lead to the same node again and again."""

    def __init__(self) -> None:
        self._values = 0

    def value(self, node: Node, depth: int) -> Value:
        from invoke.vendor.yaml.nodes import MappingNode, ScalarNode, SequenceNode

        self._values += 1
        if self._values > MAX_VALUES or depth > MAX_DEPTH:
            _fail(node, f"more than {MAX_VALUES} values, or more than {MAX_DEPTH} in each other")
        if isinstance(node, MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, SequenceNode):
            if node.tag != f"{_TAG}seq":
                _fail(node, f"has the tag {node.tag}")
            return tuple(self.value(each, depth + 1) for each in node.value)
        return _scalar(node) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, depth: int) -> Mapping[str, Value]:
        if node.tag != f"{_TAG}map":
            _fail(node, f"has the tag {node.tag}")
        own: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key, below in node.value:
            value = self.value(below, depth + 1)
            if key.tag == f"{_TAG}merge":
                merged |= self._merged(below, value)
                continue
            name = _scalar(key) if isinstance(key.value, str) else None
            if name is None:
                _fail(key, "a key that is no text")
            if name.text in own:
                _fail(key, f"the key {name.text!r} is there twice")
            own[name.text] = value
        return {**merged, **own}

    def _merged(self, node: Node, value: Value) -> Mapping[str, Value]:
        """What ``<<`` takes over: a mapping, or several of which the first says most."""
        parts = value if isinstance(value, tuple) else (value,)
        found: dict[str, Value] = {}
        for part in parts:
            if not isinstance(part, Mapping):
                _fail(node, "<< takes a mapping")
            found = {**part, **found}
        return found


def _scalar(node: ScalarNode) -> Scalar | None:
    if node.tag == f"{_TAG}null":
        return None
    sort = _SORTS.get(node.tag)
    if sort is None:
        _fail(node, f"has the tag {node.tag}")
    short = node.style is None and node.value in _SHORT
    return Scalar(node.value, Sort.FLAG if short else sort)


def _fail(node: Node, problem: str) -> NoReturn:
    raise Malformed(f"line {node.start_mark.line + 1}: {untrusted.shown(problem)}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} is there twice")
        found[name] = value
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _plain(value: Any, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} values in each other")
    if isinstance(value, bool):
        return Scalar(str(value).lower(), Sort.FLAG)
    if isinstance(value, str):
        return Scalar(value, Sort.TEXT)
    if isinstance(value, list):
        return tuple(_plain(each, depth + 1) for each in value)
    if isinstance(value, dict):
        return {name: _plain(each, depth + 1) for name, each in value.items()}
    return value if isinstance(value, Scalar) else None
