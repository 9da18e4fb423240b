"""What is printed about settings and targets: true origins, and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.core import schema, settings
from tasks.core.bake import definitions
from tasks.core.errors import UsageError
from tasks.core.render import definition as definition_text
from tasks.core.render import settings as settings_text
from tasks.core.secrecy import masking

EXAMPLE = "NPM_TOKEN=hunter2secret\nNODE_ENV=production\nREACT_APP_API_URL=/api\n"
SECRETS: dict[str, Any] = {
    "arg": {"args": {"FOO": "hunter2secret"}},
    "arg of a secret name": {"args": {"DB_PASS": "ps-hunter2"}},
    "inside an arg": {"args": {"URL": "https://u:hunter2secret@h/", "V": "v=hunter2secret;"}},
    "url alone": {"args": {"URL": "https://ghp_hunter2@h/", "OTHER": "https://me:p@hunter2@h"}},
    "tag": {"tags": ["host/x:hunter2secret"]},
    "label": {"labels": {"x": "hunter2secret"}},
    "deep": {"cache-to": [{"type": "gha", "token": "hunter2"}], "args": {}},
}


@pytest.fixture
def shop(tmp_path: Path) -> settings.Settings:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    date = "BUILD_DATE=1970-01-02T00:00:00Z"
    return settings.load(tmp_path, overrides=[date], environment={"REACT_APP_API_URL": "/x"})


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    example = "API_TOKEN=\nNODE_IMAGE=node:22\nREACT_APP_API_URL=/api\n"
    (tmp_path / ".env.example").write_text(example)
    return tmp_path


def render(shop: settings.Settings, target: dict[str, Any], format_: str) -> str:
    groups = {"all": {"targets": ["web", "api"]}}
    raw = {"group": groups, "target": {"web": {"context": ".", **target}}}
    return definition_text.render(shop, definitions.parse(shop.root, raw), format_)


@pytest.mark.parametrize("case", SECRETS)
def test_definitions_show_no_secret(shop: settings.Settings, case: str) -> None:
    for format_ in ("text", "json"):
        assert "hunter2" not in render(shop, SECRETS[case], format_)


def test_masked_json_is_otherwise_what_buildx_said(shop: settings.Settings) -> None:
    target = {"args": {"A": "b"}, "no-cache": True, "secret": [{"id": "ca", "env": "NPM_TOKEN"}]}
    shown = json.loads(render(shop, target, "json"))
    assert shown["targets"]["web"] == {"context": ".", **target}


def test_origins_are_told_by_name_not_by_equal_values(shop: settings.Settings) -> None:
    args = {
        "AUTO": "auto",
        "NODE_ENV": "production",
        "REACT_APP_API_URL": "/other",
        "SOURCE_DATE_EPOCH": "86400",
    }
    lines = render(shop, {"args": args}, "text").splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines if line.startswith("  arg")] == [
        "AUTO = auto  (the bake file)",
        "NODE_ENV = production  (NODE_ENV, default)",
        "REACT_APP_API_URL = /other  (the bake file)",
        "SOURCE_DATE_EPOCH = 86400  (the bake file)",
    ]


def test_groups_stand_at_the_end(shop: settings.Settings) -> None:
    assert render(shop, {}, "text").endswith("\n\ngroup all: web, api")


def test_settings_that_contain_a_secret_are_masked(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text("NPM_TOKEN=hunter2\nFEED=/x?t=${NPM_TOKEN}\n")
    found = settings.load(tmp_path, environment={})
    for shown in (settings_text.as_text(found), settings_text.as_json(found)):
        assert "hunter2" not in shown
        assert f"/x?t={masking.MASK}" in shown


def test_only_what_is_secret_is_hidden() -> None:
    kept = "docker-image://node:22@sha256:12 https://host/@scope a@b me:x ab"
    assert masking.hide(kept, ["", "ab"]) == kept
    assert masking.hide("https://me:p@ss@host/a@b") == f"https://{masking.MASK}@host/a@b"
    assert masking.hide("long-secret", ["long", "long-secret"]) == masking.MASK


WORDS = {
    "user and password": ("API_TOKEN=x", "REGISTRY=https://me:hunter2@host"),
    "host and password": ("API_TOKEN=x", "REGISTRY=me:hunter2@host"),
    "token as the user": ("API_TOKEN=x", "NODE_IMAGE=https://hunter2@host/x"),
    "password with @": ("API_TOKEN=x", "NODE_IMAGE=https://me:hunter2@hunter2@host/x"),
    "value of a secret": ("API_TOKEN=hunter2", "PLATFORMS=linux/hunter2"),
    "quoted": ("API_TOKEN=hunter2'\\x", "PLATFORMS=linux/hunter2'\\x"),
    "no equals": ("API_TOKEN=x", "API_TOKEN:hunter2"),
}


@pytest.mark.parametrize("case", WORDS)
def test_errors_show_no_secret(repo: Path, case: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.load(repo, overrides=WORDS[case], environment={})
    assert str(caught.value).startswith("--set")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("line", ["API_TOKEN hunter2", "API_TOKEN: hunter2", "hunter2", "hun/ter2"])
def test_a_malformed_line_shows_its_name_alone(repo: Path, line: str) -> None:
    (repo / ".env").write_text(f"{line}\n")
    with pytest.raises(UsageError, match=r"^\.env:1: malformed line( at 'API_TOKEN')?; ") as caught:
        settings.load(repo, environment={})
    assert "ter2" not in str(caught.value)


def test_the_default_of_a_secret_is_not_shown(repo: Path) -> None:
    (repo / ".env.example").write_text("DB_PASS=hunter2\n")
    with pytest.raises(UsageError, match="DB_PASS is empty and would override") as caught:
        settings.load(repo, overrides=["DB_PASS="], environment={})
    assert "hunter2" not in str(caught.value)


def test_names_tell_which_settings_are_secret() -> None:
    secret = (
        "DB_PASS GITHUB_PAT NPM_AUTHTOKEN NPM_TOKEN PGPASSWORD API_KEY TOKEN_HASH client_secret"
    )
    plain = "PATH BYPASS COMPASS_URL PATTERN MONKEY TOKENIZER AUTHOR PLATFORMS NODE_IMAGE"
    assert [name for name in secret.split() if not schema.is_secret(name)] == []
    assert [name for name in plain.split() if schema.is_secret(name)] == []


def test_the_profile_keeps_its_true_origin(repo: Path) -> None:
    (repo / ".env.ci").write_text("REGISTRY=ci\nPROFILE=other\n")

    def found(*words: str, profile: str | None = None, **environ: str) -> tuple[str, str, str]:
        loaded = settings.load(repo, profile=profile, overrides=words, environment=environ)
        entry = loaded.entries["PROFILE"]
        return entry.value, entry.origin, loaded["REGISTRY"]

    assert found("PROFILE=ci") == ("ci", "--set", "ci")
    assert found(PROFILE="ci") == ("ci", "environment", "ci")
    assert found(profile="ci", PROFILE="nope") == ("ci", "--profile", "ci")
    (repo / ".env.example").write_text("PROFILE=ci\n")
    assert found() == ("ci", "default", "ci")
    (repo / ".env").write_text("PROFILE=ci\n")
    assert found() == ("ci", ".env:1", "ci")


def test_secrets_are_masked_and_so_are_passwords_in_urls(repo: Path) -> None:
    words = ["API_TOKEN=hunter2", "REACT_APP_API_URL=https://me:hunter2@example.org/"]
    found = settings.load(repo, overrides=words, environment={})
    shown = [entry.shown for entry in found.entries.values()]
    assert not [text for text in shown if "hunter2" in text]
    assert found["API_TOKEN"] == "hunter2"
