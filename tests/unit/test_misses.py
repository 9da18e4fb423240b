"""Reasons of misses on Dockerfiles that are written in odd ways: records made up, no engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tasks.core.journal import misses, recipe
from tasks.core.journal.records import (
    CACHED,
    RUN,
    SHARED,
    STEP,
    Argument,
    BaseRecord,
    BuilderRecord,
    ContextRecord,
    EngineRecord,
    Record,
    StepRecord,
    TargetRecord,
)

FILES = {"a": "100644 aa", "src": "040755 ", "src/b": "100644 bb"}
OTHER_FILES = {**FILES, "src/b": "100644 cc"}
STAGES = "FROM scratch AS Builder\nCOPY src /x\nFROM scratch\nCOPY --from=Builder / /\n"


def record(
    number: int,
    dockerfile: str,
    *,
    ran: str = "",
    args: Mapping[str, str] = {},
    files: Mapping[str, str] = FILES,
    bases: Sequence[BaseRecord] = (),
) -> Record:
    """A build of all stages; with ``ran`` only the step that begins so was not in the cache."""
    globals_, stages = recipe.read(dockerfile)
    steps = []
    for at, stage in enumerate(stages):
        own = [each for each in stage.instructions if each.name in recipe.STEPS]
        for n, each in enumerate(own, 1):
            says = f"{each.name} {each.value}".partition("\n")[0]
            name = recipe.label(stages, at)
            steps.append(
                StepRecord(
                    digest=f"{at}.{n}",
                    name=f"[{name} {n}/{len(own)}] {says}",
                    kind=STEP,
                    state=RUN if not ran or says.startswith(ran) else CACHED,
                    targets=("t",),
                    inputs=(f"{at}.{n - 1}",) if n > 1 else (),
                    key=f"{at}.{n}",
                    instruction=says,
                    stage=name,
                    number=n,
                    of=len(own),
                )
            )
    target = TargetRecord(
        name="t",
        service="s",
        variant="v",
        stage=None,
        dockerfile="s/Dockerfile",
        args={name: Argument(value) for name, value in args.items()},
        globals=globals_,
        stages=stages,
        context=ContextRecord("s", files=files),
        bases=tuple(bases),
    )
    return Record(
        schema=1,
        id=f"20261124T171312.{number:03d}Z-0a1b2c",
        task="build.targets",
        status="done",
        started=datetime(2026, 11, 24, 17, 13, 12, tzinfo=UTC),
        seconds=1.0,
        no_cache=False,
        engine=EngineRecord("system", "28", "linux/amd64"),
        builder=BuilderRecord("default", "docker"),
        settings={},
        targets=(target,),
        steps=tuple(steps),
    )


def reasons(now: Record, then: Record) -> list[tuple[str, str]]:
    (miss,) = misses.explain(now, [then], ["t"])
    return [(each.kind, each.text) for each in miss.reasons]


@pytest.mark.parametrize(
    ("then", "now", "reason"),
    [
        pytest.param(
            "FROM scratch\nRUN echo hi\n",
            "FROM scratch\nARG X\nRUN echo hi\n",
            ("instruction", "instruction added before it: ARG X"),
            id="an argument that was given before it was declared",
        ),
        pytest.param(
            "FROM scratch\nARG X\nRUN echo hi\n",
            "FROM scratch\nRUN echo hi\n",
            ("instruction", "instruction removed before it: ARG X"),
            id="an argument that is given, but no longer declared",
        ),
        pytest.param(
            "ARG V=3\nARG IMAGE=alpine:$V\nFROM $IMAGE\nRUN x\n",
            "ARG V=4\nARG IMAGE=alpine:$V\nFROM $IMAGE\nRUN x\n",
            ("instruction", "instruction changed: ARG V=3 → ARG V=4"),
            id="the default behind the name of a base",
        ),
        pytest.param(
            "FROM\tscratch\nRUN\techo hi\n",
            "FROM\tscratch\nRUN\techo ho\n",
            ("instruction", "instruction changed: RUN echo hi → RUN echo ho"),
            id="tabs behind the instruction",
        ),
    ],
)
def test_another_dockerfile(then: str, now: str, reason: tuple[str, str]) -> None:
    found = reasons(record(2, now, ran="RUN", args={"X": "1"}), record(1, then, args={"X": "1"}))
    assert found == [reason]


@pytest.mark.parametrize(
    ("dockerfile", "then", "now", "reason"),
    [
        pytest.param(
            "FROM scratch\nARG X\nRUN echo\n",
            {},
            {"X": "1"},
            "build argument X: (not set) → 1",
            id="given for the first time",
        ),
        pytest.param(
            "FROM scratch\nARG V\nARG N=app-$V\nRUN echo\n",
            {"V": "1"},
            {"V": "2"},
            "build argument V: 1 → 2",
            id="behind another's default",
        ),
        pytest.param(
            "ARG V=3\nARG IMAGE=alpine:$V\nFROM $IMAGE\nRUN x\n",
            {"V": "3"},
            {"V": "4"},
            "build argument V: 3 → 4",
            id="behind the name of a base",
        ),
        pytest.param(
            "ARG BASE\nARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN x\n",
            {"BASE": "1", "BASE_IMAGE": "a:1"},
            {"BASE": "2", "BASE_IMAGE": "a:2"},
            "build argument BASE_IMAGE: a:1 → a:2",
            id="a name within a name",
        ),
    ],
)
def test_another_argument(
    dockerfile: str, then: Mapping[str, str], now: Mapping[str, str], reason: str
) -> None:
    found = reasons(record(2, dockerfile, ran="RUN", args=now), record(1, dockerfile, args=then))
    assert found == [("argument", reason)]


def test_a_base_without_a_tag_is_the_latest() -> None:
    old, new = (
        [BaseRecord("hub.test/library/alpine:latest", f"sha256:{letter * 64}")] for letter in "ab"
    )
    dockerfile = "FROM alpine\nRUN x\n"
    found = reasons(record(2, dockerfile, ran="RUN", bases=new), record(1, dockerfile, bases=old))
    assert found == [("base", "base alpine: sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb")]


def test_a_stage_that_another_target_had_made_anew() -> None:
    """Its steps come from the cache, but are not those of the older record."""
    copy = "COPY --from"
    files = reasons(record(2, STAGES, ran=copy, files=OTHER_FILES), record(1, STAGES))
    assert files == [("files", "new for its stage Builder (input files: src/b changed)")]
    other = STAGES.replace("/x", "/y")
    (text,) = reasons(record(2, other, ran=copy), record(1, STAGES))
    assert text[1] == ("new for its stage Builder (instruction changed: COPY src /x → COPY src /y)")
    (none,) = reasons(record(2, STAGES, ran=copy), record(1, STAGES))
    assert none[0] == "evicted"


def test_a_parent_that_had_been_made_with_another_argument() -> None:
    dockerfile = "FROM scratch\nARG V\nRUN echo\nCOPY a /\n"
    then, now = record(1, dockerfile, args={"V": "1"}), record(2, dockerfile, ran="COPY")
    reason = "new for its parent RUN echo (build argument V: 1 → (not set))"
    assert reasons(now, then) == [("argument", reason)]


def test_stages_that_copy_from_each_other_come_to_an_end() -> None:
    dockerfile = (
        "FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /\n"
        "FROM scratch\nCOPY --from=b / /z\n"
    )
    found = reasons(record(2, dockerfile, ran="COPY --from=b / /z"), record(1, dockerfile))
    assert [kind for kind, _ in found] == ["evicted"]


def test_a_quoted_heredoc_takes_no_variables() -> None:
    dockerfile = "FROM scratch\nARG V\nCOPY <<'EOF' /x\n$V\nEOF\n"
    then, now = (record(n, dockerfile, ran="COPY", args={"V": str(n)}) for n in (1, 2))
    assert [kind for kind, _ in reasons(now, then)] == ["evicted"]


def test_brackets_without_end_are_the_name_of_a_file() -> None:
    dockerfile = f"FROM scratch\nCOPY {'[' * 100_000} /\n"
    found = reasons(record(2, dockerfile, ran="COPY"), record(1, dockerfile))
    assert [kind for kind, _ in found] == ["evicted"]


def shared(made: Record, *names: str) -> Record:
    """``made``, but the steps that begin so were run by another build at the same time."""
    steps = [
        replace(step, state=SHARED) if step.instruction.startswith(names) else step
        for step in made.steps
    ]
    return replace(made, steps=tuple(steps))


def test_behind_a_step_that_is_shared_with_another_build_nothing_is_found() -> None:
    text = "FROM scratch\nWORKDIR /app\nCOPY a /\nRUN one\nRUN two\n"
    then, now = record(1, text, ran="nothing"), shared(record(2, text), "WORKDIR", "COPY")
    one, two = misses.explain(now, [then], ["t"])
    assert [reason.kind for reason in one.reasons] == ["beside"]
    assert "another build, still at work, had run [ 2/4] COPY a /" in one.reasons[0].text
    assert [reason.kind for reason in two.reasons] == ["parent"]


def test_what_differs_is_the_reason_also_beside_another_build() -> None:
    text = "FROM scratch\nWORKDIR /app\nRUN one\n"
    now = shared(record(2, text.replace("one", "other")), "WORKDIR")
    assert [kind for kind, _ in reasons(now, record(1, text))] == ["instruction"]


def test_a_step_that_another_target_ran_is_a_parent_that_missed() -> None:
    text = "FROM scratch\nWORKDIR /app\nRUN one\n"
    now = shared(record(2, text), "WORKDIR")
    ran = replace(now.steps[0], digest="other", state=RUN, targets=("u",))
    (miss,) = misses.explain(replace(now, steps=(ran, *now.steps)), [record(1, text)], ["t"])
    assert [reason.kind for reason in miss.reasons] == ["parent"]


def test_where_the_cache_was_found_again_nothing_was_missed_beside_another_build() -> None:
    text = "FROM scratch\nWORKDIR /app\nCOPY a /\nRUN one\n"
    now = shared(record(2, text, ran="RUN one"), "WORKDIR")
    assert [kind for kind, _ in reasons(now, record(1, text))] == ["evicted"]
