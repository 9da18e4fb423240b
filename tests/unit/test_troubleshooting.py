"""docs/troubleshooting.md has every message that goes with exit code 3, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit import messages

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/troubleshooting.md"
#: Messages that are made elsewhere as a whole, by the file that hands them on: rows of theirs.
HANDED_ON = {
    "tasks/core/checks.py": "could not install …: …",
}


def rows() -> dict[str, list[str]]:
    """The tables of the page: message -> the other cells."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0].startswith("`"):
            found[cells[0].strip("`").replace("\\|", "|")] = cells[1:]
    return found


def test_every_message_of_the_code_is_explained() -> None:
    known = rows()
    missing = [
        f"{message.place}: docs/troubleshooting.md has no row for `{message.text}`"
        for message in messages.everything(ROOT)
        if message.text not in known and message.text != messages.HOLE
    ]
    assert not missing, "\n" + "\n".join(missing)


def test_what_is_handed_on_is_explained_where_it_is_made() -> None:
    handed_on = {
        message.place.partition(":")[0]
        for message in messages.everything(ROOT)
        if message.text == messages.HOLE
    }
    assert handed_on == set(HANDED_ON)
    assert set(HANDED_ON.values()) <= rows().keys()


def test_the_page_explains_nothing_that_is_gone() -> None:
    there = {message.text for message in messages.everything(ROOT)} | set(HANDED_ON.values())
    assert [text for text in rows() if text not in there] == []


def test_each_row_says_what_is_behind_it_and_what_to_do() -> None:
    bare = [text for text, cells in rows().items() if len(cells) != 2 or not all(cells)]
    assert bare == []


def test_a_message_is_found_in_whatever_way_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "tasks/core").mkdir(parents=True)
    (tmp_path / "inv").write_text("#!/bin/sh\n")
    (tmp_path / "tasks/core/bootstrap.py").write_text("")
    (tmp_path / "tasks/some.py").write_text(
        """
WHOLE = "a constant"

def direct(name):
    raise OutOfReach(f"no {name!r} in two "
                     f"parts of {len(name)} letters")

def by_constant():
    return OutOfReach(WHOLE)

def made(why):
    return f"by a function: {why}"

def by_function():
    raise OutOfReach(made("x"))

def by_parameter(*, error=OutOfReach):
    raise error("by its default")

def another(*, error=UsageError):
    raise error("not this one")
"""
    )
    found = {message.text for message in messages.everything(tmp_path)}
    assert found == {
        "no … in two parts of … letters",
        "a constant",
        "by a function: …",
        "by its default",
    }
