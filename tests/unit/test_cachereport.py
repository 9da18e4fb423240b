"""Hit rates, reasons and timelines, on BuildKit's own output for two targets that share a stage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import UsageError
from tasks.core.journal import cachereport, graph, history, recipe, steprecords, timeline
from tasks.core.journal.records import (
    CACHED,
    RUN,
    SHARED,
    STEP,
    Argument,
    BuilderRecord,
    ContextRecord,
    EngineRecord,
    Record,
    TargetRecord,
)
from tasks.core.render import cache as cache_table
from tasks.core.render import records as record_table
from tasks.core.render import timeline as timeline_table

DATA = Path(__file__).parents[1] / "data"
DOCKERFILE = """FROM node:22-bookworm-slim AS base
COPY pkg.json ./
RUN sleep 0.4; echo t29887
FROM base AS one
COPY src ./src
RUN echo one
FROM base AS two
RUN sleep 0.2
"""
FILES = {"pkg.json": "100644 aa", "src": "040755 ", "src/a": "100644 bb"}


def lines(name: str) -> list[str]:
    return (DATA / f"history-logs-{name}.jsonl").read_text().splitlines()


def target(name: str, dockerfile: str = DOCKERFILE, **changes: Any) -> TargetRecord:
    globals_, stages = recipe.read(dockerfile)
    made = TargetRecord(
        name=name,
        service="svc",
        variant="default",
        stage=name,
        dockerfile="svc/Dockerfile",
        globals=globals_,
        stages=stages,
        context=ContextRecord("svc", files=FILES),
    )
    return replace(made, **changes)


def record(number: int, targets: Mapping[str, TargetRecord], *, cached: bool = False) -> Record:
    """What the captured build leaves; ``cached``: as if all of it had been in the cache."""
    traced = {name: graph.parse(lines(name)) for name in targets}
    seen = steprecords.gather(traced, {}, {})
    known = {
        name: replace(each, bases=steprecords.bases(seen.values(), name))
        for name, each in targets.items()
    }
    steps = steprecords.make(seen, known, str)
    if cached:
        steps = tuple(replace(step, state=CACHED, seconds=0.0) for step in steps)
    return Record(
        schema=1,
        id=f"20261124T171312.{number:03d}Z-0a1b2c",
        task="build.targets",
        status="done",
        started=datetime(2026, 11, 24, 17, 13, 12, tzinfo=UTC),
        seconds=1.6,
        no_cache=False,
        engine=EngineRecord("embedded", "28.5.2", "linux/amd64"),
        builder=BuilderRecord("default", "docker"),
        settings={},
        targets=tuple(known.values()),
        steps=steps,
    )


BOTH = {"one": target("one"), "two": target("two")}


def reasons(now: Record, *earlier: Record) -> dict[str, list[tuple[str, str]]]:
    report = cachereport.make(now, earlier)
    return {
        miss.step.instruction: [(each.kind, each.text) for each in miss.reasons]
        for miss in report.first_misses
    }


def test_a_step_with_two_digests_is_one_step() -> None:
    """BuildKit shows the other target's digest as cached, though it ran in this very build."""
    report = cachereport.make(record(1, BOTH), ())
    assert (report.whole.cached, report.whole.shared, report.whole.run) == (0, 0, 5)
    assert report.whole.percent == 0
    by_target = {rate.name: (rate.cached, rate.shared, rate.run) for rate in report.by_target}
    assert by_target == {"one": (0, 0, 4), "two": (0, 2, 1)}
    traces = [history.parse_trace(lines(name)).steps for name in BOTH]
    assert [step.cached for step in history.unique(traces)] == [False] * 5
    assert {step.state for step in record(1, BOTH).steps if step.key and step.state == SHARED}


def test_a_build_that_was_all_cached_says_what_that_saved() -> None:
    report = cachereport.make(record(2, BOTH, cached=True), [record(1, BOTH)])
    assert (report.whole.cached, report.whole.steps, report.misses) == (5, 5, ())
    ran = {step.key: step.seconds for step in record(1, BOTH).steps if step.state == "run"}
    wanted = {step.key for step in record(1, BOTH).steps if step.kind == "step"}
    assert report.saved_seconds == pytest.approx(sum(ran[key] for key in wanted))
    assert report.saved_seconds > 0.6  # two of them slept that long
    unseen = cachereport.make(record(2, BOTH, cached=True), ())
    assert (unseen.saved_seconds, unseen.unknown) == (0, 5)
    assert "Nothing was missed." in cache_table.render(report, "text")


def test_without_an_earlier_record_nothing_was_ever_there() -> None:
    assert reasons(record(1, BOTH)) == {
        "COPY pkg.json ./": [("first", "never there: no earlier record has one")]
    }


def test_the_same_again_was_evicted() -> None:
    (found,) = reasons(record(2, BOTH), record(1, BOTH)).values()
    assert [kind for kind, _ in found] == ["evicted"]


def changed(**changes: Any) -> Record:
    """An earlier record in which the targets were otherwise."""
    return record(1, {name: target(name, **changes) for name in BOTH})


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        (
            {"context": ContextRecord("svc", files={**FILES, "pkg.json": "100644 00"})},
            "files",
            "input files: pkg.json changed",
        ),
        (
            {"context": ContextRecord("svc", files={})},
            "files",
            "input files: pkg.json added",
        ),
        (
            {"context": ContextRecord("svc", problem="svc/x: Permission denied")},
            "unknown",
            "not known: the files of the context: svc/x: Permission denied",
        ),
        (
            {"dockerfile": DOCKERFILE.replace("COPY pkg.json ./", "COPY pkg.json /")},
            "instruction",
            "instruction changed: COPY pkg.json / → COPY pkg.json ./",
        ),
        (
            {"dockerfile": DOCKERFILE.replace("COPY pkg", "RUN x\nCOPY pkg")},
            "instruction",
            "instruction removed before it: RUN x",
        ),
        (
            {"dockerfile": DOCKERFILE.replace("node:22-bookworm-slim", "node:20")},
            "instruction",
            "instruction changed: FROM node:20 → FROM node:22-bookworm-slim",
        ),
    ],
)
def test_what_differs_is_the_reason(changes: dict[str, Any], kind: str, text: str) -> None:
    now = record(2, BOTH)
    dockerfile = changes.pop("dockerfile", DOCKERFILE)
    old = record(1, {name: target(name, dockerfile, **changes) for name in BOTH})
    assert reasons(now, old)["COPY pkg.json ./"] == [(kind, text)]


def test_another_base_is_told_by_its_digest() -> None:
    old = record(1, BOTH)
    other = tuple(
        replace(each, bases=tuple(replace(b, digest="sha256:" + "0" * 64) for b in each.bases))
        for each in old.targets
    )
    ((kind, text),) = reasons(record(2, BOTH), replace(old, targets=other))["COPY pkg.json ./"]
    assert kind == "base"
    assert text.startswith("base node:22-bookworm-slim: sha256:000000000000 → sha256:5986819")


def given(name: str, value: Argument, default: str = "") -> TargetRecord:
    dockerfile = DOCKERFILE.replace("COPY pkg", f"ARG MODE{default}\nENV M=$MODE\nCOPY pkg")
    return target(name, dockerfile.replace("COPY pkg.json", "COPY $M"), args={"MODE": value})


def test_an_argument_counts_where_it_is_used_and_secret_values_are_not_shown() -> None:
    def pair(value: Argument, number: int) -> Record:
        return record(number, {name: given(name, value) for name in BOTH})

    (found,) = reasons(pair(Argument("b"), 2), pair(Argument("a"), 1)).values()
    assert found == [("argument", "build argument MODE: a → b")]
    hidden = pair(Argument(None, "12"), 2), pair(Argument(None, "34"), 1)
    (found,) = reasons(*hidden).values()
    assert found == [("argument", "build argument MODE: another value (secret)")]


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="matches no target of record"):
        cachereport.make(record(1, BOTH), (), ["three*"])


def test_the_critical_path_ends_with_what_ended_last() -> None:
    made = timeline.make(record(1, BOTH))
    names = {step.digest: step.name for step in made.steps}
    path = [names[digest] for digest in made.critical]
    assert path[-4:] == [
        "[base 2/3] COPY pkg.json ./",
        "[base 3/3] RUN sleep 0.4; echo t29887",
        "[two 1/1] RUN sleep 0.2",
        "exporting to image",
    ]
    assert made.longest is not None
    assert made.longest.name == "[base 3/3] RUN sleep 0.4; echo t29887"
    assert 0 < made.saved_seconds <= made.longest.seconds
    assert 0.9 < made.seconds < 2


def test_the_critical_path_leads_through_work_where_cached_steps_end_alike() -> None:
    """BuildKit stamps what came from the cache after the last step that ran, all with one time."""
    made = record(1, BOTH)
    of = replace(made.steps[0], kind=STEP, state=CACHED, started_seconds=6, ended_seconds=6)
    steps = (
        replace(of, digest="z", inputs=("?",), started_seconds=0, ended_seconds=0),
        replace(of, digest="w", inputs=("z",), state=RUN, started_seconds=0, ended_seconds=5),
        replace(of, digest="a", inputs=("z",)),
        replace(of, digest="b", inputs=("w",)),
        replace(of, digest="c", inputs=("a", "b")),
    )
    assert timeline.make(replace(made, steps=steps)).critical == ("z", "w", "b", "c")


def test_every_format_is_written() -> None:
    made = record(1, BOTH)
    report = cachereport.make(made, ())
    assert json.loads(cache_table.render(report, "json"))["hit_percent"] == 0
    assert "| `one`" in cache_table.render(report, "markdown")
    shown = timeline_table.render(timeline.make(made), "text")
    assert "critical path" in shown
    assert json.loads(timeline_table.render(timeline.make(made), "json"))["longest"]
    assert made.id in record_table.render([made], "text")
    assert json.loads(record_table.render([made], "json"))["records"][0]["steps"] == 5


HOSTILE = "\x1b[31mRUN a | b `c` <script>\udcff"


def test_nothing_of_a_record_is_markup_or_moves_the_cursor() -> None:
    """Pipes are what RUN is full of; a record may be anybody's."""
    made = record(1, BOTH)
    steps = [
        replace(step, name=HOSTILE) if step.instruction == "COPY pkg.json ./" else step
        for step in made.steps
    ]
    made = replace(made, status=HOSTILE, steps=tuple(steps))
    report, times = cachereport.make(made, ()), timeline.make(made)
    for format_ in ("text", "markdown"):
        told = cache_table.render(report, format_)
        tables = [told, timeline_table.render(times, format_), record_table.render([made], format_)]
        assert all("\x1b" not in each and "\udcff" not in each for each in tables)
        assert all("x1b" in each for each in tables)
    for rendered in (
        cache_table.render(report, "markdown"),
        timeline_table.render(times, "markdown"),
    ):
        (row,) = [
            line for line in rendered.splitlines() if line.startswith("|") and "script" in line
        ]
        header = next(
            line for line in rendered.splitlines() if "| missed" in line or "| step" in line
        )
        assert row.count("|") == header.count("|")
        assert "<script" not in row
    assert "<script" not in record_table.render([made], "markdown")
    assert "\n*" not in timeline_table.render(times, "markdown")  # it would be a list
    for rendered in (cache_table.render(report, "json"), timeline_table.render(times, "json")):
        assert HOSTILE in rendered.encode().decode() or json.loads(rendered)["status"] == HOSTILE
