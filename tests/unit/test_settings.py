"""Settings: their order, their origins, and one line for everything that cannot be meant."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from tasks.core import settings
from tasks.core.errors import OutOfReach, UsageError

EXAMPLE = """\
PROJECT=devops
VERSION=
GIT_COMMIT=
BUILD_DATE=
REGISTRY=
PLATFORMS=linux/amd64
NODE_IMAGE=node:22-bookworm-slim
REACT_APP_API_URL=/api
API_TOKEN=
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    (root / ".env.example").write_text(EXAMPLE)
    return root


def load(root: Path, *overrides: str, **environ: str) -> settings.Settings:
    return settings.load(root, overrides=overrides, environment=environ)


def test_each_layer_overrides_the_one_before(repo: Path) -> None:
    (repo / ".env").write_text("REACT_APP_API_URL=/env\nNODE_IMAGE=node:20\nREGISTRY=one\n")
    (repo / ".env.ci").write_text("NODE_IMAGE=node:21\nREGISTRY=two\nPROJECT=ci\n")
    found = settings.load(
        repo,
        profile="ci",
        environment={"REGISTRY": "three", "PROJECT": "environ"},
        overrides=["PROJECT=last"],
    )
    shown = {name: (entry.value, entry.origin) for name, entry in found.entries.items()}
    assert shown["PLATFORMS"] == ("linux/amd64", "default")
    assert shown["REACT_APP_API_URL"] == ("/env", ".env:1")
    assert shown["NODE_IMAGE"] == ("node:21", ".env.ci:1")
    assert shown["REGISTRY"] == ("three", "environment")
    assert shown["PROJECT"] == ("last", "--set")


def test_a_repository_without_example_or_env_has_slipways_own_settings(tmp_path: Path) -> None:
    root = tmp_path / "My Shop"
    root.mkdir()
    found = load(root)
    assert found.project == "my-shop"
    assert found["ENGINE"] == "auto"
    assert "NODE_IMAGE" not in found


def test_outside_git_version_and_commit_say_so_and_the_date_is_a_date(repo: Path) -> None:
    found = load(repo)
    assert (found["VERSION"], found["GIT_COMMIT"]) == ("0.0.0", "unknown")
    assert found["BUILD_DATE"].endswith("T00:00:00Z")
    assert "SOURCE_DATE_EPOCH" not in found.environment()


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    environment = {"PATH": "/usr/bin:/bin", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
    subprocess.run(
        ["git", *who, *words], cwd=root, check=True, capture_output=True, env=environment
    )


def test_in_git_they_come_from_the_commit_and_its_tag(repo: Path) -> None:
    git(repo, "init", "--quiet")
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "--message", "first")
    found = load(repo)
    assert found["VERSION"] == f"0.0.0-g{found['GIT_COMMIT'][:9]}"
    assert len(found["GIT_COMMIT"]) == 40
    assert found["BUILD_DATE"] == "2026-01-02T03:04:05Z"
    git(repo, "tag", "v1.4.0")
    assert load(repo)["VERSION"] == "1.4.0"
    (repo / ".env.example").write_text(EXAMPLE + "# changed\n")
    assert load(repo)["VERSION"] == "1.4.0-dirty"


def test_a_checkout_without_a_commit_is_no_error(repo: Path) -> None:
    git(repo, "init", "--quiet")
    assert load(repo)["GIT_COMMIT"] == "unknown"


def test_source_date_epoch_decides_the_date(repo: Path) -> None:
    assert load(repo, SOURCE_DATE_EPOCH="86400")["BUILD_DATE"] == "1970-01-02T00:00:00Z"


def test_platforms_are_normalised(repo: Path) -> None:
    found = load(repo, "PLATFORMS=linux/x86_64, linux/arm64/v8")
    assert found.platforms == ("linux/amd64", "linux/arm64")


def test_interpolation_and_quotes_are_python_dotenvs(repo: Path) -> None:
    (repo / ".env").write_text('PROJECT=shop\nREACT_APP_API_URL="/${PROJECT}/api"  # why\n')
    assert load(repo)["REACT_APP_API_URL"] == "/shop/api"
    (repo / ".env").write_text("REGISTRY=${WHERE}\nREACT_APP_API_URL=/${NOPE:-api}${NO:-}\n")
    found = load(repo, WHERE="registry.example")
    assert (found["REGISTRY"], found["REACT_APP_API_URL"]) == ("registry.example", "/api")


BAD_FILES = {
    "unknown name": (
        "NODE_IMGAE=node:22\n",
        ".env:1: unknown setting NODE_IMGAE; did you mean NODE_IMAGE?",
    ),
    "unknown, nothing close": ("\n\nFOO=1\n", ".env:3: unknown setting FOO; declare it"),
    "malformed line": ("PROJECT=x\nthis is no line\n", ".env:2: malformed line"),
    "no value": ("PROJECT\n", ".env:1: malformed line at 'PROJECT'; expected NAME=value"),
    "bad platform": ("# c\nPLATFORMS=linux/amd46\n", ".env:2: PLATFORMS: 'linux/amd46' is not"),
    "platform twice": (
        "PLATFORMS=linux/arm64,linux/aarch64\n",
        ".env:1: PLATFORMS: 'linux/arm64' is listed",
    ),
    "no platform": ("PLATFORMS=' , '\n", ".env:1: PLATFORMS: ' , ' names no platform"),
    "empty value": ("NODE_IMAGE=\n", ".env:1: NODE_IMAGE is empty and would override its default"),
    "twice": ("VERSION=1\nVERSION=2\n", ".env:2: VERSION is already set on line 1"),
    "bad version": ("VERSION=1 2\n", ".env:1: VERSION: '1 2' is not valid"),
    "bad registry": ("REGISTRY=https://host\n", ".env:1: REGISTRY: 'https://host' is not valid"),
    "bad image": ("NODE_IMAGE=Node:22\n", ".env:1: NODE_IMAGE: 'Node:22' is not valid"),
    "bad engine": (
        "ENGINE=podman\n",
        ".env:1: ENGINE: 'podman' is not one of auto, system, embedded",
    ),
    "bad date": ("BUILD_DATE=yesterday\n", ".env:1: BUILD_DATE: 'yesterday' is not a date"),
    "date without zone": (
        "BUILD_DATE=2026-01-01T00:00:00\n",
        ".env:1: BUILD_DATE: '2026-01-01T00:00:00' is not a date with time and",
    ),
    "week date": (
        "BUILD_DATE=2026-W01-1T00:00:00Z\n",
        ".env:1: BUILD_DATE: '2026-W01-1T00:00:00Z'",
    ),
    "no such day": ("BUILD_DATE=2026-02-31T00:00:00Z\n", ".env:1: BUILD_DATE: '2026-02-31T00:"),
    "year 1": (
        "BUILD_DATE=0001-01-01T00:00:00+14:00\n",
        ".env:1: BUILD_DATE: '0001-01-01T00:00:00+14:00' is before 1970",
    ),
    "undefined name": (
        "PROJECT=x\n\nREACT_APP_API_URL=/${NOPE}\n",
        ".env:3: ${NOPE} is set neither above nor in the environment; set it, or write ${NOPE:-",
    ),
    "bad project": ("PROJECT=My Shop\n", ".env:1: PROJECT: 'My Shop' is not valid"),
    "bad commit": ("GIT_COMMIT=HEAD\n", ".env:1: GIT_COMMIT: 'HEAD' is not valid"),
    "no such bundle": (
        "CA_BUNDLE=/nowhere.pem\n",
        ".env:1: CA_BUNDLE: '/nowhere.pem' is not a file",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_gets_one_line_with_its_place(repo: Path, case: str) -> None:
    text, expected = BAD_FILES[case]
    (repo / ".env").write_text(text)
    with pytest.raises(UsageError) as caught:
        load(repo)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)
    assert caught.value.code == 2


BAD_WORDS = {
    "unknown": ("NODE_IMAG=x", "--set: unknown setting NODE_IMAG; did you mean NODE_IMAGE?"),
    "no equals": ("PROJECT", "--set 'PROJECT': expected NAME=value"),
    "no name": ("=x", "--set '': expected NAME=value"),
    "empty": ("NODE_IMAGE=", "--set: NODE_IMAGE is empty"),
}


@pytest.mark.parametrize("case", BAD_WORDS)
def test_a_bad_override_gets_one_line(repo: Path, case: str) -> None:
    word, expected = BAD_WORDS[case]
    with pytest.raises(UsageError) as caught:
        load(repo, word)
    assert str(caught.value).startswith(expected)


def test_a_bad_environment_is_named_as_such(repo: Path) -> None:
    with pytest.raises(UsageError, match=r"^environment: PLATFORMS: 'x' is not a platform"):
        load(repo, PLATFORMS="x")
    with pytest.raises(UsageError, match=r"^environment: SOURCE_DATE_EPOCH: 'soon' is not"):
        load(repo, SOURCE_DATE_EPOCH="soon")
    with pytest.raises(UsageError, match=r"^environment: NODE_IMAGE is empty"):
        load(repo, NODE_IMAGE="")


def test_a_missing_file_or_profile_is_named(repo: Path) -> None:
    (repo / ".env.ci").write_text("")
    with pytest.raises(UsageError, match=r"^--env-file nope: no such file$"):
        settings.load(repo, env_file="nope", environment={})
    with pytest.raises(
        UsageError, match=r"^--profile: profile 'dev': no file \.env\.dev; there are: ci$"
    ):
        settings.load(repo, profile="dev", environment={})
    with pytest.raises(UsageError, match=r"^--set: profile '\.\./x': no name of a profile; there"):
        load(repo, "PROFILE=../x")
    with pytest.raises(UsageError, match=r"'example': no name of a profile; there are: ci$"):
        settings.load(repo, profile="example", environment={})


def test_a_file_that_is_not_text_is_named(repo: Path) -> None:
    (repo / ".env").write_bytes(b"PROJECT=caf\xe9\n")
    with pytest.raises(UsageError, match=r"^\.env: not UTF-8 text at byte 11"):
        load(repo)
    (repo / ".env").unlink()
    (repo / ".env").mkdir()
    with pytest.raises(UsageError, match=r"^\.env: cannot be read: Is a directory"):
        load(repo)


def test_a_bad_default_in_the_schema_is_named(repo: Path) -> None:
    (repo / ".env.example").write_text("PLATFORMS=windows\n")
    with pytest.raises(UsageError, match=r"^\.env\.example:1: PLATFORMS: 'windows' is not"):
        load(repo)


def test_the_example_of_this_repository_is_valid_and_documents_every_setting() -> None:
    root = Path(__file__).parents[2]
    found = settings.load(root, environment={})
    example = (root / ".env.example").read_text()
    undocumented = [name for name in found if f"\n{name}=" not in example]
    assert undocumented == []


def test_an_emptied_setting_hides_the_environments_value_from_children(repo: Path) -> None:
    (repo / ".env").write_text("API_TOKEN=\n")
    environ = {"REGISTRY": "registry.example"}
    assert load(repo, **environ).environment()["REGISTRY"] == "registry.example"
    emptied = load(repo, "REGISTRY=", **environ)
    assert emptied.environment()["REGISTRY"] == ""
    assert "API_TOKEN" not in emptied.environment()


def test_relative_paths_start_where_they_were_written(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for folder in (repo, here):
        (folder / "ca.pem").write_text("")
    monkeypatch.chdir(here)
    assert load(repo, "CA_BUNDLE=ca.pem")["CA_BUNDLE"] == str(here / "ca.pem")
    assert load(repo, CA_BUNDLE="ca.pem")["CA_BUNDLE"] == str(here / "ca.pem")
    (repo / ".env").write_text("CA_BUNDLE=ca.pem\n")
    assert load(repo)["CA_BUNDLE"] == str(repo / "ca.pem")
    (repo / ".env").unlink()
    (repo / ".env.example").write_text("CA_BUNDLE=ca.pem\n")
    assert load(repo)["CA_BUNDLE"] == str(repo / "ca.pem")


def test_an_env_file_may_be_a_pipe(repo: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("VERSION=7\n",), daemon=True)
    writer.start()
    found = settings.load(repo, env_file=str(pipe), environment={})
    writer.join(timeout=10)
    assert (found["VERSION"], found.entries["VERSION"].origin) == ("7", f"{pipe}:1")


def test_a_checkout_without_git_is_an_error(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert load(repo)["GIT_COMMIT"] == "unknown"
    (repo / ".git").mkdir()
    with pytest.raises(
        OutOfReach, match=r"^git is not on PATH, and .* install git, or set VERSION"
    ):
        load(repo)
    assert load(repo, "VERSION=1", "GIT_COMMIT=unknown", "BUILD_DATE=2026-01-31T12:00:00Z")


def test_a_broken_checkout_is_an_error(repo: Path) -> None:
    (repo / ".git").write_text("gitdir: /nowhere\n")
    expected = "^git cannot read the checkout .*: fatal: not a git repository.*; mend it, or set"
    with pytest.raises(OutOfReach, match=expected):
        load(repo)


def test_a_folder_of_a_checkout_has_its_commit(repo: Path) -> None:
    git(repo, "init", "--quiet")
    git(repo, "commit", "--quiet", "--allow-empty", "--message", "first")
    (repo / "inner").mkdir()
    assert load(repo / "inner")["GIT_COMMIT"] == load(repo)["GIT_COMMIT"] != "unknown"


def test_files_that_may_not_be_read_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npmrc = tmp_path / ".npmrc"
    npmrc.touch()
    around = {"HOME": str(tmp_path), "SSL_CERT_FILE": str(npmrc)}
    assert settings.load(tmp_path, environment=around)["NPMRC"] == str(npmrc)
    monkeypatch.setattr("os.access", lambda *_: False)
    loaded = settings.load(tmp_path, environment=around)
    assert (loaded["NPMRC"], loaded["CA_BUNDLE"]) == ("", "")
    with pytest.raises(UsageError, match=r"NPMRC: .* is not a file that can be read"):
        settings.load(tmp_path, environment=around, overrides=[f"NPMRC={npmrc}"])
