"""BuildKit's history, on captured output."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from tasks.core.bake.baking import Build, Built
from tasks.core.journal import history
from tasks.core.journal.history import Step
from tasks.core.render import build as build_table

DATA = Path(__file__).parents[1] / "data"


def test_a_cached_build_has_only_cached_steps() -> None:
    trace = history.parse_trace((DATA / "history-logs-cached.jsonl").read_text().splitlines())
    assert [(step.name, step.cached) for step in trace.steps] == [
        ("[1/1] COPY Dockerfile /x", True)
    ]
    assert 0 < trace.seconds < 5


def test_a_failed_build_lists_the_steps_that_ended() -> None:
    trace = history.parse_trace((DATA / "history-logs-failed.jsonl").read_text().splitlines())
    names = [step.name for step in trace.steps]
    assert "[x 1/1] COPY Dockerfile /xy" in names
    assert not [name for name in names if "internal" in name]


def test_the_failing_step_is_named_with_its_last_words() -> None:
    record = json.loads((DATA / "history-inspect-failed.json").read_text())
    found = history.parse_failure(record, ["D2"])
    assert found is not None
    assert found.step == '[t 1/1] RUN ["/nonexist","lint"]'
    assert found.reason == "exit code: 1"
    assert "no such file or directory" in found.log[-1]


def test_another_builds_failure_is_not_ours() -> None:
    record = json.loads((DATA / "history-inspect-failed.json").read_text())
    assert history.parse_failure(record, ["Dockerfile.multistage"]) is None
    assert history.parse_failure({**record, "Error": None}, ["D2"]) is None


def built(name: str, *steps: Step) -> Built:
    return Built(name, (f"{name}:latest",), "sha256:" + "a" * 64, 1.25, steps)


def test_a_step_that_another_target_ran_is_no_hit() -> None:
    shared = Step("sha256:1", "[base 1/1] RUN x", cached=False, seconds=3.0)
    seen_cached = Step("sha256:1", "[base 1/1] RUN x", cached=True, seconds=0.0)
    build = Build((built("a", shared), built("b", seen_cached)), 4.0)
    assert [step.cached for step in build.steps] == [False]
    assert build_table.summary(build) == "2 images in 4.0 s: 0 of 1 steps were cached."


def test_the_table_says_when_everything_was_cached() -> None:
    step = Step("sha256:1", "[1/1] COPY . .", cached=True, seconds=0.0)
    text = build_table.render(Build((built("a", step),), 0.2))
    assert "sha256:aaaaaaaaaaaa" in text
    assert text.endswith("1 image in 0.2 s: everything was cached (1 steps).")


def test_builds_of_another_checkout_are_told_apart(tmp_path: Path) -> None:
    noted = tmp_path / "buildx/refs/default/default/abc"
    noted.parent.mkdir(parents=True)
    noted.write_text(json.dumps({"Target": "x", "LocalPath": "/repo/backend"}))
    environment = {"DOCKER_CONFIG": str(tmp_path)}
    assert history._noted("default/default/abc", environment) == (Path("/repo/backend"), "x")
    assert history._noted("default/default/unknown", environment) == (None, "")
    noted.write_text("[1]")
    assert history._noted("default/default/abc", environment) == (None, "")


def line(name: str, started: str, completed: str) -> str:
    """A vertex as BuildKit reports it, ended."""
    times = {
        "started": f"2026-11-29T07:00:{started}Z",
        "completed": f"2026-11-29T07:00:{completed}Z",
    }
    return json.dumps({"vertexes": [{"digest": name, "name": name, **times}]})


def test_what_another_build_had_begun_does_not_lengthen_this_one() -> None:
    """BuildKit tells a build when the other one began the step that both share."""
    trace = history.parse_trace(
        [
            line("[1/3] WORKDIR /app", "02.0", "02.5"),
            line("[2/3] RUN long", "03.0", "12.0"),
            line("[internal] load build definition from Dockerfile", "10.0", "10.1"),
            line("[3/3] RUN mine", "12.0", "13.0"),
        ]
    )
    assert trace.seconds == 3.0
    steps = {one.name: (one.foreign, one.seconds) for one in trace.vertexes if one.name[1] != "i"}
    assert steps == {
        "[1/3] WORKDIR /app": (True, 0.0),
        "[2/3] RUN long": (True, 2.0),
        "[3/3] RUN mine": (False, 1.0),
    }


def test_what_bake_built_before_for_the_same_call_is_its_own() -> None:
    """A target that is made from another one begins when that one is done."""
    lines = [
        line("[base 1/1] RUN long", "03.0", "12.0"),
        line("[internal] load build definition from Dockerfile", "12.0", "12.1"),
        line("[1/1] RUN mine", "12.2", "13.0"),
    ]
    called = datetime(2026, 11, 29, 7, 0, 2, tzinfo=UTC)
    assert [step.foreign for step in history.parse_trace(lines, called).steps] == [False, False]
    assert [step.foreign for step in history.parse_trace(lines).steps] == [True, False]


def test_of_one_step_the_copy_of_the_one_who_ran_it_counts() -> None:
    ran = Step("sha256:1", "[base 1/1] RUN x", cached=False, seconds=30.0)
    seen = Step("sha256:1", "[base 1/1] RUN x", cached=False, seconds=0.0, foreign=True)
    assert history.unique([[seen], [ran]]) == history.unique([[ran], [seen]]) == (ran,)
