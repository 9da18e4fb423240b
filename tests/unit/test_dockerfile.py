"""Which images a Dockerfile builds on, with BuildKit's grammar."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.bake.dockerfile import instructions, substitute
from tasks.core.bake.stages import BaseUse, base_references, runs_on_target
from tasks.core.errors import UsageError


def references(tmp_path: Path, text: str, stage: str | None = None, **args: str) -> list[str]:
    return [use.reference for use in uses(tmp_path, text, stage, **args)]


def uses(tmp_path: Path, text: str, stage: str | None = None, **args: str) -> tuple[BaseUse, ...]:
    file = tmp_path / "Dockerfile"
    file.write_text(text)
    return base_references(file, args, stage)


CASES = {
    "plain": ("FROM node:22", ["node:22"]),
    "lower case and stage": ("from node:22 as Build\nFROM build", ["node:22"]),
    "scratch is no image": ("FROM scratch\nCOPY a /a", []),
    "argument with default": ("ARG N=node:22\nFROM $N", ["node:22"]),
    "quoted default": ('ARG N="node:22"\nFROM ${N}', ["node:22"]),
    "several arguments in one line": ("ARG A=1 B=2\nFROM x:$A-$B", ["x:1-2"]),
    "default from another argument": ("ARG V=22\nARG N=node:$V\nFROM $N", ["node:22"]),
    "fallback in place": ("ARG N\nFROM ${N:-node:22}", ["node:22"]),
    "fallback with a variable": ("ARG V=22\nARG N\nFROM ${N:-node:${V}}", ["node:22"]),
    "an undeclared argument has no value": ("FROM a${N}", ["a"]),
    "alternative": ("ARG S=1\nFROM node:22${S:+-slim}", ["node:22-slim"]),
    "an argument of a stage is not global": ("FROM a\nARG N=b\nFROM ${N:-c}", ["c"]),
    "copy from an image": ("FROM a\nCOPY --chown=1 --from=b:1 /x /x", ["a", "b:1"]),
    "copy from a stage by number": ("FROM a\nFROM b\nCOPY --from=0 /x /x", ["b", "a"]),
    "mount from an image": (
        "FROM a\nRUN --mount=type=bind,from=b:1,target=/b --mount=type=cache,target=/c make",
        ["a", "b:1"],
    ),
    "the command's own options are no flags": ("FROM a\nRUN tool --mount=from=b", ["a"]),
    "stages not reached are left out": ("FROM a AS x\nFROM b AS y\nFROM c", ["c"]),
    "a stage may shadow an image": ("FROM node AS node\nFROM node", ["node"]),
    "continuation with comment and empty line": (
        "FROM \\\n  # why\n\n  node:22 \\\n  AS x",
        ["node:22"],
    ),
    "heredoc is text": ("FROM a\nRUN <<EOF\nFROM evil\nEOF\nCOPY --from=b / /", ["a", "b"]),
    "quoted and indented heredoc": (
        "FROM a\nRUN <<-'END' sh\n\tFROM evil\n\tEND\nCOPY --from=b / /",
        ["a", "b"],
    ),
    "two heredocs": ("FROM a\nCOPY <<X <<Y /d/\nFROM c\nX\nFROM d\nY\n", ["a"]),
    "a shift is no heredoc": ("FROM a\nRUN echo $((1<<3))\nCOPY --from=b / /", ["a", "b"]),
    "escape directive": ("# escape=`\nFROM `\n  node:22", ["node:22"]),
    "frontend": ("# syntax=front/end:1\nFROM a", ["front/end:1", "a"]),
    "no directive after a comment": ("# hello\n# syntax=front/end:1\nFROM a", ["a"]),
    "comments and windows line ends": ("# c\r\nFROM a\r\n", ["a"]),
    "digest": ("FROM a@sha256:00", ["a@sha256:00"]),
    "each image once": ("FROM a AS x\nFROM a\nCOPY --from=x / /", ["a"]),
    "stage by architecture": (
        "FROM x AS b-amd64\nFROM y AS b-arm64\nFROM z AS b-arm\nFROM b-${TARGETARCH}",
        ["x", "y", "z"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_references(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert references(tmp_path, text) == expected


def test_build_arguments_win_over_defaults(tmp_path: Path) -> None:
    assert references(tmp_path, "ARG N=a\nFROM $N", N="mine:1") == ["mine:1"]


def test_only_the_wanted_stage_and_what_it_reaches(tmp_path: Path) -> None:
    text = "FROM a AS one\nFROM b AS two\nCOPY --from=one / /\nFROM c AS three\n"
    assert references(tmp_path, text, "TWO") == ["b", "a"]
    assert references(tmp_path, text, "0") == ["a"]


def test_build_platform_is_told_apart(tmp_path: Path) -> None:
    text = "FROM --platform=$BUILDPLATFORM node:22 AS b\nFROM node:22\nCOPY --from=b / /\n"
    assert uses(tmp_path, text) == (BaseUse("node:22", False), BaseUse("node:22", True))


def test_a_missing_stage_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no stage 'nope' .*stages: one, two"):
        references(tmp_path, "FROM a AS one\nFROM b AS two", "nope")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.Dockerfile: .*No such file"):
        base_references(tmp_path / "none.Dockerfile", {}, None)


def test_a_file_without_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no FROM"):
        references(tmp_path, "RUN true")


def test_instructions_keep_their_order_and_drop_comments() -> None:
    text = 'FROM a\n# no\nRUN x \\\n  y\nCMD ["z"]\n'
    assert [(step.name, step.value.split()) for step in instructions(text)] == [
        ("FROM", ["a"]),
        ("RUN", ["x", "y"]),
        ("CMD", ['["z"]']),
    ]


def test_an_unset_variable_becomes_empty() -> None:
    assert substitute("a$B${C}d", {}) == "ad"


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("FROM a\nRUN x", True),
        ("FROM a\nCOPY x /x", False),
        ("FROM --platform=$BUILDPLATFORM a AS b\nRUN x\nFROM c\nCOPY --from=b /x /x", False),
        (
            "FROM --platform=$BUILDPLATFORM a AS b\nFROM b AS d\nRUN x\nFROM c\nCOPY --from=d / /",
            False,
        ),
        ("FROM a AS b\nRUN x\nFROM c\nCOPY --from=b /x /x", True),
        ("FROM a AS unused\nRUN x\nFROM c", False),
        ("FROM --platform=$BUILDPLATFORM a AS b\nFROM c AS b\nRUN x\nFROM b", True),
        ("", False),
    ],
)
def test_what_runs_on_the_targets_platform(text: str, runs: bool) -> None:
    assert runs_on_target(text, {}, None) is runs
