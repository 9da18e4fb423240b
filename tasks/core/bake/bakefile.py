"""What stands in a bake file as it was written, with its lines: attributes and variables.

``bake --print`` tells only what bake understood; it drops an attribute that it does not know. So
the file itself is read. HCL by python-hcl2, because a bake file is a programming language (strings
with code in them, heredocs, three kinds of comments) that is not Slipway's business: it took every
bake file of buildx's own tests. Only its syntax tree is used, which is quick (15 ms; 0.1 s with the
import, and a second once for each installation, when it compiles its grammar); what was found is
kept by the file's content under ``.slipway/cache/bake/``. JSON and compose files by the YAML reader
that invoke brings, which knows lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.core import process, untrusted
from tasks.core.render import output
from tasks.core.untrusted import Malformed

SCHEMA = 1
FOLDER = Path(".slipway", "cache", "bake")
#: No bake file is larger; a parser is not fed whatever a file may hold.
LIMIT_BYTES = 1 << 20
BLOCKS = ("target", "group", "variable")
VARIABLE = "variable"
#: What bake reads of a compose file beyond compose's own format, and does not check.
EXTENSION = "x-bake"
#: The key that makes a comment in HCL's JSON form.
COMMENT = "//"


@dataclass(frozen=True)
class Attribute:
    """One attribute of a block: ``kind`` is target, group, variable, or x-bake of a service.

    ``nested``: it is a block itself, ``args { … }`` and not ``args = { … }``.
    """

    kind: str
    owner: str
    name: str
    line: int
    nested: bool = False


@dataclass(frozen=True)
class Source:
    """What one file holds: its attributes, and the line of each variable that it declares."""

    attributes: tuple[Attribute, ...]
    variables: dict[str, int]


def read(root: Path, name: str, *, keep: bool = True) -> Source:
    """What the bake file ``name``, a path from ``root``, holds.

    ``keep`` remembers it for the next time. Raises Malformed for a file that cannot be read here,
    which says nothing about whether bake can.
    """
    try:
        content = (root / name).read_bytes()
    except OSError as error:
        raise Malformed(f"it cannot be read: {error.strerror}") from None
    if len(content) > LIMIT_BYTES:
        raise Malformed(f"it is larger than {LIMIT_BYTES >> 20} MiB")
    suffix = Path(name).suffix.lower()
    path = root / FOLDER / f"{hashlib.sha256(suffix.encode() + b':' + content).hexdigest()}.json"
    known = _load(path)
    if known is not None:
        return known
    try:
        source = parse(content.decode(), suffix)
    except UnicodeDecodeError as error:
        raise Malformed(f"it is not UTF-8 text at byte {error.start}") from None
    if keep:
        _store(path, source)
    return source


def parse(text: str, suffix: str) -> Source:
    """What ``text`` holds; ``suffix`` (".hcl", ".json", ".yaml") names its language, as for bake.

    With any other suffix each of them is tried. Raises Malformed for a text that none reads.
    """
    by_suffix: dict[str, tuple[Callable[[str], Source], ...]] = {
        ".hcl": (_hcl,),
        ".json": (_json,),
        ".yaml": (_compose,),
        ".yml": (_compose,),
    }
    problem = Malformed("it is no bake file")
    for reader in by_suffix.get(suffix, (_hcl, _json, _compose)):
        try:
            return reader(text)
        except Malformed as error:
            problem = error
    raise problem


def _hcl(text: str) -> Source:
    from hcl2 import parses_to_tree
    from lark.exceptions import LarkError

    try:
        tree = parses_to_tree(text.removeprefix("\ufeff"))
    except (LarkError, ValueError, LookupError, RecursionError) as error:
        raise Malformed(f"its HCL cannot be read: {_first_line(error)}") from None
    attributes: list[Attribute] = []
    variables: dict[str, int] = {}
    for block in _trees(tree.children[0], "block"):
        kind, label = _word(block.children[0]), block.children[1]
        if kind not in BLOCKS or not hasattr(label, "data"):
            continue
        owner = _word(label)
        if kind == VARIABLE:
            variables.setdefault(owner, block.meta.line)
        for body in _trees(block, "body"):
            attributes += [
                Attribute(
                    kind, owner, _word(each.children[0]), each.meta.line, each.data == "block"
                )
                for each in (*_trees(body, "attribute"), *_trees(body, "block"))
            ]
    return Source(tuple(sorted(attributes, key=lambda one: one.line)), variables)


def _trees(tree: Any, kind: str) -> Iterator[Any]:
    """The parts of ``tree`` of one kind, not those within its parts."""
    return (each for each in tree.children if getattr(each, "data", None) == kind)


def _word(tree: Any) -> str:
    """A name, with or without quotes, as it is written."""
    return "".join(str(token) for token in tree.scan_values(lambda _: True)).strip('"')


def _json(text: str) -> Source:
    untrusted.parse(text.encode(), "it")
    attributes: list[Attribute] = []
    variables: dict[str, int] = {}
    # A tab in JSON can only stand between its parts; YAML does not take it there.
    for top in _bodies(_nodes(text.replace("\t", " "))):
        for kind, _, blocks in _pairs(top):
            for block in _bodies(blocks) if kind in BLOCKS else ():
                for owner, line, bodies in _pairs(block):
                    if kind == VARIABLE:
                        variables.setdefault(owner, line)
                    attributes += [
                        Attribute(kind, owner, name, where)
                        for body in _bodies(bodies)
                        for name, where, _ in _pairs(body)
                        if name != COMMENT
                    ]
    return Source(tuple(attributes), variables)


def _compose(text: str) -> Source:
    """The x-bake fields, wherever they are: a service may take its own from an anchor.

    The rest of a service is checked by bake itself.
    """
    attributes: list[Attribute] = []
    waiting = [("", node) for node in (_nodes(text),) if node is not None]
    seen: set[int] = set()
    while waiting:
        owner, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for name, _, value in _pairs(node):
            if name == EXTENSION:
                attributes += [Attribute(EXTENSION, owner, key, at) for key, at, _ in _pairs(value)]
            waiting.append((owner if name in ("build", "<<") else name, value))
        waiting += [(owner, each) for each in _items(node)]
    return Source(tuple(sorted(attributes, key=lambda one: one.line)), {})


def _nodes(text: str) -> Any:
    """The tree of a YAML document; aliases stay what they point to, so none can blow it up."""
    from invoke.vendor import yaml

    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Malformed(f"it cannot be read: {_first_line(error)}") from None


def _pairs(node: Any) -> list[tuple[str, int, Any]]:
    """The keys of a YAML mapping with their lines and values; none for anything else."""
    if getattr(node, "id", "") != "mapping":
        return []
    return [
        (key.value, key.start_mark.line + 1, value)
        for key, value in node.value
        if key.id == "scalar"
    ]


def _items(node: Any) -> list[Any]:
    return list(node.value) if getattr(node, "id", "") == "sequence" else []


def _bodies(node: Any) -> list[Any]:
    """HCL's JSON form takes a list of objects wherever it takes one."""
    return _items(node) or [node]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _load(path: Path) -> Source | None:
    """What is known of a file; None if nothing, or nothing sound."""
    try:
        document = untrusted.mapping(untrusted.parse(path.read_bytes(), "it"), "it")
        if document.get("schema") != SCHEMA:
            return None
        listed = untrusted.sequence(document.get("attributes"), "attributes")
        variables = untrusted.mapping(document.get("variables"), "variables")
        return Source(
            tuple(_attribute(untrusted.mapping(each, "attribute")) for each in listed),
            {name: untrusted.count(line, "line") for name, line in variables.items()},
        )
    except FileNotFoundError:
        return None
    except (Malformed, OSError) as problem:
        process.note(f"reading the bake file anew, {FOLDER / path.name}: {problem}")
        return None


def _attribute(fields: Any) -> Attribute:
    kind, owner, name = (untrusted.text(fields.get(key), key) for key in ("kind", "owner", "name"))
    line = untrusted.count(fields.get("line"), "line")
    if kind not in (*BLOCKS, EXTENSION):
        raise Malformed(f"{kind!r} is no block of a bake file")
    return Attribute(kind, owner, name, line, fields.get("nested") is True)


def _store(path: Path, source: Source) -> None:
    """Remember ``source``; where the disk does not allow that, say so and go on."""
    try:
        output.write(path, json.dumps({"schema": SCHEMA, **asdict(source)}))
    except OSError as error:
        process.note(f"the bake file is not kept for the next time: {FOLDER}: {error.strerror}")
