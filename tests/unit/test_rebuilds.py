"""What compare.builds changes, in which order it builds, what it keeps, and what is shown of it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.core import filling
from tasks.core.bake.baking import Build, Built
from tasks.core.bake.definitions import Target
from tasks.core.errors import BuildFailed, UsageError
from tasks.core.journal.history import Step
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Severity, Status, Verdict
from tasks.core.rebuilds import edits, measure, plan, results, running, scratch, variants
from tasks.core.rebuilds.measure import Taken
from tasks.core.rebuilds.results import Measured, Results, Run, Size, Subject
from tasks.core.render import progress
from tasks.core.render import variants as table
from tasks.core.verifying import kept
from tasks.core.verifying.kept import Kept

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("first\n")


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["src/app.ts", "src/app.test.ts", "vite.config.ts", "src/util/deep.ts"], "src/app.ts"),
        (["test/app.ts", "src/zeta.ts", "src/other/main.ts"], "src/other/main.ts"),
        (["main.go", "internal/db/db.go"], "main.go"),
        (["node_modules/a/index.js", "lib/index.js", "setup.py"], "lib/index.js"),
        (["app.py", "conftest.py", "tests/test_app.py"], "app.py"),
        (["index.html", "src/site.css"], "index.html"),
        (["style.css", "run.py"], "run.py"),
        (["README.md", "Makefile"], None),
    ],
)
def test_a_source_is_found_by_looking(tmp_path: Path, names: list[str], wanted: str | None) -> None:
    write(tmp_path, *names)
    found = edits.find_source(tmp_path)
    assert (found.as_posix() if found else None) == wanted


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["package.json", "requirements.txt"], "package.json"),
        (["go.mod", "main.go"], "go.mod"),
        (["api/requirements.txt", "web/package.json"], "web/package.json"),
        (["a/b/package.json"], None),
    ],
)
def test_what_names_dependencies_is_found(
    tmp_path: Path, names: list[str], wanted: str | None
) -> None:
    write(tmp_path, *names)
    found = edits.find_dependencies(tmp_path)
    assert (found.as_posix() if found else None) == wanted


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", "# slipway: changed x 1"),
        ("a.ts", "// slipway: changed x 1"),
        ("a.html", "<!-- slipway: changed x 1 -->"),
        ("a.css", "/* slipway: changed x 1 */"),
    ],
)
def test_a_remark_is_one_of_the_language_and_stays_one(
    tmp_path: Path, name: str, line: str
) -> None:
    write(tmp_path, name)
    for run in (0, 1):
        edits.change_source(tmp_path / name, "", f"x {run}")
    assert (tmp_path / name).read_text() == f"first\n{line}\n"


def test_a_text_is_changed_in_its_place_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_text('say("hello");\n')
    edits.change_source(path, "hello", "x 0")
    edits.change_source(path, "hello", "x 1")
    assert path.read_text() == 'say("hello (slipway x 1)");\n'


def test_a_file_that_cannot_be_changed_says_how_to_mend_it(tmp_path: Path) -> None:
    write(tmp_path, "a.ts", "a.unknown")
    with pytest.raises(UsageError, match="not once: mend source_text"):
        edits.change_source(tmp_path / "a.ts", "hello", "x")
    with pytest.raises(UsageError, match="source_text in the policy"):
        edits.change_source(tmp_path / "a.unknown", "", "x")
    with pytest.raises(UsageError, match="is it committed"):
        edits.change_source(tmp_path / "none.ts", "", "x")


def test_npm_without_a_lock_or_with_one_of_its_own(tmp_path: Path) -> None:
    manifest = {"name": "a", "dependencies": {"vary": "1.1.2"}}
    (tmp_path / "package.json").write_text(json.dumps(manifest))
    edits.change_npm(tmp_path, 4, "x")
    changed = json.loads((tmp_path / "package.json").read_text())
    assert changed == {**manifest, "description": " (x 4)"}
    lock: dict[str, Any] = {"packages": {"": {"name": "a"}, "node_modules/vary": {"version": "1"}}}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    edits.change_npm(tmp_path, 4, "y")
    assert json.loads((tmp_path / "package-lock.json").read_text()) == lock
    edits.change_npm(tmp_path, 5, "y")
    added = json.loads((tmp_path / "package-lock.json").read_text())["packages"]
    assert added["node_modules/unpipe"]["dev"] is True
    assert added[""]["devDependencies"] == {"unpipe": "1.0.0"}


def test_nothing_of_a_definition_reaches_beyond_the_copy() -> None:
    raw = {
        "target": {
            "app": {
                "context": "app",
                "tags": ["mine:latest"],
                "cache-to": [{"type": "registry", "ref": "r/cache"}],
                "cache-from": [{"type": "registry", "ref": "r/cache"}],
                "output": [{"type": "image", "push": "true"}],
                "contexts": {"base": "target:Base", "other": "docker-image://node:22"},
                "secret": [{"id": "a", "src": "secret.txt"}, {"id": "b", "env": "B"}],
                "args": {"A": "${literal}"},
            },
            "Base": {"context": ".", "tags": ["mine:base"]},
            "unrelated": {"context": "."},
        }
    }
    made = scratch.own_names(raw, ["app"], "slipway-compare-1", Path("/repo"))["target"]
    assert made == {
        "app": {
            "context": "app",
            "tags": ["slipway-compare-1/app:compare"],
            "contexts": {"base": "target:Base", "other": "docker-image://node:22"},
            "secret": [{"id": "a", "src": "/repo/secret.txt"}, {"id": "b", "env": "B"}],
            "args": {"A": "${literal}"},
        },
        "Base": {"context": ".", "tags": ["slipway-compare-1/base:compare"]},
    }


def test_cache_mounts_are_ones_own() -> None:
    text = (
        "RUN --mount=type=cache,target=/root/.npm --mount=type=bind,source=a,target=/a npm ci\n"
        "RUN --mount=type=cache,id=go-$TARGETARCH,target=/go,sharing=locked go build\n"
        "RUN --mount=type=secret,id=ca true\n"
    )
    assert scratch.own_caches(text, "p") == (
        "RUN --mount=type=cache,target=/root/.npm,id=p-/root/.npm "
        "--mount=type=bind,source=a,target=/a npm ci\n"
        "RUN --mount=type=cache,target=/go,sharing=locked,id=p-go-$TARGETARCH go build\n"
        "RUN --mount=type=secret,id=ca true\n"
    )


def test_a_copy_without_git_leaves_out_what_is_made(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, "a/b.txt", "a/node_modules/c.js", ".venv/d", ".slipway/e", "f")
    (root / "link").symlink_to("f")
    scratch.copy_tree(root, tmp_path / "copy")
    copied = sorted(p.relative_to(tmp_path / "copy").as_posix() for p in _files(tmp_path / "copy"))
    assert copied == ["a/b.txt", "f", "link"]
    assert (tmp_path / "copy" / "link").is_symlink()


def test_targets_take_turns_and_cold_comes_last() -> None:
    jobs = plan.plan(("a", "b"), ("cold", "warm"), 2)
    told = [(job.target, job.scenario, job.run) for job in jobs]
    assert [run for _, _, run in told[:2]] == [None, None]
    one = [("a", "warm"), ("a", "cold"), ("b", "warm"), ("b", "cold")]
    assert [(target, scenario) for target, scenario, _ in told[2:]] == one * 2


def test_the_time_that_is_left() -> None:
    cold, warm = plan.Job("a", "cold", 0), plan.Job("a", "warm", 0)
    assert plan.remaining_seconds([cold], []) == plan.GUESS_SECONDS
    assert plan.remaining_seconds([cold, warm], [(cold, 40.0)]) == 80.0
    assert plan.remaining_seconds([cold, warm], [(cold, 40.0), (warm, 2.0)]) == 42.0


@pytest.mark.parametrize("runs", ["0", "101", "x", "-1", "1.5"])
def test_bad_runs(runs: str) -> None:
    with pytest.raises(UsageError, match="from 1 to 100"):
        plan.runs_of(runs)


def test_scenarios_are_chosen() -> None:
    assert plan.scenarios_of("") == results.SCENARIOS
    assert plan.scenarios_of("source, cold") == ("source", "cold")
    with pytest.raises(UsageError, match="expected some of warm, source, dependency, cold"):
        plan.scenarios_of("hot")


def test_the_command_that_is_noted_holds_no_value_of_a_setting() -> None:
    wish = running.wish(["a-*"], "2", "cold", ["API_TOKEN=hunter2"])
    assert wish.command == (
        "inv compare.builds --runs 2 --target 'a-*' --scenario cold --set 'API_TOKEN=…'"
    )


def test_what_is_kept_comes_back_and_is_joined(tmp_path: Path) -> None:
    assert results.load(tmp_path) == Results()
    first = subject(measured("cold", 9.0), measured("warm", 1.0))
    results.store(tmp_path, results.joined(Results(), [first]))
    anew = replace(subject(measured("cold", 5.0)), sizes=())
    found = results.joined(results.load(tmp_path), [anew]).subjects[0]
    assert [(m.scenario, m.seconds) for m in found.scenarios] == [("warm", 1.0), ("cold", 5.0)]
    assert found.sizes == first.sizes


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("schema",), 2, "its schema is '2', not 1"),
        (("subjects",), {}, "is not an array"),
        (("subjects", 0, "scenarios", 0, "scenario"), "hot", "'hot' is no scenario"),
        (("subjects", 0, "scenarios", 0, "runs", 0, "seconds"), -1, "not a number of at least 0"),
        (("subjects", 0, "scenarios", 0, "runs", 0, "cached"), 9, "more steps are cached"),
        (("subjects", 0, "scenarios", 0, "at"), "yesterday", "is not a time"),
    ],
)
def test_results_that_are_not_ours_are_refused(
    tmp_path: Path, path: tuple[Any, ...], value: object, reason: str
) -> None:
    results.store(tmp_path, Results(subjects=(subject(measured("cold", 9.0)),)))
    file = tmp_path / results.FILE
    document = json.loads(file.read_text())
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    file.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=reason):
        results.load(tmp_path)


def test_verdicts_are_kept_by_place_and_read_back(tmp_path: Path) -> None:
    assert kept.load(tmp_path) == ()
    kept.store(tmp_path, [verdict("a", Status.FAILED), verdict("b", Status.PASSED)])
    kept.store(tmp_path, [verdict("a", Status.PASSED)])
    found = {one.verdict.target: one.verdict.status for one in kept.load(tmp_path)}
    assert found == {"a": Status.PASSED, "b": Status.PASSED}


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"schema": 1}', '{"schema": 1, "verdicts": [1]}', '{"schema": 2, "verdicts": []}'],
)
def test_verdicts_that_are_none_are_refused_and_written_anew(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / kept.FILE
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(UsageError, match="no verdicts: "):
        kept.load(tmp_path)
    kept.store(tmp_path, [verdict("a", Status.PASSED)])
    assert len(kept.load(tmp_path)) == 1
    assert "written anew" in capsys.readouterr().err


def test_rows_tell_numbers_dashes_and_why() -> None:
    baseline = subject(measured("cold", 60.0), measured("source", 50.0), variant="baseline")
    optimized = subject(
        replace(measured("cold"), reason="the build failed: no disk"),
        measured("source", 12.5),
        size_bytes=40 * 2**20,
    )
    verdicts = [Kept(verdict("app-optimized", Status.PASSED), NOW)] * 3
    verdicts.append(Kept(verdict("app-optimized", Status.FAILED), NOW))
    verdicts.append(Kept(verdict("app-optimized", Status.SKIPPED), NOW))
    rows = variants.rows(
        [target("optimized"), target("baseline")],
        Results(subjects=(baseline, optimized)),
        verdicts,
        "linux/amd64",
    )
    assert [row.variant for row in rows] == ["baseline", "optimized"]
    told = {name: table.shown(name, figure) for name, figure in rows[1].figures.items()}
    assert told == {
        "compressed": "40.0 MiB",
        "unpacked": "120.0 MiB",
        "cold": "-",
        "warm": "-",
        "source": "12.5 s",
        "dependency": "-",
        "cached": "75 %",
        "proofs": "3 of 4",
    }
    text = table.render(rows, "text")
    assert "No figure, the build failed: no disk: cold of app-optimized." in text
    assert "No figure, not proven: proofs passed of app-baseline." in text
    assert "By `inv verify.production --target TARGET`: proofs passed." in text
    assert table.effect(rows, "optimized/baseline source") == (
        "Source, baseline to optimized: app: 50.0 s to 12.5 s (-75 %)."
    )
    assert "not measured" in table.effect(rows, "optimized/baseline warm")
    figure = json.loads(table.render(rows, "json"))["variants"][1]["figures"]["source"]
    assert figure["value"] == 12.5
    assert figure["runs"] == [12.5]
    assert figure["command"] == "inv compare.builds"


def test_hostile_results_do_no_harm_in_markdown() -> None:
    evil = "|<b>@all\x1b[31m"
    found = Results(subjects=(replace(subject(measured("cold", 1.0)), service=evil),))
    rows = variants.rows([replace(target("optimized"), service=evil)], found, [], "linux/amd64")
    text = table.render(rows, "markdown")
    assert "<b>" not in text.replace("\\<b\\>", "")
    assert "\x1b" not in text
    assert len({line.replace("\\|", "").count("|") for line in text.splitlines()[:3]}) == 1


def test_every_marker_of_a_page_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- variants: begin -->\n<!-- variants: end -->\n"
        "<!-- variants a/b cold: begin -->stale<!-- variants a/b cold: end -->\n"
        "<!-- other: begin --><!-- other: end -->\n"
    )
    assert filling.names(page, "variants") == ("variants", "variants a/b cold")
    filling.fill(page, "variants a/b cold", "new")
    assert "stale" not in page.read_text()


def test_a_bar_fits_the_terminal_and_lines_are_for_everything_else() -> None:
    assert progress.line(3, 14, "a: cold, run 1", 40) == "[3/14] a: cold, run 1 … about 40 s left"
    drawn = progress.bar(3, 5, "a: cold, run 1", 240, 60)
    assert drawn.startswith("█" * 10 + "░" * 14)
    assert len(drawn) < 60
    assert "4 min" in progress.bar(3, 5, "a", 240, 100)


def test_notices_appear_above_the_bar() -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    shown = progress.Progress(terminal)
    shown.tell(1, 2, "a", 1)
    bar = terminal.getvalue().rpartition("\x1b[K")[2]
    shown.above("notice\n")
    assert terminal.getvalue().endswith(f"\r\x1b[Knotice\n{bar}")
    shown.end()
    assert terminal.getvalue().endswith("\r\x1b[K")


@dataclass
class Repeating:
    """Builds of which the first ones had a part done twice; what each found in its file."""

    root: Path
    times: int
    seen: list[str] = field(default_factory=list)

    def build(self, *_: object) -> Build:
        self.seen.append((self.root / "app.py").read_text())
        step = Step("sha256:1", "[1/1] COPY app.py /", cached=False, seconds=0.1)
        built = Built("app-optimized", (), "", 0.1, (step,))
        return Build((built,), 0.1, repeated=len(self.seen) <= self.times)


@pytest.fixture
def taken(tmp_path: Path) -> Taken:
    (tmp_path / "app.py").write_text("print()\n")
    known: Any = SimpleNamespace(
        root=tmp_path,
        settings=SimpleNamespace(project="p"),
        everything=lambda: SimpleNamespace(
            targets={"app-optimized": SimpleNamespace(context=tmp_path)}
        ),
    )
    return Taken(target("optimized"), known, Policy())


def test_a_build_that_was_made_twice_does_not_count(
    taken: Taken, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = Repeating(taken.session.root, 2)
    monkeypatch.setattr(measure, "builds", engine)
    measure._one(taken, plan.Job("app-optimized", "source", 1), as_layouts=False)
    assert len(set(engine.seen)) == 3
    (run,) = taken.runs["source"]
    assert (run.cached, run.steps) == (0, 1)
    assert "app-optimized: source, run 2 does not count" in capfd.readouterr().err


def test_builds_are_not_repeated_for_ever(taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Repeating(taken.session.root, 9)
    monkeypatch.setattr(measure, "builds", engine)
    with pytest.raises(BuildFailed, match="3 times in a row"):
        measure._one(taken, plan.Job("app-optimized", "source", 1), as_layouts=False)
    assert len(engine.seen) == 3


def subject(
    *scenarios: Measured, variant: str = "optimized", size_bytes: int = 100 * 2**20
) -> Subject:
    size = Size("linux/amd64", size_bytes, 3 * size_bytes, 4)
    return Subject(
        f"app-{variant}", "app", variant, (), (size,), "inv compare.builds", tuple(scenarios)
    )


def measured(scenario: str, *seconds: float) -> Measured:
    runs = tuple(Run(each, 4, 3) for each in seconds)
    return Measured(scenario, NOW, "inv compare.builds", "a machine.", runs)


def verdict(name: str, status: Status) -> Verdict:
    return Verdict(name, "linux/amd64", "a.b", status, "1", "2", "3", Severity.LOW, ("f",))


def target(variant: str) -> Target:
    return Target(
        name=f"app-{variant}",
        service="app",
        variant=variant,
        stage="production",
        context=Path("/r/app"),
        dockerfile=Path("/r/app/Dockerfile"),
        inline=None,
        args={},
        labels={},
        tags=("app:1",),
        platforms=(),
        secrets=(),
        contexts={},
    )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
