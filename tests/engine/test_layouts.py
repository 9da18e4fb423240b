"""Images that come as layouts: what stayed the same is not sent, and yet the image is whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import DockerClient

from tasks.core.bake import layouts, loading
from tasks.core.images import contents
from tests.engine.conftest import PREFIX, Ran, run_task, start_task

BAKE = """
group "optimized" { targets = ["app"] }
target "app" { tags = ["%s/kept:1"] }
"""
DOCKERFILE = "FROM scratch\nCOPY base /\nCOPY own /\n"
BASE_BYTES = 3 * 2**20


@pytest.fixture
def root(scratch: Path, client: DockerClient) -> Iterator[Path]:
    (scratch / "docker-bake.hcl").write_text(BAKE % PREFIX)
    (scratch / "Dockerfile").write_text(DOCKERFILE)
    (scratch / ".dockerignore").write_text(".slipway\n")
    (scratch / "base").write_bytes(bytes(range(256)) * (BASE_BYTES // 256))
    yield scratch
    for image in client.images.list(filters={"label": "dev.slipway.project=slipway-kept"}):
        client.images.remove(str(image.id), force=True)


def build(root: Path, own: str) -> Ran:
    (root / "own").write_text(own)
    ran = run_task(root, "build.optimized", "--set", "PROJECT=slipway-kept")
    assert ran.code == 0, ran.err
    return ran


def files(client: DockerClient) -> dict[str, int]:
    """Every file of the image as the engine gives it out, with its size."""
    chunks = client.api.get_image(f"{PREFIX}/kept:1")
    (image,) = contents.read(chunks, "kept", ())
    return {entry.path: entry.size_bytes for layer in image.layers for entry in layer.entries}


def blobs(root: Path) -> set[str]:
    return {path.name for path in (root / layouts.FOLDER / "app" / layouts.BLOBS).iterdir()}


def test_an_image_is_whole_though_only_its_new_layers_were_sent(
    root: Path, client: DockerClient
) -> None:
    build(root, "one")
    before = blobs(root)
    build(root, "twice")
    assert files(client) == {"base": BASE_BYTES, "own": 5}
    assert len(blobs(root)) == len(before) == 4
    assert len(blobs(root) & before) == 1, "the base alone is the same"
    digest = str(client.images.get(f"{PREFIX}/kept:1").id)
    assert loading._is_whole(client, digest), "so its blobs are left out of the next load"
    # What the engine has lost meanwhile is sent again.
    for image in client.images.list(filters={"label": "dev.slipway.project=slipway-kept"}):
        client.images.remove(str(image.id), force=True)
    build(root, "once more")
    assert files(client) == {"base": BASE_BYTES, "own": 9}


def test_a_blob_that_went_bad_on_the_disk_is_not_used_twice(
    root: Path, client: DockerClient
) -> None:
    build(root, "one")
    base = max(
        (root / layouts.FOLDER / "app" / layouts.BLOBS).iterdir(), key=lambda p: p.stat().st_size
    )
    base.chmod(0o644)
    base.write_bytes(b"x" * base.stat().st_size)
    for image in client.images.list(filters={"label": "dev.slipway.project=slipway-kept"}):
        client.images.remove(str(image.id), force=True)
    (root / "own").write_text("two")
    ran = run_task(root, "build.optimized", "--set", "PROJECT=slipway-kept")
    assert ran.code == 4, ran.err
    assert "app: what the build wrote is damaged, build again: the blob sha256:" in ran.said
    build(root, "two")
    assert files(client) == {"base": BASE_BYTES, "own": 3}


def test_two_builds_of_one_checkout_do_not_disturb_each_other(
    root: Path, client: DockerClient
) -> None:
    (root / "own").write_text("one")
    words = ("build.optimized", "--set", "PROJECT=slipway-kept")
    first = start_task(root, *words)
    done: list[Ran] = []
    other = threading.Thread(target=lambda: done.append(run_task(root, *words)))
    other.start()
    assert first.finish().code == 0
    other.join(120)
    assert [one.code for one in done] == [0], done
    assert files(client) == {"base": BASE_BYTES, "own": 3}


def test_who_comes_second_leaves_the_layouts_alone(root: Path, client: DockerClient) -> None:
    with layouts.kept(root, root) as place:
        build(root, "one")
        assert list(place.iterdir()) == []
    assert files(client) == {"base": BASE_BYTES, "own": 3}
