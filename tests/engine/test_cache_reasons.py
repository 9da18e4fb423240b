"""A scripted series of changes: each miss gets its right reason, and what must not miss does not.

Each build is of its own content, so that nothing of other runs is in the cache.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core import process
from tasks.core.bake import buildx
from tasks.core.endpoint import Engine
from tasks.core.journal import cachereport, recordstore
from tasks.core.journal.cachereport import CacheReport
from tests.engine.conftest import (
    Started,
    cache_lock,
    eventually,
    make_scratch,
    remove_images,
    run_task,
)

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-records"
BASE = "slipway-test-records-base:1"
#: Sixteen characters that are in no other file.
VALUE = f"tok{secrets.token_hex(8)}"
DOCKERFILE = """# a comment
ARG MODE_DEFAULT=fast
FROM {base} AS deps
WORKDIR /app
COPY package-lock.json ./
RUN --mount=type=secret,id=token echo {unique}
FROM deps AS build
ARG MODE
COPY src ./src
RUN echo $MODE
FROM deps AS final
COPY --from=build /app/src /srv
RUN echo final {unique}
"""
BAKE = """target "app" {
  context = "svc"
  target = "final"
  args = { MODE = "fast", UNUSED = "1" }
  tags = ["slipway-test-records-app:1"]
  platforms = ["linux/amd64"]
}
"""

BESIDE = """target "app" {
  context = "svc"
  dockerfile = "Dockerfile.beside"
  tags = ["slipway-test-records-beside:1"]
}
"""


@dataclass
class Repo:
    """A repository with one small service, that is changed and built again and again."""

    root: Path
    engine: Engine
    unique: str

    def svc(self, name: str) -> Path:
        return self.root / "svc" / name

    def write(self, name: str, text: str) -> None:
        self.svc(name).parent.mkdir(parents=True, exist_ok=True)
        self.svc(name).write_text(text)

    def sub(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        assert old in path.read_text(), (name, old)
        path.write_text(path.read_text().replace(old, new))

    def build(self, *words: str, code: int = 0) -> CacheReport:
        ran = run_task(
            self.root,
            "build.targets",
            "app",
            *words,
            env={"PROJECT": PROJECT, "REGISTRY": "", "TOKEN_VALUE": VALUE},
        )
        assert ran.code == code, ran.err
        return self.report()

    def swap(self) -> None:
        """One file less, another one changed, since the last build."""
        self.write("src/c.js", "c")
        self.build()
        self.svc("src/c.js").unlink()
        self.write("src/a.js", "3" + self.unique)

    def rename(self) -> None:
        """Call a stage by another name."""
        self.sub("svc/Dockerfile", "AS build", "AS made")
        self.sub("svc/Dockerfile", "=build", "=made")

    def far(self) -> None:
        """Another platform, on a base that there is for both, with a step that nobody else has."""
        self.sub("svc/Dockerfile", BASE, "node:22-bookworm-slim")
        self.sub("svc/Dockerfile", "WORKDIR", f"WORKDIR /{self.unique}\nWORKDIR")
        self.build()
        self.sub("docker-bake.hcl", "linux/amd64", "linux/arm64")

    def report(self) -> CacheReport:
        newest = recordstore.find(self.root)
        return cachereport.make(newest, recordstore.newest_first(self.root, before=newest.id))

    def base(self, content: str) -> None:
        """Make the base image anew, with another content."""
        text = (
            f"FROM node:22-bookworm-slim\nLABEL dev.slipway.project={PROJECT}\n"
            f"RUN echo {content} {self.unique} > /made\n"
        )
        self.docker("build", "--quiet", "--tag", BASE, "-", stdin=text)

    def evict(self, description: str) -> None:
        """Take a step of ours out of the cache, with what BuildKit only keeps for it."""
        for name in self.cached(description):
            with cache_lock():  # --all: images that have the layer do not keep it there
                self.docker("buildx", "prune", "--all", "--force", "--filter", f"id={name}")
        assert self.cached(description) == []

    def cached(self, description: str) -> list[str]:
        """The ids of what BuildKit has of the steps that say so."""
        said = self.docker("buildx", "du", "--verbose", "--filter", "type=regular")
        found = [entry for entry in said.split("\n\n") if description in entry]
        return [entry.partition("ID:")[2].split()[0] for entry in found]

    def docker(self, *words: str, stdin: str | None = None) -> str:
        done = process.read(
            (self.engine.docker, *words), env=self.engine.environment, stdin=stdin, timeout=120
        )
        return done.stdout


@pytest.fixture(scope="module")
def repo(
    engine: Engine, client: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Repo]:
    root = make_scratch(tmp_path_factory.mktemp("records") / "scratch")
    made = Repo(root, engine, f"u{secrets.token_hex(8)}")
    made.base("1")
    (root / "docker-bake.hcl").write_text(BAKE)
    made.write("Dockerfile", DOCKERFILE.format(base=BASE, unique=made.unique))
    made.write(".dockerignore", "**/*.md\n")
    made.write("package-lock.json", made.unique)
    made.write("src/a.js", made.unique)
    made.write("src/notes.md", "1")
    yield made
    remove_images(client, PROJECT)


FILE, INSTRUCTION = "svc/Dockerfile", "instruction"
HCL = "docker-bake.hcl"
Change = Callable[[Repo], object]
#: What is changed, and what the first misses and their reasons are: by the start of the step.
SERIES: tuple[tuple[str, Change, dict[str, tuple[str, str]]], ...] = (
    ("nothing", lambda r: None, {}),
    (
        "a source file",
        lambda r: r.write("src/a.js", "2" + r.unique),
        {"COPY src": ("files", "input files: src/a.js changed")},
    ),
    ("an ignored file", lambda r: r.write("src/notes.md", "2"), {}),
    (
        "the lock file",
        lambda r: r.write("package-lock.json", "2" + r.unique),
        {"COPY package-lock": ("files", "input files: package-lock.json changed")},
    ),
    (
        "a build argument",
        lambda r: r.sub(HCL, '"fast"', '"slow"'),
        {"RUN echo slow": ("argument", "build argument MODE: fast → slow")},
    ),
    ("an argument that no stage uses", lambda r: r.sub(HCL, 'UNUSED = "1"', 'UNUSED = "2"'), {}),
    ("a comment", lambda r: r.sub(FILE, "# a comment", "# another\n\n# one"), {}),
    (
        "an instruction",
        lambda r: r.sub(FILE, "RUN echo final", "RUN echo end"),
        {
            "RUN echo end": (
                INSTRUCTION,
                "instruction changed: RUN echo final {u} → RUN echo end {u}",
            )
        },
    ),
    ("the time of a file", lambda r: os.utime(r.svc("src/a.js")), {}),
    (
        "the mode of a file",
        lambda r: r.svc("src/a.js").chmod(0o755),
        {"COPY src": ("files", "input files: src/a.js mode changed")},
    ),
    (
        "a new file",
        lambda r: r.write("src/b.js", "b"),
        {"COPY src": ("files", "input files: src/b.js added")},
    ),
    ("back to what was: the cache has it", lambda r: r.svc("src/b.js").unlink(), {}),
    (
        "a file less, another changed",
        lambda r: r.swap(),
        {"COPY src": ("files", "input files: src/c.js removed, src/a.js changed")},
    ),
    (
        "a stage's name",
        lambda r: r.rename(),
        {},
    ),
    ("a secret", lambda r: r.sub(HCL, "args", 'secret = ["id=token,env=TOKEN_VALUE"]\n  args'), {}),
    (
        "a step in between",
        lambda r: r.sub(FILE, "RUN echo end", "ENV A=1\nRUN echo between\nRUN echo end"),
        {"RUN echo between": (INSTRUCTION, "instruction added: RUN echo between")},
    ),
    (
        "an ENV in front",
        lambda r: r.sub(FILE, "ENV A=1", "ENV A=2"),
        {"RUN echo between": (INSTRUCTION, "instruction changed before it: ENV A=1 → ENV A=2")},
    ),
    (
        "the base",
        lambda r: r.base("2"),
        {"WORKDIR": ("base", f"base {BASE}: sha256:")},
    ),
    (
        "the cache",
        lambda r: r.evict(f"echo end {r.unique}"),
        {"": ("evicted", "evicted: nothing changed since record ")},
    ),
    (
        "the platform",
        lambda r: r.far(),
        {"WORKDIR": ("platform", "platform linux/arm64 is new (before: linux/amd64)")},
    ),
)


def test_each_miss_has_its_reason(repo: Repo) -> None:
    first = repo.build()
    assert {reason.kind for miss in first.first_misses for reason in miss.reasons} == {"first"}
    wrong: list[str] = []
    for name, change, expected in SERIES:
        change(repo)
        report = repo.build()
        got = {
            miss.step.instruction: [(reason.kind, reason.text) for reason in miss.reasons]
            for miss in report.first_misses
        }
        if not fits(got, expected, repo.unique):
            wrong.append(f"{name}: {got}")
    assert not wrong, "\n".join(wrong)


def fits(
    got: dict[str, list[tuple[str, str]]], expected: dict[str, tuple[str, str]], unique: str
) -> bool:
    """Whether there are these first misses and no others, each for this reason alone."""
    if len(got) != len(expected):
        return False
    return all(
        step.startswith(start)
        and [kind for kind, _ in reasons] == [wanted]
        and reasons[0][1].startswith(text.format(u=unique))
        for (step, reasons), (start, (wanted, text)) in zip(
            got.items(), expected.items(), strict=True
        )
    )


def test_another_build_beside_it_is_told(repo: Repo, tmp_path: Path) -> None:
    """BuildKit's own doing, so seen with it: the same is built twice while another is at work."""
    unique = f"b{secrets.token_hex(8)}"
    start = f"FROM {BASE}\nWORKDIR /{unique}\n"
    (tmp_path / "Dockerfile").write_text(f"{start}RUN echo begun && sleep 300\n")
    repo.write("Dockerfile.beside", f"{start}COPY package-lock.json ./\nRUN echo {unique}\n")
    (repo.root / "beside.hcl").write_text(BESIDE)
    log = tmp_path / "log"
    command = (repo.engine.docker, "buildx", "build", "--progress=plain", str(tmp_path))
    with cache_lock(), log.open("wb") as said:
        other = subprocess.Popen(
            command, env=process.merged(repo.engine.environment), stdout=said, stderr=said
        )
        try:
            Started(other, log).wait_until_it_says(" begun\n")
            repo.build("--file", "beside.hcl")
            beside = repo.build("--file", "beside.hcl")
        finally:
            other.terminate()
            other.wait(30)
        # BuildKit may hold what the other one had for a moment.
        again = partial(repo.build, "--file", "beside.hcl")
        assert eventually(lambda: again().whole.percent == 100, 60)
    states = {step.instruction: step.state for step in beside.record.steps if step.kind == "step"}
    assert states[f"WORKDIR /{unique}"] == "shared"
    (miss,) = beside.first_misses
    assert [reason.kind for reason in miss.reasons] == ["beside"]
    assert f"had run [2/3] WORKDIR /{unique}" in miss.reasons[0].text
    assert beside.record.seconds >= max(step.ended_seconds for step in beside.record.steps)


def test_no_record_holds_the_secret(repo: Repo) -> None:
    """After the series: the build had it, as a build secret."""
    texts = [path.read_text() for path in (repo.root / ".slipway").rglob("*.json")]
    assert any('"token"' in text for text in texts)
    assert not [text for text in texts if VALUE in text]


def test_a_first_build_of_two_targets_hits_nothing(repo: Repo, engine: Engine) -> None:
    """By our count and by BuildKit's own history, though the targets share stages."""
    unique = secrets.token_hex(8)
    repo.write(
        "Dockerfile.two",
        f"FROM node:22-bookworm-slim AS base\nCOPY package-lock.json /\nRUN echo {unique}\n"
        "FROM base AS one\nCOPY src /src\nRUN echo one\nFROM base AS two\nRUN echo two\n",
    )
    repo.write("package-lock.json", unique)
    targets = "".join(
        f'target "{name}" {{\n  context = "svc"\n  dockerfile = "Dockerfile.two"\n'
        f'  target = "{name}"\n  tags = ["slipway-test-records-{name}:1"]\n}}\n'
        for name in ("one", "two")
    )
    (repo.root / "two.hcl").write_text(targets)

    def built() -> tuple[CacheReport, tuple[int, int]]:
        ran = run_task(
            repo.root,
            *("build.targets", "one,two", "--file", "two.hcl"),
            env={"PROJECT": PROJECT, "REGISTRY": ""},
        )
        assert ran.code == 0, ran.err
        return repo.report(), by_hand(repo, engine, 2)

    report, counted = built()
    assert (report.whole.cached, report.whole.steps) == counted == (0, 5)
    assert report.whole.percent == 0
    (repo.svc("src") / "a.js").write_text(unique)
    report, counted = built()
    assert (report.whole.cached, report.whole.steps) == counted == (3, 5)
    said = run_task(repo.root, "report.cache", "--format", "json").json()
    assert (said["hit_percent"], said["steps"]) == (60.0, 5)
    timed = run_task(repo.root, "report.timeline", "--format", "json").json()
    digests = {step["digest"]: step["name"] for step in timed["steps"]}
    assert any("exporting" in digests[digest] for digest in timed["critical_path"])


def by_hand(repo: Repo, engine: Engine, count: int) -> tuple[int, int]:
    """Hits and steps of the last ``count`` builds, from BuildKit's history: by the steps' names."""
    listed = repo.docker("buildx", "history", "ls", "--format", "json").splitlines()
    mine = [json.loads(line) for line in listed if "Dockerfile.two" in line][:count]
    cached: dict[str, bool] = {}
    for build in mine:
        done = subprocess.run(
            buildx.history_logs(engine.docker, build["ref"].rpartition("/")[2]),
            env=process.merged(engine.environment),
            capture_output=True,
            text=True,
            check=True,
        )
        state: dict[str, tuple[str, bool]] = {}
        for line in done.stderr.splitlines():
            for vertex in json.loads(line).get("vertexes") or ():
                if "completed" in vertex:
                    state[vertex["digest"]] = vertex["name"], bool(vertex.get("cached"))
        for name, hit in state.values():
            if "] COPY" in name or "] RUN" in name:
                cached[name] = cached.get(name, True) and hit
    return sum(cached.values()), len(cached)


def test_a_failed_build_leaves_a_record_too(repo: Repo) -> None:
    (repo.root / "docker-bake.hcl").write_text(BAKE)
    repo.sub(FILE, "RUN echo end", "RUN echo last words; exit 3\nRUN echo end")
    report = repo.build(code=4)
    record = report.record
    assert record.status == "failed"
    assert record.failure is not None
    assert "exit 3" in record.failure.step
    assert record.failure.reason == "exit code: 3"
    assert record.failure.log[-1].endswith("last words")
    assert [step.state for step in record.steps if "exit 3" in step.instruction] == ["failed"]
    repo.sub(FILE, "last words; exit 3", "last words; exit 0")
    mended = repo.build()
    (miss,) = mended.first_misses
    assert miss.reasons[0].kind == "instruction"
