"""Layouts of single platforms -> one image, and damage that is told from a build that broke."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.core.bake import exporting
from tasks.core.bake.exporting import Exported
from tasks.core.errors import BuildFailed
from tests.unit import archives
from tests.unit.archives import INDEX, MANIFEST, Layout, encoded

PLATFORMS = {
    "linux/amd64": {"architecture": "amd64"},
    "linux/arm64": {"architecture": "arm64", "variant": "v8"},
    "linux/arm/v7": {"architecture": "arm", "variant": "v7"},
}
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def single(path: Path, platform: str, *, attested: bool = False) -> tuple[Path, dict[str, Any]]:
    """What BuildKit writes for one platform, and the descriptor of the image in it."""
    layout, layers = Layout(), [archives.layer("shared"), archives.layer(platform)]
    document = layout.manifest(layers, settings=archives.config(layers, **PLATFORMS[platform]))
    image = layout.add(encoded(document), MANIFEST)
    if not attested:
        return layout.write(path, image), image
    statement = layout.add(
        encoded(layout.manifest([image["digest"].encode()])), MANIFEST, platform=UNKNOWN
    )
    described = {**image, "platform": {"os": "linux", **PLATFORMS[platform]}}
    whole = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described, statement]}
    return layout.write(path, layout.add(encoded(whole), INDEX)), image


def read(layout: Path) -> dict[str, bytes]:
    files = (path for path in layout.rglob("*") if path.is_file())
    return {path.relative_to(layout).as_posix(): path.read_bytes() for path in files}


def joined(tmp_path: Path, *, attested: bool = False) -> tuple[Exported, list[dict[str, Any]]]:
    made = [
        single(tmp_path / f"{at}", platform, attested=attested)
        for at, platform in enumerate(PLATFORMS)
    ]
    exported = exporting.collect("app", [path for path, _ in made])
    return exported, [image for _, image in made]


@pytest.mark.parametrize("attested", [False, True])
def test_platforms_are_joined_and_keep_their_digests(tmp_path: Path, attested: bool) -> None:
    exported, images = joined(tmp_path, attested=attested)
    assert [each.platform for each in exported.images] == list(PLATFORMS)
    assert [each.digest for each in exported.images] == [image["digest"] for image in images]

    files = read(exported.layout)
    (top,) = json.loads(files["index.json"])["manifests"]
    assert top["digest"] == exported.digest
    assert "annotations" not in top
    index = files[f"blobs/sha256/{exported.digest.removeprefix('sha256:')}"]
    assert archives.digest_of(index) == exported.digest
    assert len(index) == top["size"]
    listed = json.loads(index)["manifests"]
    assert len(listed) == len(PLATFORMS) * (2 if attested else 1)
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert archives.digest_of(content) == f"sha256:{name.rpartition('/')[2]}"


def test_a_blob_that_platforms_share_is_there_once(tmp_path: Path) -> None:
    exported, _ = joined(tmp_path)
    names = read(exported.layout)
    assert sum(name.startswith("blobs/") for name in names) == 1 + 1 + 3 * 3


def test_joining_twice_gives_one_digest(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    assert joined(first)[0].digest == joined(second)[0].digest


def test_the_size_is_what_is_pulled(tmp_path: Path) -> None:
    path, image = single(tmp_path / "a", "linux/arm64")
    exported = exporting.collect("app", [path])
    files = read(path)
    manifest = json.loads(files[f"blobs/sha256/{image['digest'].removeprefix('sha256:')}"])
    sizes = [manifest["config"]["size"], *(layer["size"] for layer in manifest["layers"])]
    assert [each.compressed_bytes for each in exported.images] == [sum(sizes)]
    assert exported.digest == image["digest"]
    assert exported.layout == path


def test_an_image_that_is_listed_once_a_tag_is_one_image(tmp_path: Path) -> None:
    layout = Layout()
    image = layout.add(encoded(layout.manifest()), MANIFEST)
    named = [{**image, "annotations": {"io.containerd.image.name": tag}} for tag in ("a:1", "a:2")]
    exported = exporting.collect("app", [layout.write(tmp_path / "a", *named)])
    assert exported.digest == image["digest"]
    assert len(exported.images) == 1


def two_images(path: Path) -> None:
    layout = Layout()
    each = [layout.manifest([archives.layer(text)]) for text in ("one", "two")]
    layout.write(path, *(layout.add(encoded(document), MANIFEST) for document in each))


def changed(path: Path, name: str, content: bytes) -> None:
    (path / name).write_bytes(content)


def index_of(*manifests: Any) -> bytes:
    return encoded({"schemaVersion": 2, "manifests": list(manifests)})


DAMAGES: dict[str, Any] = {
    "no folder": shutil.rmtree,
    "a file": lambda path: path.rename(path.with_name("c")) and path.write_bytes(b""),
    "no index": lambda path: (path / "index.json").unlink(),
    "no blobs": lambda path: shutil.rmtree(path / "blobs"),
    "index no JSON": lambda path: changed(path, "index.json", b"{"),
    "index an array": lambda path: changed(path, "index.json", b"[]"),
    "nested too deep": lambda path: changed(path, "index.json", b"[" * 100_000),
    "entry no object": lambda path: changed(path, "index.json", index_of(1)),
    "no digest": lambda path: changed(path, "index.json", index_of({"digest": "../../etc"})),
    "manifest missing": lambda path: changed(
        path, "index.json", index_of({"digest": f"sha256:{'0' * 64}", "size": 1})
    ),
    "two images": two_images,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_line(tmp_path: Path, damage: str) -> None:
    path, _ = single(tmp_path / "a", "linux/amd64")
    other, _ = single(tmp_path / "b", "linux/arm64")
    DAMAGES[damage](path)
    for parts in ([path],) if damage == "two images" else ([path], [path, other]):
        with pytest.raises(
            BuildFailed, match=r"^app: what the build wrote is damaged, build again: "
        ):
            exporting.collect("app", parts)


def test_a_manifest_whose_layers_are_no_objects(tmp_path: Path) -> None:
    layout = Layout()
    document = layout.manifest() | {"layers": ["x"]}
    path = layout.write(tmp_path / "a", layout.add(encoded(document), MANIFEST))
    with pytest.raises(BuildFailed, match="is damaged"):
        exporting.collect("app", [path])


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("host:5000/path/app:1", ("host:5000/path/app", "1")),
        ("host:5000/path/app", ("host:5000/path/app", "latest")),
        ("app:1.2", ("app", "1.2")),
        ("app", ("app", "latest")),
    ],
)
def test_names_with_and_without_a_tag(tag: str, parts: tuple[str, str]) -> None:
    assert exporting.named(tag) == parts
