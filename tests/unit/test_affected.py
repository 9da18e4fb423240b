"""What changed in a checkout -> exactly the targets that would come out otherwise, and why.

git is the real one. Bake is not: the "bake file" is what ``bake --print`` would say, with ${NAME}
where a variable stands; tests/engine/test_affected.py asks the real one.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks.core import settings
from tasks.core.affected import before, checkout, deciding, taking
from tasks.core.affected.deciding import Affected
from tasks.core.bake import definitions
from tasks.core.bake.definitions import Definition
from tasks.core.endpoint import Engine
from tasks.core.errors import UsageError
from tasks.core.session import Session

ENGINE = Engine("system", "unix:///run/s.sock", {}, "/docker", None, False, "linux/amd64")
BAKE = "docker-bake.json"
STAMPS = {"VERSION": "${VERSION}", "GIT_COMMIT": "${GIT_COMMIT}"}
TARGETS: dict[str, Any] = {
    "base": {"context": "base", "args": STAMPS, "description": "what others stand on"},
    "app": {
        "context": "app",
        "target": "production",
        "args": {**STAMPS, "MODE": "${MODE}"},
        "contexts": {"ground": "target:base", "shared": "shared"},
        "tags": ["app:${VERSION}"],
    },
    "app-test": {"context": "app", "target": "test", "args": {"MODE": "${MODE}"}},
    "web": {
        "context": "web",
        "dockerfile": "../docker/web.Dockerfile",
        "args": {"WEB_TOKEN": "${WEB_TOKEN}"},
        "labels": {"colour": "${COLOUR}"},
    },
    "web-debug": {"context": "web", "dockerfile": "../docker/web.Dockerfile", "target": "debug"},
}
FILES = {
    BAKE: json.dumps({"target": TARGETS}, indent=1),
    ".env.example": "MODE=fast\nCOLOUR=red\nWEB_TOKEN=abc\n",
    ".gitignore": ".env\nbuilt/\n",
    "README.md": "about\n",
    "base/Dockerfile": "FROM scratch\nCOPY etc /etc\n",
    "base/etc/conf": "a\n",
    "base/notes.txt": "nobody copies this\n",
    "app/Dockerfile": (
        "FROM node:22 AS build\nARG MODE\nCOPY src src\nRUN make $MODE\n"
        "FROM build AS test\nCOPY --chown=1:1 test test\n"
        "FROM ground AS production\nCOPY --from=build /out /out\nCOPY --from=shared lib /lib\n"
        "RUN --mount=type=bind,source=tools,target=/t /t/check\n"
    ),
    "app/.dockerignore": "**/*.md\n",
    "app/src/main.c": "int main;\n",
    "app/src/notes.md": "left out\n",
    "app/test/main.c": "int test;\n",
    "app/tools/check": "#!/bin/sh\n",
    "shared/lib/a.h": "#\n",
    "shared/other/b.h": "#\n",
    "docker/web.Dockerfile": (
        "# the page\nFROM node:22 AS debug\nWORKDIR /x\nCOPY index.html /\n"
        "FROM nginx:1.30 AS last\nCOPY . /srv\n"
    ),
    "web/index.html": "<p>\n",
    "web/linked": "never\n",
}
Change = Callable[[Path], object]


def git(root: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *words],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )
    return done.stdout.strip()


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root)
    return root


def resolve(root: Path, text: str, environment: Mapping[str, str]) -> Definition:
    """As bake does: the variables of the bake file filled in."""
    for name, value in environment.items():
        text = text.replace(f"${{{name}}}", value)
    return definitions.parse(root, json.loads(text))


@pytest.fixture
def find(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Affected]:
    def old(session: Session, folder: Path, given: Mapping[str, str]) -> Definition:
        try:
            return resolve(session.root, (folder / BAKE).read_text(), given)
        except FileNotFoundError:
            raise UsageError("no bake file") from None

    def run(since: str = "main", **environ: str) -> Affected:
        session = Session(repo, settings.load(repo, environment=environ), (), False, {})
        now = resolve(repo, (repo / BAKE).read_text(), session.settings.environment())
        session.__dict__.update(_everything=now, engine=ENGINE)
        return deciding.find(session, since)

    monkeypatch.setattr(before, "_resolved", old)
    return run


def write(name: str, text: str) -> Change:
    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    return change


def swap(name: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return change


def several(*changes: Change) -> Change:
    def change(root: Path) -> None:
        for each in changes:
            each(root)

    return change


def remove(name: str) -> Change:
    return lambda root: (root / name).unlink()


def lock(digit: str, name: str = "node:22") -> Change:
    entry = {
        "digest": f"sha256:{digit * 64}",
        "media_type": "application/vnd.oci.image.index.v1+json",
        "platforms": ["linux/amd64"],
        "pinned": "2026-01-02",
    }
    return write("bases.lock.json", json.dumps({"schema": 1, "bases": {name: entry}}))


DOCKER = "docker/web.Dockerfile"
EVERYTHING = set(TARGETS)
CHANGES: dict[str, tuple[Change, set[str]]] = {
    "nothing": (lambda root: None, set()),
    "a file that no target sees": (write("README.md", "more\n"), set()),
    "the same content again": (write("app/src/main.c", "int main;\n"), set()),
    "a source of the builder": (write("app/src/main.c", "int x;\n"), {"app", "app-test"}),
    "a file of one stage alone": (write("app/test/main.c", "int x;\n"), {"app-test"}),
    "a file that a RUN is shown": (write("app/tools/check", "exit 1\n"), {"app"}),
    "a file that is ignored": (write("app/src/notes.md", "x\n"), set()),
    "a file that git leaves out": (write("app/src/built/x.c", "x\n"), set()),
    "a new file, not added": (write("app/src/new.c", "int y;\n"), {"app", "app-test"}),
    "a file that is gone": (remove("app/src/main.c"), {"app", "app-test"}),
    "a mode": (lambda root: (root / "app/tools/check").chmod(0o755), {"app"}),
    "a base that others build on": (write("base/etc/conf", "b\n"), {"base", "app"}),
    "beside what the base copies": (write("base/notes.txt", "b\n"), set()),
    "a shared folder": (write("shared/lib/a.h", "# 2\n"), {"app"}),
    "a shared folder, not copied": (write("shared/other/b.h", "# 2\n"), set()),
    "a comment in the bake file": (swap(BAKE, '\n "target"', '\n\n "target"'), set()),
    "a description": (swap(BAKE, "what others stand on", "the ground"), set()),
    "one target's argument": (swap(BAKE, '"colour": "', '"colour": "dark '), {"web"}),
    "a tag": (swap(BAKE, "app:$", "application:$"), {"app"}),
    "a default that one label has": (swap(".env.example", "red", "blue"), {"web"}),
    "a default of two targets": (swap(".env.example", "fast", "slow"), {"app", "app-test"}),
    "a remark in the settings": (swap(".env.example", "COLOUR", "# which\nCOLOUR"), set()),
    "a stage that one target reaches": (
        swap("app/Dockerfile", "--chown=1:1", "--chown=2:2"),
        {"app-test"},
    ),
    "a comment in a Dockerfile": (swap(DOCKER, "# the page", "# the page, and\n# more"), set()),
    "a Dockerfile outside of its context": (swap(DOCKER, "/srv", "/www"), {"web"}),
    "a first stage": (swap(DOCKER, "WORKDIR /x", "WORKDIR /y"), {"web-debug"}),
    "the ignore file, without effect": (write("app/.dockerignore", "# none\n**/*.md\n"), set()),
    "the ignore file lets something in": (write("app/.dockerignore", ""), {"app", "app-test"}),
    "an ignore file of one Dockerfile": (
        write(f"{DOCKER}.dockerignore", "index.html\n"),
        {"web", "web-debug"},
    ),
    "a lock": (lock("a"), {"app", "app-test", "web-debug"}),
    "a lock of what nobody builds on": (lock("a", "golang:1"), set()),
    "a lock that is switched off": (
        several(lock("a"), write(".env", "BASES_LOCK=off\n")),
        set(),
    ),
    "a new target": (swap(BAKE, '"base": {', '"more": {"context": "base"}, "base": {'), {"more"}),
    "a target less": (swap(BAKE, ' "web-debug"', ' "web-trace"'), {"web-trace"}),
    "a link in place of a file": (
        several(
            lambda root: (root / "web/index.html").unlink(),
            lambda root: (root / "web/index.html").symlink_to("linked"),
        ),
        {"web", "web-debug"},
    ),
    "policy": (write("invoke.yaml", "slipway: {}\n"), set()),
}


@pytest.mark.parametrize("committed", [False, True], ids=["working tree", "committed"])
@pytest.mark.parametrize("name", CHANGES)
def test_exactly_the_right_targets(
    repo: Path, find: Callable[..., Affected], name: str, *, committed: bool
) -> None:
    change, expected = CHANGES[name]
    git(repo, "switch", "--quiet", "--create", "work")
    change(repo)
    if committed:
        commit_if_any(repo)
    assert set(find().targets) == expected


def commit_if_any(root: Path) -> None:
    if git(root, "status", "--porcelain"):
        commit(root)


def test_a_repository_within_this_one(repo: Path, find: Callable[..., Affected]) -> None:
    inner = repo / "app/src/vendored"
    inner.mkdir()
    git(inner, "init", "--quiet")
    (inner / "lib.c").write_text("int z;\n")
    commit(inner)
    assert set(find().targets) == {"app", "app-test"}
    git(repo, "-c", "advice.addEmbeddedRepo=false", "add", "app/src/vendored")
    git(repo, "commit", "--quiet", "--message", "x")
    assert set(find("HEAD").targets) == set()
    (inner / "lib.c").write_text("int y;\n")
    assert set(find("HEAD").targets) == {"app", "app-test"}


def test_reasons_say_what_and_hide_secrets(repo: Path, find: Callable[..., Affected]) -> None:
    swap(".env.example", "abc", "verysecret")(repo)
    swap(".env.example", "red", "blue")(repo)
    write("base/etc/conf", "b\n")(repo)
    found = find()
    told = {name: [each.text for each in given] for name, given in found.targets.items()}
    assert told == {
        "base": ["file base/etc/conf"],
        "app": ["builds on base"],
        "web": ["argument WEB_TOKEN", "label colour: red → blue"],
    }


def test_what_a_link_leads_to_is_taken_with_it(repo: Path, find: Callable[..., Affected]) -> None:
    (repo / "base/linked").symlink_to("notes.txt")
    swap("base/Dockerfile", "COPY etc /etc", "COPY linked /etc")(repo)
    commit(repo)
    write("base/notes.txt", "somebody copies this now\n")(repo)
    assert set(find("HEAD").targets) == {"base", "app"}


def test_the_base_that_moved_is_named(repo: Path, find: Callable[..., Affected]) -> None:
    lock("a")(repo)
    commit(repo)
    lock("b")(repo)
    (reason,) = find("HEAD").targets["app-test"]
    assert reason.text == "base node:22: sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb"


def test_a_lock_that_was_damaged_counts_as_none(repo: Path, find: Callable[..., Affected]) -> None:
    write("bases.lock.json", "<<<<<<<\n")(repo)
    commit(repo)
    lock("b")(repo)
    assert set(find("HEAD").targets) == {"app", "app-test", "web-debug"}


def test_what_the_other_branch_did_meanwhile_is_not_ours(
    repo: Path, find: Callable[..., Affected]
) -> None:
    git(repo, "switch", "--quiet", "--create", "work")
    write("base/etc/conf", "ours\n")(repo)
    commit(repo)
    git(repo, "switch", "--quiet", "main")
    write("app/src/main.c", "theirs\n")(repo)
    commit(repo)
    git(repo, "switch", "--quiet", "work")
    assert set(find("main").targets) == {"base", "app"}


def test_values_from_outside_of_the_repository_are_the_same_on_both_sides(
    repo: Path, find: Callable[..., Affected]
) -> None:
    """The environment, and a .env that git does not know, cannot have changed with a commit."""
    write(".env", "COLOUR=green\n")(repo)
    swap(".env.example", "red", "blue")(repo)
    swap(".env.example", "fast", "slow")(repo)
    assert set(find(MODE="given").targets) == set()


def test_bake_files_that_were_none_make_everything_new(
    repo: Path, find: Callable[..., Affected]
) -> None:
    git(repo, "rm", "--quiet", "--cached", BAKE)
    git(repo, "commit", "--quiet", "--message", "none")
    found = find("HEAD")
    assert set(found.targets) == EVERYTHING
    assert found.targets["web"][0].kind == "unknown"


def test_what_makes_no_difference_is_told(repo: Path, find: Callable[..., Affected]) -> None:
    swap(DOCKER, "# the page", "# a page")(repo)
    assert find().asides == (DOCKER,)


def test_a_checkout_below_the_top_of_its_repository(
    repo: Path, find: Callable[..., Affected], tmp_path: Path
) -> None:
    subprocess.run(["rm", "-rf", repo / ".git"], check=True)
    write("../elsewhere/file", "x\n")(repo)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path)
    write("../elsewhere/file", "y\n")(repo)
    write("app/test/main.c", "int x;\n")(repo)
    assert set(find("HEAD").targets) == {"app-test"}


@pytest.mark.parametrize("since", ["nowhere", "", "-x", "main..work", "v1:"])
def test_a_commit_that_git_does_not_know(
    repo: Path, find: Callable[..., Affected], since: str
) -> None:
    with pytest.raises(UsageError, match=r"^--since .*: git knows no such commit here; fetch it"):
        find(since)


def test_a_shallow_clone_says_how_to_mend_it(repo: Path, tmp_path: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    write("README.md", "2\n")(repo)
    commit(repo)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", repo.as_uri(), str(clone))
    with pytest.raises(UsageError, match=r"this clone is shallow: .*fetch-depth: 0") as caught:
        checkout.find(clone, first)
    assert "\n" not in str(caught.value)


def test_outside_of_git(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no git checkout"):
        checkout.find(tmp_path, "main")


def test_histories_without_a_common_commit(repo: Path, find: Callable[..., Affected]) -> None:
    git(repo, "switch", "--quiet", "--orphan", "other")
    git(repo, "commit", "--quiet", "--allow-empty", "--message", "x")
    git(repo, "switch", "--quiet", "main")
    with pytest.raises(UsageError, match="no commit in common with HEAD"):
        find("other")


@pytest.mark.parametrize(
    ("text", "stage", "seen"),
    [
        ("FROM x\nCOPY a b /\n", None, {"a", "b/c"}),
        ("FROM x\nCOPY a* /\n", None, {"a", "a.txt", "a.d/c"}),
        ("FROM x\nCOPY $WHAT /\n", None, {"a", "a.txt", "a.d/c", "b/c", "z"}),
        ('FROM x\nCOPY ["a", "b", "/"]\n', None, {"a", "b/c"}),
        ("FROM x\nONBUILD COPY a /\nRUN true\n", None, {"a"}),
        ("FROM x\n", None, {"a", "a.txt", "a.d/c", "b/c", "z"}),
        ("FROM x\nRUN <<END\nCOPY a /\nEND\n", None, set()),
        ("FROM x\nCOPY <<a /x\ntext\na\n", None, set()),
        ("FROM x\nADD https://example.org/a z /\n", None, {"z"}),
        ("FROM x AS one\nCOPY a /\nFROM x AS two\nCOPY b /\n", "one", {"a"}),
        ("FROM x AS one\nCOPY a /\nFROM x\nCOPY --from=one / /\n", None, {"a"}),
        ("FROM x AS one\nCOPY a /\nFROM x\nRUN --mount=from=one,target=/o true\n", None, {"a"}),
        ("FROM x\nRUN --mount=type=cache,target=/c true\nCOPY z /\n", None, {"z"}),
    ],
)
def test_which_paths_a_target_takes(text: str, stage: str | None, seen: set[str]) -> None:
    taken = taking.read(text, {}, stage)
    assert taken is not None
    paths = taken.of(taking.MAIN)
    assert {each for each in ("a", "a.txt", "a.d/c", "b/c", "z") if paths.match(each)} == seen


@pytest.mark.parametrize(
    "text", ["# syntax=other/frontend:1\nFROM x\nCOPY a /\n", "no instruction at all", ""]
)
def test_what_cannot_be_told_takes_everything(text: str) -> None:
    assert taking.read(text, {}, None) is None


def test_frontends_of_the_usual_name_are_known_wherever_they_come_from() -> None:
    text = "# syntax=mirror.example:5000/docker/dockerfile:1.7@sha256:00\nFROM x\nCOPY a /\n"
    assert taking.read(text, {}, None) is not None
