"""compare.* on images that an engine built: two targets of two lines each, and an archive."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core.endpoint import Engine
from tests.engine.conftest import Ran, make_scratch, remove_images, run_task

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-compare"
NAMES = {"PROJECT": PROJECT, "REGISTRY": ""}
DEBIAN = "Package: libc6\nStatus: install ok installed\nInstalled-Size: 90\nVersion: {}\n"
ALPINE = "P:musl\nV:{}\nI:4096\n\n"
BAKE = """
target "app-baseline" {
  dockerfile = "Dockerfile.baseline"
  tags = ["slipway-test-compare:old"]
}
target "app-production" {
  dockerfile = "Dockerfile.multistage"
  target = "production"
  tags = ["slipway-test-compare:new"]
}
"""
OLD = """
FROM scratch
COPY same /same
COPY old/ /
COPY --chmod=644 tool /tool
COPY --chown=1:1 data /data
ENV MODE=debug API_TOKEN=correct-horse-1
LABEL org.example.stage=old
USER 1
EXPOSE 80
CMD ["/tool"]
"""
NEW = """
FROM scratch AS production
COPY same /same
COPY new/ /
COPY --chmod=755 tool /tool
COPY --chown=2:3 data /data
ENV MODE=release API_TOKEN=correct-horse-2
LABEL org.example.stage=new
USER 2
EXPOSE 8080
VOLUME /lib
WORKDIR /
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=7s CMD ["/tool"]
ENTRYPOINT ["/tool"]
"""


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine, client: DockerClient
) -> Iterator[Path]:
    """A repository whose two images are built; both go at the end."""
    made = make_scratch(tmp_path_factory.mktemp("compare") / "scratch")
    modules = "app/node_modules/left-pad"
    write(
        made,
        {
            "docker-bake.hcl": BAKE,
            "Dockerfile.baseline": OLD,
            "Dockerfile.multistage": NEW,
            "same": "the same in both\n",
            "tool": "tool\n",
            "data": "data\n",
            "old/etc/config": "a\n",
            "old/etc/gone": "gone\n",
            "old/var/lib/dpkg/status": DEBIAN.format("2.36"),
            "old/lib/apk/db/installed": ALPINE.format("1.2.4"),
            f"old/{modules}/package.json": '{"name": "left-pad", "version": "1.2.0"}',
            "new/etc/config": "b\n",
            "new/srv/large": "x" * 300_000,
            "new/var/lib/dpkg/status": DEBIAN.format("2.41"),
            "new/lib/apk/db/installed": ALPINE.format("1.2.5"),
            f"new/{modules}/package.json": '{"name": "left-pad", "version": "1.3.0"}',
        },
    )
    (made / "old/etc/link").symlink_to("config")
    (made / "new/etc/link").symlink_to("../srv/large")
    built = task(made, "build.targets", "app-baseline,app-production")
    assert built.code == 0, built.err[-3000:]
    yield made
    remove_images(client, PROJECT)


def task(root: Path, *words: str) -> Ran:
    return run_task(root, *words, env=NAMES)


@pytest.fixture(scope="module")
def compared(root: Path) -> Mapping[str, Any]:
    ran = task(root, "compare.images", "app-baseline", "app-production", "--format", "json")
    assert ran.code == 0, ran.err
    [platform] = ran.json()["platforms"]
    return dict(platform)


def test_files(compared: Mapping[str, Any]) -> None:
    found = {one["path"]: (one["change"], one["aspects"]) for one in compared["files"]}
    listed = {path: change for path, change in found.items() if "/node_modules/" not in path}
    assert listed == {
        "/tool": ("changed", ["mode"]),
        "/data": ("changed", ["owner"]),
        "/etc/config": ("changed", ["content"]),
        "/etc/gone": ("removed", []),
        "/etc/link": ("changed", ["link"]),
        "/lib/apk/db/installed": ("changed", ["content"]),
        "/srv": ("added", []),
        "/srv/large": ("added", []),
        "/var/lib/dpkg/status": ("changed", ["content"]),
    }
    [large] = [one for one in compared["files"] if one["path"] == "/srv/large"]
    assert large["difference_bytes"] == large["to"]["size_bytes"] == 300_000


def test_files_are_those_that_the_engine_exports(
    compared: Mapping[str, Any], client: DockerClient
) -> None:
    """What a container's export holds, unpacked by somebody else, differs in the same paths."""
    old, new = (exported(client, f"slipway-test-compare:{tag}") for tag in ("old", "new"))
    differing = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    assert {one["path"] for one in compared["files"]} == differing


def exported(client: DockerClient, image: str) -> dict[str, tuple[Any, ...]]:
    """The entries of a container that never ran, by path; what the engine adds is in all."""
    container = client.api.create_container(image, ["x"], labels={"dev.slipway.project": PROJECT})
    try:
        stream = io.BytesIO(b"".join(client.api.export(container["Id"])))
    finally:
        client.api.remove_container(container["Id"], v=True)
    found = {}
    with tarfile.open(fileobj=stream) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            told = (member.type, member.mode, member.uid, member.gid, member.linkname)
            found[f"/{member.name.rstrip('/')}"] = (*told, content.read() if content else b"")
    return found


def test_packages_of_three_kinds(compared: Mapping[str, Any]) -> None:
    found = [(one["kind"], one["name"], one["from"], one["to"]) for one in compared["packages"]]
    assert found == [
        ("apk", "musl", ["1.2.4"], ["1.2.5"]),
        ("deb", "libc6", ["2.36"], ["2.41"]),
        ("npm", "left-pad", ["1.2.0"], ["1.3.0"]),
    ]


def test_config(compared: Mapping[str, Any]) -> None:
    found = {(one["field"], one["name"]): (one["from"], one["to"]) for one in compared["config"]}
    assert found == {
        ("command", ""): ('["/tool"]', None),
        ("entrypoint", ""): (None, '["/tool"]'),
        ("environment", "API_TOKEN"): ("••••••", "••••••"),
        ("environment", "MODE"): ("debug", "release"),
        ("health check", "Interval"): (None, "7 s"),
        ("health check", "Test"): (None, '["CMD", "/tool"]'),
        ("label", "org.example.stage"): ("old", "new"),
        ("port", "80/tcp"): ("declared", None),
        ("port", "8080/tcp"): (None, "declared"),
        ("stop signal", ""): (None, "SIGQUIT"),
        ("user", ""): ("1", "2"),
        ("volume", "/lib"): (None, "declared"),
    }


def test_layers(compared: Mapping[str, Any]) -> None:
    changes = [one["change"] for one in compared["layers"]]
    assert changes[0] == "same"
    assert {"changed", "added", "removed"} >= set(changes[1:])
    assert "correct-horse" not in json.dumps(compared)


def test_exit_codes_and_archives(root: Path, engine: Engine, client: DockerClient) -> None:
    pair = ("compare.images", "app-baseline", "slipway-test-compare:new")
    different = task(root, *pair, "--exit-code")
    assert different.code == 1
    assert different.said.startswith("app-baseline and slipway-test-compare:new differ: ")
    archive = root / "saved.tar"
    with archive.open("wb") as file:
        file.writelines(client.images.get("slipway-test-compare:new").save())
    same = task(root, "compare.images", "app-production", "saved.tar", "--exit-code")
    assert same.code == 0, same.err
    assert "no difference" in same.out
    missing = task(root, "compare.images", "app-baseline", "slipway-test-compare:no-such")
    assert missing.code == 3
    assert "slipway-test-compare:no-such" in missing.said
    refused = task(root, *pair, "--platform", "linux/s390x")
    assert refused.code == 2
    assert "not in both images: app-baseline has linux/" in refused.said


def test_baseline_and_sizes(root: Path) -> None:
    """The lock is written of the small image, and the large one is then held against it."""
    words = ("compare.baseline", "--target", "app-production")
    assert task(root, *words).code == 2
    dry = task(root, "--dry", *words, "--update")
    assert dry.code == 0
    assert not (root / "sizes.lock.json").exists()
    assert task(root, *words, "--update").code == 0
    (root / "invoke.yaml").write_text("slipway: {policy: {'*': {max_growth_percent: 20}}}\n")
    assert task(root, *words).code == 0
    text = (root / "docker-bake.hcl").read_text()
    (root / "docker-bake.hcl").write_text(text.replace("compare:new", "compare:larger"))
    write(root, {"new/srv/more": "".join(map(str, range(200_000)))})
    assert task(root, "build.targets", "app-production").code == 0
    grown = task(root, *words, "--output", "comment.md", "--output", "-")
    assert grown.code == 1, grown.out + grown.err
    assert "compressed size grew by" in grown.said
    assert "allowed are 20 % (max_growth_percent)" in grown.said
    assert "/srv/more" in (root / "comment.md").read_text()
    old = task(root, *words, "--against", "app-baseline", "--format", "json")
    assert old.code == 1
    assert old.json()["images"][0]["before"]["digest"]
    sizes = task(root, "compare.sizes", "--format", "json")
    by_target = {one["target"]: one for one in sizes.json()["images"]}
    assert by_target["app-baseline"]["against"] is None
    production = by_target["app-production"]
    assert production["against"]["name"] == "app-baseline"
    more = production["unpacked_bytes"] - by_target["app-baseline"]["unpacked_bytes"]
    assert production["unpacked_difference_bytes"] == more > 1_000_000
