"""What preflight says of bake files and targets, each check from text or from `bake --print`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.core import settings
from tasks.core.bake import bakefile, definitions, preflight, targetchecks
from tasks.core.bake.definitions import Definition
from tasks.core.endpoint import Engine
from tasks.core.errors import UsageError
from tasks.core.session import Session
from tasks.core.untrusted import Malformed

REPOSITORY = Path(__file__).parents[2]
HCL = """\
# target "remark" { tgas = 1 }
variable "TAG" { default = "1" }
variable "FREE" {
  validation {
    condition = FREE != "}"
  }
}
CONSTANT = "x"
group "default" { targets = ["app"] }
function "image" {
  params = [name]
  result = "${name}:${TAG == "" ? "latest" : TAG}"
}
target "app" {
  args = { tgas = "not an attribute" }
  dockerfile-inline = <<EOT
platfroms = 1
EOT
  /* a remark */ platfroms = ["linux/amd64"]
  labels {
    a = 1
  }
}
target "${TAG}-x" {
  cache_to = ["type=inline"]
  frobnicate = [for one in ["a"] : "${one}}"]
}
"""


def found(text: str, suffix: str) -> tuple[str, ...]:
    return preflight.attributes({f"bake{suffix}": bakefile.parse(text, suffix)})


def parsed(**targets: Any) -> Definition:
    return definitions.parse(REPOSITORY, {"target": targets})


def session(root: Path, *, files: Sequence[str] = ()) -> Session:
    made = Session(root, settings.load(root, environment={}), tuple(files), False, {})
    engine = Engine("system", "unix:///nowhere", {}, "docker", None, False, "linux/amd64")
    made.__dict__["engine"] = engine
    return made


def test_unknown_attributes_of_hcl_with_line_and_nearest_name() -> None:
    ignored = "unknown attribute {}, which bake ignores; {}"
    assert found(HCL, ".hcl") == (
        f"bake.hcl:19: target app: {ignored.format('platfroms', 'did you mean platforms?')}",
        "bake.hcl:20: target app: labels is a block, which bake ignores; write labels = …",
        f"bake.hcl:25: target ${{TAG}}-x: {ignored.format('cache_to', 'did you mean cache-to?')}",
        f"bake.hcl:26: target ${{TAG}}-x: {ignored.format('frobnicate', 'remove it')}",
    )
    assert bakefile.parse(HCL, ".hcl").variables == {"TAG": 2, "FREE": 3}
    assert bakefile.parse(HCL, "") == bakefile.parse(HCL, ".hcl")


@pytest.mark.parametrize("kind", ["group", "variable"])
def test_groups_and_variables_have_attributes_too(kind: str) -> None:
    (line,) = found(f'{kind} "x" {{ descripton = "" }}', ".hcl")
    assert line.startswith(f"bake.hcl:1: {kind} x: unknown attribute descripton")
    assert line.endswith("did you mean description?")


@pytest.mark.parametrize(
    "body", ['{"//": "why", "tgas": []}', '[{"tags": ["x"]},\n\t{"tgas": "a\\tb"}]']
)
def test_json_in_each_of_its_forms(body: str) -> None:
    text = f'{{\n\t"variable": {{"V": {{}}}},\n\t"target": {{"app": {body}}}\n}}'
    (line,) = found(text, ".json")
    place, _, rest = line.partition(": target app: ")
    assert place == f"bake.json:{3 + body.count(chr(10))}"
    assert rest == "unknown attribute tgas, which bake ignores; did you mean tags?"
    assert bakefile.parse(text, ".json").variables == {"V": 2}


def test_compose_has_fields_of_bake_that_nobody_else_checks() -> None:
    text = """\
x-build: &shared
  x-bake: {platfroms: [linux/amd64]}
services:
  app:
    environment: {tgas: x}
    build:
      <<: *shared
      context: .
      x-bake:
        tgas: [x]
        tags: [y]
"""
    first, second = found(text, ".yaml")
    assert first.startswith("bake.yaml:2: x-bake of app: unknown attribute platfroms")
    assert second.startswith("bake.yaml:10: x-bake of app: unknown attribute tgas")


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ('target "x" { tgas = ', ".hcl"),
        ("a = " + "[" * 5000, ".hcl"),
        ('{"target": ', ".json"),
        ("[" * 100_000, ".json"),
        ("a: [", ".yaml"),
        ("[" * 100_000, ".yaml"),
        ("\0", ""),
    ],
)
def test_what_cannot_be_read_is_malformed_and_no_traceback(text: str, suffix: str) -> None:
    with pytest.raises(Malformed):
        bakefile.parse(text, suffix)


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("", ".hcl"),
        ("{}", ".json"),
        ('{"target": 1, "group": [2], "variable": {"V": null}}', ".json"),
        ("services: [1, {a: b}]\nx-bake: text\n", ".yaml"),
        ("", ".yaml"),
    ],
)
def test_other_shapes_are_nothing_to_complain_about(text: str, suffix: str) -> None:
    assert found(text, suffix) == ()


def test_a_file_is_parsed_once_for_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.hcl").write_text(HCL)
    first = bakefile.read(tmp_path, "a.hcl")
    (kept,) = (tmp_path / bakefile.FOLDER).iterdir()
    monkeypatch.setattr(bakefile, "parse", lambda *_: pytest.fail("parsed again"))
    assert bakefile.read(tmp_path, "a.hcl") == first
    monkeypatch.undo()
    for damage in ("{", '{"schema": 1, "attributes": [{"kind": "x"}], "variables": {}}'):
        kept.write_text(damage)
        assert bakefile.read(tmp_path, "a.hcl") == first
    (tmp_path / "b.hcl").write_text("A = 1")
    assert bakefile.read(tmp_path, "b.hcl", keep=False).attributes == ()
    assert len(list((tmp_path / bakefile.FOLDER).iterdir())) == 1


@pytest.mark.parametrize("content", [b"a = \xff", b"#" * (bakefile.LIMIT_BYTES + 1)])
def test_a_file_that_is_no_text_or_too_large(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.hcl").write_bytes(content)
    with pytest.raises(Malformed):
        bakefile.read(tmp_path, "a.hcl")


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ({"id": "a", "src": "there"}, None),
        ({"id": "a", "src": "gone"}, "secret a: there is no file gone; make it, or leave"),
        ({"id": "a", "src": "."}, "secret a: . is not a file that can be read; make it"),
        ({"id": "a", "env": "SET"}, None),
        ({"id": "a", "env": "EMPTY"}, "secret a: variable EMPTY is not set; set it, or leave"),
        ({"id": "a", "env": "UNSET"}, "secret a: variable UNSET is not set; set it, or leave"),
        ({"id": "SET"}, None),
        ({"id": "there"}, None),
        ({"id": "gone"}, "secret gone: there is no file gone"),
    ],
)
def test_secrets(tmp_path: Path, secret: dict[str, str], problem: str | None) -> None:
    (tmp_path / "there").write_text("x")
    targets = parsed(one={"secret": [secret]}, two={"secret": [secret]}).targets.values()
    lines = targetchecks.secrets(tmp_path, targets, {"SET": "x", "EMPTY": ""})
    assert len(lines) == (0 if problem is None else 1)
    assert problem is None or lines[0].startswith(f"one, two: {problem}")


@pytest.mark.parametrize(
    ("one", "two", "place"),
    [
        ("host/c", "type=registry,ref=host/c:latest,mode=max", "type=registry,ref=host/c:latest"),
        ({"type": "local", "dest": "a/../c"}, {"type": "local", "dest": "c"}, "type=local,dest=c"),
        ({"type": "gha"}, {"type": "gha", "mode": "max"}, "type=gha"),
        ({"type": "gha", "scope": "x"}, {"type": "gha"}, None),
        ({"type": "inline"}, {"type": "inline"}, None),
        ({"type": "registry", "ref": "h/c:1"}, {"type": "registry", "ref": "h/c:2"}, None),
        ({"type": "novel", "ref": "x"}, {"type": "novel", "ref": "x"}, None),
    ],
)
def test_caches_of_one_place(one: Any, two: Any, place: str | None) -> None:
    lines = targetchecks.caches(REPOSITORY, {"a": [one, one], "b": [two], "c": []})
    said = f"a, b: all write the cache {place}; give each target its own"
    assert lines == (() if place is None else (said,))


def test_tags_of_one_name() -> None:
    definition = parsed(
        a={"tags": ["x", "host:5000/x"]}, b={"tags": ["library/x:latest", "host:5000/y"]}
    )
    lines = targetchecks.tags(definition.targets.values())
    assert lines == ("a, b: all are tagged x:latest; give each target its own tag",)


def test_pushes() -> None:
    targets = parsed(a={"tags": ["host/x:1", "x:1"]}, b={"tags": ["hostile/x:1"]}).targets.values()
    assert targetchecks.pushes(targets, "host") == (
        "a: tag x:1 is not in REGISTRY host",
        "b: tag hostile/x:1 is not in REGISTRY host",
    )
    (line,) = targetchecks.pushes(targets, "")
    assert line.startswith("--push needs a registry: set REGISTRY in .env")
    (line,) = targetchecks.pushes(parsed(a={}).targets.values(), "host")
    assert line.startswith("a: it has no tag to be pushed under")


def test_an_attestation_would_tell_a_proxy_s_password() -> None:
    around = {"http_proxy": "http://me:word@proxy:1", "HTTPS_PROXY": "http://proxy:1"}
    (line,) = targetchecks.provenance("max", around)
    assert line.startswith("http_proxy: PROVENANCE=max would publish")
    assert "word@" not in line
    assert not targetchecks.provenance("min", around)


def test_platforms_by_any_of_their_names() -> None:
    can = ("linux/amd64", "linux/aarch64")
    wanted = {"a": ("linux/arm64/v8", "linux/amd64/v3", "local"), "b": ("linux/s390x",), "c": ()}
    (line,) = targetchecks.platforms(wanted, can)
    assert line.startswith("b: the builder cannot do linux/s390x, only linux/amd64, linux/arm64;")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docker-bake.hcl").write_text(
        'variable "USED" {}\nvariable "VERSION" {}\nvariable "SOURCE_DATE_EPOCH" {}\n'
        'target "a" { secret = ["type=env,id=t,env=OF_SECRET"] }\n'
    )
    names = ("PROJECT", "USED", "OF_SECRET", "IN_COMPOSE", "BARE", "HTTP_PROXY", "AWS_REGION")
    (tmp_path / ".env.example").write_text("".join(f"{name}=x\n" for name in names))
    (tmp_path / "compose.yaml").write_text(
        "# REMARKED\nservices:\n  a:\n    image: ${IN_COMPOSE:-x}\n    environment: [BARE]\n"
    )
    return tmp_path


def test_settings_and_variables_that_fit(root: Path) -> None:
    assert preflight.of_files(session(root)) == ()


def test_settings_and_variables_that_do_not_fit(root: Path) -> None:
    with (root / ".env.example").open("a") as example:
        example.write("REMARKED=\n")
    with (root / "docker-bake.hcl").open("a") as bake:
        bake.write('\nvariable "NEW" {}\n')
    new = "docker-bake.hcl:6: variable NEW is no setting; declare it in .env.example"
    unread, *_ = reversed(preflight.of_files(session(root)))
    assert preflight.of_files(session(root)) == (new, unread)
    assert unread.startswith(".env.example:8: nothing reads REMARKED: no variable of docker-bake")
    (root / "other.hcl").write_text('variable "USED" {}\n')
    assert preflight.of_files(session(root, files=["other.hcl"])) == ()
    (root / ".env.example").unlink()
    assert preflight.of_files(session(root)) == ()


def test_a_file_that_only_bake_can_read_is_left_to_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "docker-bake.hcl").write_text("a = [\x1b[31m")
    assert preflight.of_files(session(root)) == ()
    said = capsys.readouterr().err
    assert said.startswith("docker-bake.hcl: attributes and variables are not checked: its HCL")
    assert "\x1b" not in said


def test_all_problems_come_at_once_and_without_secrets(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNSET", raising=False)
    (root / "docker-bake.hcl").write_text('target "a" {\n tgas = 1\n}\nvariable "A_TOKEN" {}\n')
    (root / ".env.example").write_text("A_TOKEN=hunter2\nUSED=x\nIN_COMPOSE=x\n")
    entry = {
        "tags": ["x"],
        "secret": [{"id": "t", "env": "UNSET"}],
        "cache-to": [{"type": "registry", "ref": "host/hunter2"}],
        "platforms": ["linux/s390x"],
    }
    document = {"target": {"a": entry, "b": entry}, "group": {"default": {"targets": ["a", "b"]}}}
    definition = definitions.parse(root, json.loads(json.dumps(document)))
    needed = {name: ["linux/s390x"] for name in "ab"}
    can = ["linux/amd64"]
    with pytest.raises(UsageError) as caught:
        preflight.check(session(root), definition, push=True, needed=needed, available=can)
    lines = str(caught.value).splitlines()
    assert caught.value.code == 2
    assert [line.split(": ")[0] for line in lines] == [
        "docker-bake.hcl:2",
        ".env.example:2",
        *("a, b", "a, b", "a, b"),
        "--push needs a registry",
        "a, b",
    ]
    assert lines[3].endswith(
        ": all write the cache type=registry,ref=host/••••••:latest; give each target its own"
    )


def test_what_nobody_asked_for_carries_no_tag(root: Path) -> None:
    entry = {"tags": ["x"]}
    document = {"target": {"a": entry, "base": entry}, "group": {"default": {"targets": ["a"]}}}
    definition = definitions.parse(root, document)
    preflight.check(session(root), definition, push=False, needed={}, available=None)


def test_bakes_refusal_of_a_missing_secret_does_not_hide_the_rest(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Definition:
        raise UsageError("docker-bake.hcl: failed to stat a b: stat a b: no such file or directory")

    (root / "docker-bake.hcl").write_text('target "a" {\n tgas = 1\n}\nvariable "USED" {}')
    (root / ".env.example").write_text("USED=\n")
    monkeypatch.setattr(definitions, "load", refuse)
    with pytest.raises(UsageError) as caught:
        preflight.resolved(session(root), ["a"])
    first, second = str(caught.value).splitlines()
    assert first.startswith("docker-bake.hcl:2: target a: unknown attribute tgas")
    assert second.startswith("a secret's file a b: no such file or directory; make it, or")


def test_this_repository_has_none() -> None:
    assert preflight.of_files(session(REPOSITORY)) == ()
