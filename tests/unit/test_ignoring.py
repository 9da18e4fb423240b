"""Which files of a context are sent: the rules of .dockerignore and of COPY's sources."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.core.journal import ignoring, inputs, recipe


@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("**/*.md", "docs/deep/README.md", True),
        ("**/*.md", "README.md", True),
        ("node_modules", "node_modules/a/b.js", True),
        ("node_modules", "sub/node_modules/b.js", False),
        ("/dist/", "dist/x", True),
        ("# a comment\n\n  tmp  ", "tmp/x", True),
        ("*\n!src", "src/a.js", False),
        ("*\n!src", "other", True),
        ("docs\n!docs/keep.md", "docs/keep.md", False),
        ("!a\na", "a", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("[ab.txt", "[ab.txt", False),
        ("a.c", "abc", False),
        ("./x/../y", "y", True),
    ],
)
def test_a_path_is_ignored_as_buildkit_does(text: str, path: str, ignored: bool) -> None:
    assert ignoring.parse(text).match(path) is ignored


def context(tmp_path: Path) -> Path:
    for name in ("a.js", "src/b.js", "src/deep/c.js", "src/x.md", "node_modules/m/n.js"):
        path = tmp_path / "svc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "svc" / ".dockerignore").write_text("node_modules\n**/*.md\n")
    return tmp_path / "svc"


def looked(tmp_path: Path, dockerfile: str) -> dict[str, str]:
    _, stages = recipe.read(dockerfile)
    found = inputs.look(tmp_path, tmp_path / "svc", None, stages)
    assert found.problem == ""
    return dict(found.files)


def test_only_what_a_step_takes_is_looked_at(tmp_path: Path) -> None:
    context(tmp_path)
    found = looked(tmp_path, "FROM x\nCOPY --chown=1 src ./\n")
    assert set(found) == {"src", "src/b.js", "src/deep", "src/deep/c.js"}
    assert found["src/b.js"].startswith("100644 ")
    assert set(looked(tmp_path, "FROM x\nRUN --mount=type=bind,target=/s ls\n")) >= {"a.js"}
    assert looked(tmp_path, "FROM x\nCOPY --from=y src /\n") == {}
    assert "a.js" in looked(tmp_path, "FROM x\nARG D\nCOPY $D /\n")


def test_a_file_is_told_by_its_content_and_mode(tmp_path: Path) -> None:
    svc = context(tmp_path)
    first = looked(tmp_path, "FROM x\nCOPY . .\n")
    os.utime(svc / "a.js", (1, 1))
    assert looked(tmp_path, "FROM x\nCOPY . .\n") == first
    (svc / "a.js").write_text("A.JS")
    changed = looked(tmp_path, "FROM x\nCOPY . .\n")
    assert {name for name in first if first[name] != changed[name]} == {"a.js"}
    (svc / "a.js").chmod(0o755)
    assert looked(tmp_path, "FROM x\nCOPY . .\n")["a.js"].startswith("100755 ")


def test_a_damaged_note_of_digests_is_read_anew(tmp_path: Path) -> None:
    context(tmp_path)
    first = looked(tmp_path, "FROM x\nCOPY . .\n")
    (note,) = (tmp_path / inputs.FOLDER).iterdir()
    for spoiled in ("", "[]", '{"schema": 1, "files": {"a.js": 3}}', '{"schema": 1, "files": 1}'):
        note.write_text(spoiled)
        assert looked(tmp_path, "FROM x\nCOPY . .\n") == first


def test_what_cannot_be_read_is_a_problem_and_no_failure(tmp_path: Path) -> None:
    _, stages = recipe.read("FROM x\nCOPY . .\n")
    found = inputs.look(tmp_path, tmp_path / "gone", None, stages)
    assert found.problem == "gone: No such file or directory"


def test_too_many_files_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context(tmp_path)
    monkeypatch.setattr(inputs, "MAX_FILES", 2)
    _, stages = recipe.read("FROM x\nCOPY . .\n")
    found = inputs.look(tmp_path, tmp_path / "svc", None, stages)
    assert found.problem == "it has more than 2 files"
