"""An image read from a folder of blobs, as containerd keeps them."""

from __future__ import annotations

import gzip
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

import pytest

from tasks.core.images import archive, contents, contentstore
from tasks.core.images.contentstore import ContentStore
from tasks.core.images.layout import ATTESTATION, ATTESTED
from tasks.core.layers import layering, storedimage
from tasks.core.layers.layerfiles import LayerFiles
from tasks.core.secrecy.secretscan import Hits, SecretInspector
from tasks.core.untrusted import Malformed
from tests.unit import archives
from tests.unit.archives import INDEX, MANIFEST, Layout, encoded
from tests.unit.layers import file, layer

LAYERS = [layer(file("x", b"x" * 900)), layer(file("y", b"y" * 80))]


def stored(root: Path, layout: Layout) -> ContentStore:
    for digest, content in layout.blobs.items():
        path = root / "blobs" / digest.replace(":", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return ContentStore(root / "blobs")


def made() -> tuple[Layout, dict[str, Any]]:
    layout = Layout()
    return layout, layout.add(encoded(layout.manifest(layers=LAYERS)), MANIFEST)


def layer_path(layout: Layout, store: ContentStore, content: bytes) -> Path:
    [digest] = [
        key for key, blob in layout.blobs.items() if blob == gzip.compress(content, mtime=0)
    ]
    return store.folder / digest.replace(":", "/")


@pytest.fixture(autouse=True)
def _same_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gzip.time.time", lambda: 1.0)


def test_it_is_what_the_archive_of_the_image_says(tmp_path: Path) -> None:
    layout, described = made()
    files = storedimage.known(tmp_path, stored(tmp_path, layout), described)
    assert files is not None
    content = archives.tar(layout.files([described]))
    assert archive.images(files, "it") == archive.read(iter([content]), "it")
    seen = [blob.seen for blob in files.values() if isinstance(blob.seen, LayerFiles)]
    assert sorted(each.paths for each in seen) == [["x"], ["y"]]


def test_layers_that_are_known_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, described = made()
    store = stored(tmp_path, layout)
    first = storedimage.known(tmp_path, store, described)
    opened: list[str] = []

    def watched(store: ContentStore, digest: str) -> BufferedReader:
        opened.append(digest)
        return BufferedReader(FileIO(store.folder / digest.replace(":", "/")))

    monkeypatch.setattr(ContentStore, "open", watched)
    again = storedimage.known(tmp_path, store, described)
    assert first is not None
    assert again is not None
    assert dict(again) == dict(first)
    layers = {key for key, blob in layout.blobs.items() if blob.startswith(b"\x1f\x8b")}
    assert len(layers) == 2
    assert opened
    assert not layers & set(opened)


def test_a_layer_that_is_not_there_leaves_it_to_the_export(tmp_path: Path) -> None:
    layout, described = made()
    store = stored(tmp_path, layout)
    layer_path(layout, store, LAYERS[1]).unlink()
    assert storedimage.known(tmp_path, store, described) is None


def test_a_platform_that_was_not_pulled_is_left_out(tmp_path: Path) -> None:
    layout, described = made()
    absent = {"mediaType": MANIFEST, "digest": archives.digest_of(b"absent"), "size": 6}
    top = layout.add(encoded({"manifests": [described, absent]}), INDEX)
    files = storedimage.known(tmp_path, stored(tmp_path, layout), top)
    assert files is not None
    assert len(archive.images(files, "it")) == 1


@pytest.mark.parametrize(
    "content", [gzip.compress(layer(file("z")), mtime=0), b"no layer"], ids=["another", "none"]
)
def test_a_blob_that_is_another_is_refused(tmp_path: Path, content: bytes) -> None:
    layout, described = made()
    store = stored(tmp_path, layout)
    layer_path(layout, store, LAYERS[0]).write_bytes(content)
    files = storedimage.known(tmp_path, store, described)
    with pytest.raises(Malformed):
        archive.images(files or {}, "it")


def test_a_store_without_the_image_leaves_it_to_the_export(tmp_path: Path) -> None:
    _, described = made()
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    store = ContentStore(tmp_path / "blobs")
    assert storedimage.known(tmp_path, store, described) is None


def test_all_of_it_is_looked_at_as_an_archive_is(tmp_path: Path) -> None:
    layout, described = made()
    statement = layout.add(b'{"npmrc": "hush-4711-hush"}', "application/vnd.in-toto+json")
    about = layout.add(encoded({"layers": [statement]}), MANIFEST)
    about["annotations"] = {ATTESTATION: "attestation-manifest", ATTESTED: described["digest"]}
    top = layout.add(encoded({"manifests": [described, about]}), INDEX)
    secret = SecretInspector({"NPMRC": "hush-4711-hush"})
    found = contents.read_stored(stored(tmp_path, layout), top, "it", [secret])
    told = {**top, "platform": {"os": "linux", "architecture": "amd64"}}
    archived = contents.read([archives.tar(layout.files([told]))], "it", [secret])
    assert found is not None
    assert found[0].layers == archived[0].layers
    assert found[0].documents[-1] == archived[0].documents[-1]
    [hits] = found[0].documents[-1].found
    assert isinstance(hits, Hits)
    assert [str(each) for each in hits.hits] == ["the value of NPMRC"]


def test_what_was_not_pulled_is_left_to_the_export(tmp_path: Path) -> None:
    layout, described = made()
    store = stored(tmp_path, layout)
    layer_path(layout, store, LAYERS[1]).unlink()
    assert contents.read_stored(store, described, "it") is None


class FakeClient:
    def __init__(self, root: object) -> None:
        self._root = root

    def info(self) -> dict[str, object]:
        return {"DockerRootDir": self._root}


def test_the_folder_of_an_engine_here_is_found_and_none_elsewhere(tmp_path: Path) -> None:
    blobs = tmp_path / "containerd/daemon/io.containerd.content.v1.content/blobs"
    (blobs / "sha256").mkdir(parents=True)
    client: Any = FakeClient(str(tmp_path))
    assert contentstore.find(client, "unix:///run/docker.sock") == ContentStore(blobs)
    assert contentstore.find(client, "tcp://far:2375") is None


def test_an_archive_is_read_once_and_kept_by_layer(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(archives.single(layers=LAYERS))
    [found] = layering.from_archive(tmp_path, path)
    assert [each.paths for each in found.layers] == [["x"], ["y"]]
    assert len(list((tmp_path / ".slipway/cache/layers").iterdir())) == 2
