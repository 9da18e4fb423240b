"""The documentation holds together: links lead somewhere, commands that it names exist."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.parser.context import ParserContext
from invoke.parser.parser import Parser
from invoke.program import Program

from tests import markdown
from tests.markdown import ROOT, Page

PAGES = markdown.every()
#: The start of a command that is ours.
OURS = ("./inv", "inv")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Page) -> None:
    broken = [f"{page.name}:{line}: {goal}" for line, goal in page.links if _is_broken(page, goal)]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_closed_and_every_table_is_even(page: Page) -> None:
    assert [fence.line for fence in page.fences if not fence.closed] == []
    assert list(_uneven(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_task_and_option_exists(page: Page) -> None:
    shown = [(command.line, command.words) for command in page.commands]
    problems = [
        f"{page.name}:{line}: {words}: {problem}"
        for line, words in [*shown, *page.spans]
        for problem in _problems(words)
    ]
    assert problems == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_task_that_is_named_alone_exists(page: Page) -> None:
    """`verify.tests` without ./inv; a name with `*` stands for several."""
    verbs = "|".join(_tree().collections)
    named = re.compile(rf"({verbs})\.([a-z-]+)\Z")
    wrong = [
        f"{page.name}:{line}: there is no task {text}"
        for line, text in page.spans
        if named.match(text)
        and text not in _tree().task_names
        and not text.endswith((".py", ".sh"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("./inv verify.nothing", "nothing"),
        ("./inv build.multistage --fast", "--fast"),
        ("./inv report.html --output", "output_"),
        ("./inv engine.status && ./inv build.multistage --slow", "--slow"),
        ("CACHE=local inv --dry build.multistage --warp 9", "--warp"),
    ],
)
def test_what_does_not_exist_is_noticed(words: str, problem: str) -> None:
    (found,) = _problems(words)
    assert problem in found


def test_a_link_to_nowhere_is_noticed() -> None:
    page = markdown.parse(
        "README.md", "# Top\n[a](#top) [b](#bottom) [c](docs/none.md) [d](LICENSE)"
    )
    assert [goal for _, goal in page.links if _is_broken(page, goal)] == ["#bottom", "docs/none.md"]


def _is_broken(page: Page, goal: str) -> bool:
    if re.match(r"[a-z]+:", goal):
        return False  # another site: not ours to keep
    name, _, anchor = goal.partition("#")
    path = (ROOT / page.name).parent / name if name else ROOT / page.name
    if not path.resolve().exists():
        return True
    if not anchor:
        return False
    there = page if not name else markdown.page(path.resolve())
    return anchor not in there.anchors


def _uneven(page: Page) -> Iterator[str]:
    """Rows of tables that have more or fewer cells than the head; GitHub drops or adds some."""
    width = 0
    for number, line in enumerate(page.prose, 1):
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        width = width or cells
        if cells != width or not line.endswith("|"):
            yield f"{page.name}:{number}: {cells} cells, the head has {width}"


def _problems(words: str) -> Iterator[str]:
    """What invoke has against each of our commands in ``words``."""
    for part in re.split(r"&&|\|\||[;|()]", words):
        try:
            split = shlex.split(part.replace("<", "").replace(">", ""))
        except ValueError:
            continue
        while split and re.match(r"[A-Z_]+=", split[0]):
            split = split[1:]
        if split and split[0] in OURS:
            problem = _refused(split[1:])
            if problem:
                yield problem


def _refused(argv: list[str]) -> str:
    try:
        Parser(contexts=_contexts(), initial=_core()).parse_argv(argv)
    except ParseError as error:
        return str(error)
    return ""


@cache
def _tree() -> Collection:
    spec = importlib.util.spec_from_file_location("slipway_tasks", ROOT / "tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tree: Collection = module.namespace
    return tree


@cache
def _contexts() -> list[ParserContext]:
    return list(_tree().to_contexts())


@cache
def _core() -> ParserContext:
    """invoke's own options, such as --list and --dry."""
    return Program(namespace=_tree()).initial_context
