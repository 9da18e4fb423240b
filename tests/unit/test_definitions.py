"""What is learnt from `bake --print`, on captured output of this repository's bake file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.bake import buildx, definitions, overlay
from tasks.core.errors import UsageError

ROOT = Path("/repo")
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def definition() -> definitions.Definition:
    return definitions.parse(ROOT, json.loads((DATA / "bake-print.json").read_text()))


def test_service_variant_and_stage_come_from_folder_dockerfile_and_target(
    definition: definitions.Definition,
) -> None:
    known = {name: (t.service, t.variant, t.stage) for name, t in definition.targets.items()}
    assert known == {
        "backend-baseline": ("backend", "baseline", None),
        "backend-production": ("backend", "multistage", "production"),
        "frontend-production": ("frontend", "multistage", "production"),
    }
    released = [name for name, target in definition.targets.items() if target.released]
    assert released == ["backend-production", "frontend-production"]


@pytest.mark.parametrize(
    ("dockerfile", "variant"),
    [
        ("Dockerfile", "default"),
        ("Dockerfile.optimized", "optimized"),
        ("docker/api.Dockerfile", "api"),
        ("docker/Dockerfile.multiarch", "multiarch"),
    ],
)
def test_variant(dockerfile: str, variant: str) -> None:
    parsed = definitions.parse(ROOT, {"target": {"x": {"dockerfile": dockerfile}}})
    assert parsed.targets["x"].variant == variant


def test_a_target_at_the_root_or_elsewhere_is_its_own_service() -> None:
    document = {"target": {"app": {}, "far": {"context": "https://example.org/x.git"}}}
    parsed = definitions.parse(ROOT, document)
    assert {name: target.service for name, target in parsed.targets.items()} == {
        "app": "app",
        "far": "far",
    }
    assert parsed.targets["far"].dockerfile is None
    assert parsed.targets["app"].released


def test_globs_narrow_and_a_glob_without_a_match_is_an_error(
    definition: definitions.Definition,
) -> None:
    assert list(definition.narrowed(["back*-prod*"]).targets) == ["backend-production"]
    assert len(definition.narrowed([]).targets) == 3
    with pytest.raises(UsageError, match=r"^--target 'bakend-\*' matches no target; there are: b"):
        definition.narrowed(["*-production", "bakend-*"])


def test_bake_files_are_named_and_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no bake file in"):
        definitions.bake_files(tmp_path)
    (tmp_path / "docker-bake.json").write_text("{}")
    assert definitions.bake_files(tmp_path) == ("docker-bake.json",)
    (tmp_path / "docker-bake.hcl").write_text("")
    assert definitions.bake_files(tmp_path) == ("docker-bake.hcl",)
    with pytest.raises(UsageError, match=r"^--file other.hcl: no such file$"):
        definitions.bake_files(tmp_path, ["other.hcl"])


def test_a_bake_command_names_every_file_and_what_may_be_read() -> None:
    argv = buildx.bake(
        "docker",
        ["docker-bake.hcl"],
        ["a", "b"],
        metadata_file=Path("m.json"),
        readable=["/etc/ca.pem"],
        no_cache=True,
    )
    assert argv == (
        *("docker", "buildx", "bake", "--file", "docker-bake.hcl", "--file", "-"),
        *("--allow=fs.read=/etc/ca.pem", "--metadata-file", "m.json", "--no-cache", "--load"),
        *("a", "b"),
    )
    pushing = buildx.bake("docker", ["x"], ["a"], metadata_file=Path("m"), to="push")
    assert "--push" in pushing
    assert "--load" not in pushing


def composed(definition: definitions.Definition, **environ: str) -> dict[str, dict[str, object]]:
    made = overlay.compose(
        definition.targets,
        overlay.Additions(
            project="shop",
            ca_bundle="/etc/ca.pem",
            contexts={"example/base:1": "docker-image://127.0.0.1:5000/example/base:1"},
            environ=environ,
        ),
    )
    targets: dict[str, dict[str, object]] = made["target"]
    return targets


def test_the_overlay_labels_and_adds_the_optional_secret(
    definition: definitions.Definition,
) -> None:
    entry = composed(definition)["backend-production"]
    assert entry["labels"] == {"dev.slipway.project": "shop"}
    assert entry["secret"] == [{"type": "file", "id": "ca", "src": "/etc/ca.pem"}]
    assert "args" not in entry


def test_a_target_with_its_own_ca_secret_keeps_it() -> None:
    document = {"target": {"x": {"secret": [{"id": "ca", "src": "mine.pem"}]}}}
    definition = definitions.parse(ROOT, document)
    assert "secret" not in composed(definition)["x"]
    assert overlay.readable(definition.targets, {"target": {}}) == ("mine.pem",)


def test_proxies_pass_through_the_overlay_and_never_through_argv(
    definition: definitions.Definition,
) -> None:
    url = "http://me:pass${word}%{x}@proxy:3128"
    made = {"target": composed(definition, HTTPS_PROXY=url, no_proxy="localhost", HTTP_PROXY="")}
    text = overlay.serialise(made)
    args = json.loads(text)["target"]["backend-production"]["args"]
    assert args == {
        "HTTPS_PROXY": "http://me:pass$${word}%%{x}@proxy:3128",
        "no_proxy": "localhost",
    }


def test_services_at_the_root_share_a_name_without_their_suffixes() -> None:
    document = {
        "target": {
            "api-production": {"target": "production", "dockerfile": "Dockerfile.multistage"},
            "api-baseline": {"dockerfile": "Dockerfile.baseline"},
            "web": {"context": "svc/web/docker"},
        }
    }
    parsed = definitions.parse(ROOT, document)
    services = {name: target.service for name, target in parsed.targets.items()}
    assert services == {"api-production": "api", "api-baseline": "api", "web": "svc/web/docker"}


def test_what_was_asked_for_is_told_from_what_it_builds_on() -> None:
    document = {
        "group": {"default": {"targets": ["all"]}, "all": {"targets": ["app"]}},
        "target": {"app": {"contexts": {"base": "target:base"}}, "base": {}},
    }
    parsed = definitions.parse(ROOT, document)
    assert parsed.asked(["default"]) == ("app",)
    assert parsed.asked(["base", "all"]) == ("base", "app")
    assert parsed.asked(["nope"]) == ()
