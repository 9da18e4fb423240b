"""Archives of single platforms -> one image, and damage that is told from a build that broke."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from tasks.core.bake import exporting
from tasks.core.bake.exporting import Exported
from tasks.core.errors import BuildFailed, OutOfReach
from tests.unit import archives
from tests.unit.archives import INDEX, MANIFEST, Layout, encoded

if TYPE_CHECKING:
    from docker import DockerClient

PLATFORMS = {
    "linux/amd64": {"architecture": "amd64"},
    "linux/arm64": {"architecture": "arm64", "variant": "v8"},
    "linux/arm/v7": {"architecture": "arm", "variant": "v7"},
}
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def write(path: Path, layout: Layout, *manifests: Any) -> Path:
    path.write_bytes(archives.tar(layout.files(manifests)))
    return path


def single(path: Path, platform: str, *, attested: bool = False) -> tuple[Path, dict[str, Any]]:
    """What BuildKit writes for one platform, and the descriptor of the image in it."""
    layout, layers = Layout(), [archives.layer("shared"), archives.layer(platform)]
    document = layout.manifest(layers, settings=archives.config(layers, **PLATFORMS[platform]))
    image = layout.add(encoded(document), MANIFEST)
    if not attested:
        return write(path, layout, image), image
    statement = layout.add(encoded({"about": image["digest"]}), MANIFEST, platform=UNKNOWN)
    described = {**image, "platform": {"os": "linux", **PLATFORMS[platform]}}
    whole = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described, statement]}
    return write(path, layout, layout.add(encoded(whole), INDEX)), image


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as opened:
        files = {member.name: opened.extractfile(member) for member in opened}
        return {name: file.read() for name, file in files.items() if file is not None}


def joined(tmp_path: Path, *, attested: bool = False) -> tuple[Exported, list[dict[str, Any]]]:
    made = [
        single(tmp_path / f"{at}.part.tar", platform, attested=attested)
        for at, platform in enumerate(PLATFORMS)
    ]
    exported = exporting.collect("app", [path for path, _ in made])
    return exported, [image for _, image in made]


@pytest.mark.parametrize("attested", [False, True])
def test_platforms_are_joined_and_keep_their_digests(tmp_path: Path, attested: bool) -> None:
    exported, images = joined(tmp_path, attested=attested)
    assert [each.platform for each in exported.images] == list(PLATFORMS)
    assert [each.digest for each in exported.images] == [image["digest"] for image in images]

    files = read(exported.archive)
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
    with tarfile.open(exported.archive) as opened:
        names = opened.getnames()
    assert len(names) == len(set(names))
    assert sum(name.startswith("blobs/") for name in names) == 1 + 1 + 3 * 3


def test_joining_twice_gives_one_digest(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    assert joined(first)[0].digest == joined(second)[0].digest


def test_the_size_is_what_is_pulled(tmp_path: Path) -> None:
    path, image = single(tmp_path / "a.tar", "linux/arm64")
    exported = exporting.collect("app", [path])
    files = read(path)
    manifest = json.loads(files[f"blobs/sha256/{image['digest'].removeprefix('sha256:')}"])
    sizes = [manifest["config"]["size"], *(layer["size"] for layer in manifest["layers"])]
    assert [each.compressed_bytes for each in exported.images] == [sum(sizes)]
    assert exported.digest == image["digest"]
    assert exported.archive == path


def test_an_image_that_is_listed_once_a_tag_is_one_image(tmp_path: Path) -> None:
    layout = Layout()
    image = layout.add(encoded(layout.manifest()), MANIFEST)
    named = [{**image, "annotations": {"io.containerd.image.name": tag}} for tag in ("a:1", "a:2")]
    exported = exporting.collect("app", [write(tmp_path / "a.tar", layout, *named)])
    assert exported.digest == image["digest"]
    assert len(exported.images) == 1


def two_images(path: Path) -> None:
    layout = Layout()
    each = [layout.manifest([archives.layer(text)]) for text in ("one", "two")]
    write(path, layout, *(layout.add(encoded(document), MANIFEST) for document in each))


def changed(path: Path, name: str, content: bytes) -> None:
    path.write_bytes(archives.tar({**read(path), name: content}))


def index_of(*manifests: Any) -> bytes:
    return encoded({"schemaVersion": 2, "manifests": list(manifests)})


DAMAGES: dict[str, Any] = {
    "no file": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:700]),
    "no tar": lambda path: path.write_bytes(b"\x1f\x8b" + b"x" * 2000),
    "no index": lambda path: path.write_bytes(archives.tar({"a": b""})),
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
    path, _ = single(tmp_path / "a.tar", "linux/amd64")
    other, _ = single(tmp_path / "b.tar", "linux/arm64")
    DAMAGES[damage](path)
    for parts in ([path],) if damage == "two images" else ([path], [path, other]):
        with pytest.raises(BuildFailed, match=r"^app: the archive of the build is damaged: "):
            exporting.collect("app", parts)


def test_a_manifest_whose_layers_are_no_objects(tmp_path: Path) -> None:
    layout = Layout()
    document = layout.manifest() | {"layers": ["x"]}
    path = write(tmp_path / "a.tar", layout, layout.add(encoded(document), MANIFEST))
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


class Engine:
    """The engine's API as far as loading goes."""

    def __init__(self, *lines: Any) -> None:
        self.api, self._lines, self.tagged = self, lines, list[tuple[str, ...]]()

    def load_image(self, file: io.BufferedReader, quiet: bool) -> tuple[Any, ...]:
        assert quiet
        assert file.read(1)
        return self._lines

    def tag(self, *words: str) -> None:
        self.tagged.append(words)


class Losing(Engine):
    """One that fails the first time, and then is another."""

    def __init__(self, line: dict[str, str], then: Engine) -> None:
        super().__init__(line)
        self._then = then._lines

    def load_image(self, file: io.BufferedReader, quiet: bool) -> tuple[Any, ...]:
        lines = super().load_image(file, quiet)
        self._lines = self._then
        return lines


#: As an engine said it, but for shorter digests.
RACE_ENDS = '"extract-4 sha256:583a": parent snapshot sha256:78bf does not exist: not found'


def load(tmp_path: Path, engine: Engine, *tags: str, again: bool = False) -> str:
    exported = exporting.collect("app", [single(tmp_path / "a.tar", "linux/amd64")[0]])
    assert exporting.load(cast("DockerClient", engine), exported, tags) is again
    return exported.digest


def test_the_image_gets_all_its_tags(tmp_path: Path) -> None:
    engine = Engine({"stream": "Loaded image: app:1"})
    digest = load(tmp_path, engine, "h:5/app:1", "h:5/app")
    assert engine.tagged == [(digest, "h:5/app", "1"), (digest, "h:5/app", "latest")]


def test_an_engine_that_does_not_take_it(tmp_path: Path) -> None:
    engine = Engine({"errorDetail": {}, "error": "no space left on device"})
    with pytest.raises(OutOfReach, match=r"^app: the engine does not take the image: no space"):
        load(tmp_path, engine, "app:1")
    assert engine.tagged == []


def test_a_layer_that_the_engine_lost_is_loaded_once_more(tmp_path: Path) -> None:
    lost = {"error": f"failed to prepare extraction snapshot {RACE_ENDS}"}
    engine = Losing(lost, Engine({"stream": "Loaded image: app:1"}))
    digest = load(tmp_path, engine, "app:1", again=True)
    assert engine.tagged == [(digest, "app", "1")]
    with pytest.raises(OutOfReach, match="does not take the image: failed to prepare"):
        load(tmp_path, Losing(lost, Engine(lost)), "app:1")
