"""Every message that goes with exit code 3, as the code has it: read, not run.

What is filled in at run time stands as "…". A message that is put together elsewhere (a constant, a
function of the same file) is followed there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CLASS = "OutOfReach"
HOLE = "…"


@dataclass(frozen=True)
class Message:
    """One message, and the place of the code that raises it."""

    text: str
    place: str

    @property
    def says_something(self) -> bool:
        """Whether there is a word in it that does not come in at run time."""
        return re.search(r"[A-Za-z]{2}", self.text) is not None


def everything(root: Path) -> list[Message]:
    """The messages of the tasks, of the start script and of what it runs, in order of the files."""
    found = [message for path in sorted(root.glob("tasks/**/*.py")) for message in _of(path, root)]
    return [*found, *_of_start(root)]


def _of(path: Path, root: Path) -> Iterator[Message]:
    module = ast.parse(path.read_text())
    for call in _raised(module):
        for text in _texts(call.args[0], module):
            yield Message(text, f"{path.relative_to(root)}:{call.lineno}")


def _raised(module: ast.Module) -> Iterator[ast.Call]:
    """Calls of the class, also by a parameter whose default it is."""
    for function in [module, *_functions(module)]:
        names = {CLASS} if function is module else _stand_ins(function)
        for node in ast.walk(function):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(node, ast.Call) and isinstance(called, ast.Name) and called.id in names:
                yield node


def _functions(module: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]


def _stand_ins(function: ast.AST) -> set[str]:
    """The parameters of a function that are the class unless a caller says otherwise."""
    assert isinstance(function, ast.FunctionDef)
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return {
        argument.arg
        for argument, default in keywords
        if isinstance(default, ast.Name) and default.id == CLASS
    }


def _texts(value: ast.expr, module: ast.Module) -> Iterator[str]:
    """What ``value`` may say; a bare hole where that cannot be told."""
    if isinstance(value, ast.Constant):
        yield str(value.value)
    elif isinstance(value, ast.JoinedStr):
        parts = [p.value if isinstance(p, ast.Constant) else _filled(p) for p in value.values]
        yield "".join(map(str, parts))
    elif isinstance(value, ast.Name):
        yield from _constant(value.id, module)
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        yield from _returned(value.func.id, module)
    else:
        yield HOLE


def _filled(part: ast.expr) -> str:
    """A part of an f-string. A choice between two texts is a hole, too."""
    return HOLE


def _constant(name: str, module: ast.Module) -> Iterator[str]:
    values = [
        node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    if not values:
        yield HOLE
    for value in values:
        yield from _texts(value, module)


def _returned(name: str, module: ast.Module) -> Iterator[str]:
    functions = [function for function in _functions(module) if function.name == name]
    if not functions:
        yield HOLE
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                yield from _texts(node.value, module)


def _of_start(root: Path) -> Iterator[Message]:
    """`inv` and tasks/core/bootstrap.py: they run before there is any class."""
    for number, line in enumerate((root / "inv").read_text().splitlines(), 1):
        said = re.search(r'echo "inv: (.*)" >&2', line)
        if said:
            yield Message(re.sub(r"\$\{?\w+\}?", HOLE, said[1]), f"inv:{number}")
    path = root / "tasks/core/bootstrap.py"
    module = ast.parse(path.read_text())
    for function in _functions(module):
        for value in _handed_back(function):
            place = f"{path.relative_to(root)}:{value.lineno}"
            yield from (Message(text, place) for text in _texts(value, module))


def _handed_back(function: ast.FunctionDef) -> Iterator[ast.JoinedStr]:
    """The texts that a function returns: in tasks/core/bootstrap.py, what went wrong."""
    for node in ast.walk(function):
        value = node.value if isinstance(node, ast.Return) else None
        choices = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
        yield from (choice for choice in choices if isinstance(choice, ast.JoinedStr))
