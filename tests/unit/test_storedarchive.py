"""An archive on disk: what is in it, by as little work as possible, and nothing on trust."""

from __future__ import annotations

import gzip
import io
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tasks.core.errors import Interrupted, UsageError
from tasks.core.images import archive, tarfiles, tarwalk
from tasks.core.images.allowance import Allowance
from tasks.core.images.blobs import Blob, Look, Readable
from tasks.core.images.layout import ATTESTATION, ATTESTED
from tasks.core.layers import layerfiles, layering, sidebyside
from tasks.core.layers.layering import Layered
from tasks.core.untrusted import Malformed
from tests.unit import archives
from tests.unit.archives import MANIFEST, Layout, digest_of, encoded
from tests.unit.layers import file, layer

LOWER, UPPER = layer(file("x", b"x" * 900)), layer(file("y", b"y" * 80))
REAL = (Path(__file__).parents[1] / "data" / "image-multi.tar").read_bytes()


def docker() -> bytes:
    config = encoded(archives.config([LOWER, LOWER]))
    return archives.plain(config, f"{digest_of(config)[7:]}.json", LOWER)


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "real, of several platforms": lambda: REAL,
    "OCI": lambda: archives.single(layers=[LOWER, UPPER]),
    "OCI, not compressed": lambda: archives.single(
        layers=[LOWER, UPPER],
        compress=lambda content: content,
        media_type="application/vnd.oci.image.layer.v1.tar",
    ),
    "docker, a layer by a link": docker,
}


def read(root: Path, content: bytes) -> tuple[Layered, ...]:
    path = root / "image.tar"
    path.write_bytes(content)
    return layering.from_archive(root, path)


@pytest.mark.parametrize("case", ARCHIVES)
def test_it_is_what_the_stream_of_it_says(case: str, tmp_path: Path) -> None:
    content = ARCHIVES[case]()
    packed = tmp_path / "image.tar.gz"
    packed.write_bytes(gzip.compress(content))
    streamed = layering.from_archive(tmp_path / "other", packed)
    first, again = read(tmp_path, content), read(tmp_path, content)
    assert first == again
    for mine, theirs in zip(first, streamed, strict=True):
        assert mine.layers == theirs.layers
        assert mine.image.layers == theirs.image.layers
    told = [each.image for each in first]
    assert told == list(archive.read(iter([content]), "image.tar"))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Readable]:
    """The layers that are parsed, one after the other."""
    seen: list[Readable] = []
    look = layerfiles.look

    def watched() -> Look:
        real = look()

        def noted(part: Readable) -> object:
            if not isinstance(part, io.BytesIO):  # a document
                seen.append(part)
            return real(part)

        return noted

    monkeypatch.setattr(layerfiles, "look", watched)
    return seen


@pytest.mark.parametrize("case", ARCHIVES)
def test_a_layer_that_is_known_is_not_parsed_again(
    case: str, tmp_path: Path, parsed: list[Readable]
) -> None:
    content = ARCHIVES[case]()
    read(tmp_path, content)
    first = len(parsed)
    assert first
    read(tmp_path, content)
    assert len(parsed) == first


def test_a_layer_that_another_image_has_is_not_parsed_again(
    tmp_path: Path, parsed: list[Readable]
) -> None:
    [first] = read(tmp_path, archives.single(layers=[LOWER]))
    [second] = read(tmp_path, archives.single(layers=[LOWER, UPPER]))
    assert len(parsed) == 2
    assert second.layers[0] == first.layers[0]


@pytest.mark.parametrize("known", [False, True])
def test_a_layer_that_is_another_is_refused(known: bool, tmp_path: Path) -> None:
    layout = Layout()
    files = layout.files([layout.add(encoded(layout.manifest(layers=[LOWER])), MANIFEST)])
    if known:
        read(tmp_path, archives.tar(files))
    [stored] = [name for name, content in files.items() if content.startswith(b"\x1f\x8b")]
    files[stored] = archives.packed(UPPER)
    with pytest.raises(UsageError, match="does not match its content"):
        read(tmp_path, archives.tar(files))


def test_what_nothing_leads_to_is_not_read(tmp_path: Path) -> None:
    layout = Layout()
    files = layout.files([layout.add(encoded(layout.manifest(layers=[LOWER])), MANIFEST)])
    files["blobs/sha256/" + "0" * 64] = b"\x1f\x8b that is no gzip"
    [found] = read(tmp_path, archives.tar(files))
    assert [each.paths for each in found.layers] == [["x"]]


def test_an_archive_that_shrinks_meanwhile_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archives.single(layers=[LOWER])
    meanwhile(monkeypatch, lambda: (tmp_path / "image.tar").write_bytes(content[:600]))
    with pytest.raises(UsageError, match="is damaged"):
        read(tmp_path, content)


def test_an_archive_that_is_removed_meanwhile_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, (tmp_path / "image.tar").unlink)
    [found] = read(tmp_path, archives.single(layers=[LOWER]))
    assert [each.paths for each in found.layers] == [["x"]]


def meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Have something done before the layers are read, after the documents."""
    claimed = archive.claimed_layers

    def claims(files: Mapping[str, Blob]) -> Iterator[tuple[str, str, str]]:
        yield from tuple(claimed(files))
        do()

    monkeypatch.setattr(archive, "claimed_layers", claims)


def test_many_names_for_a_layer_are_one_layer(
    tmp_path: Path, parsed: list[Readable], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(tmp_path, docker())
    opened: list[str] = []
    real = tarfiles.Parts.open

    def watched(parts: tarfiles.Parts, name: str) -> io.BufferedReader:
        opened.append(name)
        return real(parts, name)

    monkeypatch.setattr(tarfiles.Parts, "open", watched)
    read(tmp_path, docker())
    assert len(parsed) == 1
    assert [name for name in opened if name.endswith("layer.tar")] == ["a/layer.tar"]


def test_known_layers_count_as_those_that_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archives.single(layers=[LOWER, UPPER])
    read(tmp_path, content)
    monkeypatch.setattr(tarwalk, "MAX_ENTRIES", 1)
    with pytest.raises(UsageError, match="hold more than 1 entries"):
        read(tmp_path, content)


def test_attestations_are_no_images(tmp_path: Path) -> None:
    layout = Layout()
    described = []
    for number in range(40):
        image = layout.add(encoded(layout.manifest([layer(file(str(number)))])), MANIFEST)
        notes = {ATTESTATION: "attestation-manifest", ATTESTED: image["digest"]}
        about = layout.add(encoded({"layers": [], "number": number}), MANIFEST, annotations=notes)
        described += [image, about]
    assert len(read(tmp_path, archives.tar(layout.files(described)))) == 40


@pytest.mark.parametrize("failure", [Malformed("damaged"), Interrupted("interrupted")], ids=repr)
def test_what_waits_is_dropped_when_one_fails(failure: Exception) -> None:
    begun: list[int] = []
    allowance = Allowance()

    def job(number: int) -> Blob:
        begun.append(number)
        if number == 0:
            raise failure
        until = time.monotonic() + 20
        while time.monotonic() < until:
            allowance.store(1)
        raise AssertionError("nobody stopped it")

    with pytest.raises(type(failure)):
        sidebyside.read([partial(job, number) for number in range(20)], allowance)
    assert len(begun) <= 3
