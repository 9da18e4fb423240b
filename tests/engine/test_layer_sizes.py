"""Sizes to the byte, on twenty images made by one bake call: manifests, crane and the registry."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.core.endpoint import Engine
from tasks.core.images import blobs, contentstore
from tasks.core.images.archive import Image
from tasks.core.layers import layering
from tasks.core.process import merged
from tasks.core.provision import home, tools
from tests.engine.conftest import cannot_run, remove_images, run_task
from tests.engine.test_layers import demand_dives_figures
from tests.unit import archives

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "slipway-test-layers"
IMAGES = 20
PLATFORMS = (["linux/amd64"], ["linux/amd64", "linux/arm64"], ["linux/arm64", "linux/arm/v7"])
COMPRESSIONS = ("gzip", "zstd", "uncompressed")
DOCKERFILE = f"""FROM scratch AS shared
LABEL dev.slipway.project={PROJECT}
COPY shared /shared
FROM shared
ARG NUMBER
ARG TARGETARCH
ENV NUMBER=$NUMBER
COPY some /app/$TARGETARCH/some
COPY more /app/more$NUMBER
"""


@pytest.fixture(scope="module")
def names(
    engine: Engine, client: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, ...]]:
    """The images, in the engine and pushed to the registry beside it."""
    if engine.registry is None:
        cannot_run("the engine has no registry beside it")
    root = tmp_path_factory.mktemp("sizes")
    (root / "Dockerfile").write_text(DOCKERFILE)
    for name, size in (("shared", 70_000), ("some", 1234), ("more", 9)):
        (root / name).write_bytes(name.encode() * size)
    made = {f"i{n}": _target(n, f"{engine.registry}/{PROJECT}:{n}") for n in range(IMAGES)}
    (root / "bake.json").write_text(json.dumps({"target": made}))
    built = subprocess.run(
        [engine.docker, "buildx", "bake", "--file", "bake.json", *made],
        cwd=root,
        env=merged({**engine.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    yield tuple(f"{engine.registry}/{PROJECT}:{n}" for n in range(IMAGES))
    remove_images(client, PROJECT)


def _target(number: int, name: str) -> dict[str, Any]:
    options = f"compression={COMPRESSIONS[number % 3]},force-compression=true,oci-mediatypes=true"
    return {
        "args": {"NUMBER": str(number)},
        "platforms": PLATFORMS[number // 3 % 3],
        "output": [f"type=image,name={name},push=true,{options}"],
    }


def _of_crane(engine: Engine, name: str, platform: str, *words: str) -> Any:
    """A document of the registry's, by crane."""
    program = tools.crane(home.current())
    argv = [str(program), *words, "--insecure", "--platform", platform, name]
    told = subprocess.run(argv, check=True, capture_output=True, env=merged(engine.environment))
    return json.loads(told.stdout)


def _of_registry(name: str, digest: str) -> bytes:
    """A blob as the registry serves it."""
    host, _, path = name.rpartition(":")[0].partition("/")
    with urllib.request.urlopen(f"http://{host}/v2/{path}/blobs/{digest}") as answer:
        content: bytes = answer.read()
    assert int(answer.headers["Content-Length"]) == len(content)
    return content


def _unpacked(content: bytes) -> int:
    archive = archives.tar({"blob": content})
    return blobs.read(iter([archive]))["blob"].unpacked_bytes


def _check(engine: Engine, name: str, image: Image) -> None:
    manifest = _of_crane(engine, name, image.platform, "manifest")
    config = _of_crane(engine, name, image.platform, "config")
    served = [_of_registry(name, layer["digest"]) for layer in manifest["layers"]]
    assert [layer.compressed_bytes for layer in image.layers] == [
        layer["size"] for layer in manifest["layers"]
    ]
    assert [layer.compressed_bytes for layer in image.layers] == [len(each) for each in served]
    assert image.compressed_bytes == sum(map(len, served)) + manifest["config"]["size"]
    assert [layer.unpacked_bytes for layer in image.layers] == [_unpacked(each) for each in served]
    assert [layer.diff_id for layer in image.layers] == config["rootfs"]["diff_ids"]


def test_sizes_are_those_of_manifests_crane_and_registry(
    names: tuple[str, ...], engine: Engine, tmp_path: Path
) -> None:
    platforms = 0
    for number, name in enumerate(names):
        found = layering.from_engine(tmp_path, engine, name)
        assert sorted(each.image.platform for each in found) == sorted(PLATFORMS[number // 3 % 3])
        for each in found:
            _check(engine, name, each.image)
            platforms += 1
    assert platforms > len(names)


def test_an_export_tells_the_same(
    names: tuple[str, ...],
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Read from the engine's blobs, from an export, and from what was kept of that."""
    for name in names[3:6]:
        read = layering.from_engine(tmp_path / "read", engine, name)
        with monkeypatch.context() as patch:
            patch.setattr(contentstore, "find", lambda *_: None)
            exported = layering.from_engine(tmp_path / "exported", engine, name)
            patch.setattr(layering, "_from_stream", None)
            kept = layering.from_engine(tmp_path / "exported", engine, name)
        assert sorted(read, key=lambda each: each.image.platform) == sorted(
            exported, key=lambda each: each.image.platform
        )
        assert kept == exported


def test_rows_of_the_history_add_up(names: tuple[str, ...], engine: Engine) -> None:
    root = Path(__file__).parents[2]
    ran = run_task(root, "report.history", "--image", names[3], "--format", "json")
    assert ran.code == 0, ran.err
    for image in ran.json()["images"]:
        steps = image["steps"]
        assert sum(step["compressed_bytes"] for step in steps) == image["compressed_bytes"]
        assert sum(step["unpacked_bytes"] for step in steps) == image["unpacked_bytes"]
        [empty] = [step for step in steps if step["instruction"].startswith("ENV NUMBER")]
        assert (empty["layer"], empty["unpacked_bytes"]) == (None, 0)


def test_an_image_in_the_engine_has_dives_figures(
    names: tuple[str, ...], engine: Engine, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    ran = run_task(root, "report.layers", "--image", names[1], "--format", "json")
    demand_dives_figures(engine, names[1], ran, tmp_path)
