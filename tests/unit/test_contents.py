"""Archives -> files: every kind of entry, layers one upon the other, and findings."""

from __future__ import annotations

import gzip
import tarfile
from dataclasses import dataclass

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core import untrusted
from tasks.core.errors import UsageError
from tasks.core.images import contents
from tasks.core.images.entries import FileEntry
from tests.unit import archives, layers
from tests.unit.archives import MANIFEST, Layout, encoded, pieces, tar
from tests.unit.layers import file, folder, hard_link, image, layer, link, special


@dataclass(frozen=True)
class Length:
    """What `Measure` found."""

    path: str
    size_bytes: int
    head: bytes


class Measure:
    """Counts the bytes of every file that it gets to see."""

    def open(self, entry: FileEntry, head: bytes) -> _Count:
        return _Count(entry.path, head)


class _Count:
    def __init__(self, path: str, head: bytes) -> None:
        self.path, self.head, self.size_bytes = path, head, 0

    def feed(self, piece: bytes) -> bool:
        self.size_bytes += len(piece)
        return True

    def result(self) -> Length:
        return Length(self.path, self.size_bytes, self.head[:8])


def paths(*stacked: bytes) -> dict[str, FileEntry]:
    return dict(image(*stacked).files)


class TestEntries:
    def test_every_kind(self) -> None:
        found = paths(
            layer(
                folder("a/"),
                file("./a/file", b"12345", 0o4755, uid=1000, gid=1001),
                link("a/link", "../b"),
                hard_link("a/hard", "a/file"),
                special("a/null", tarfile.CHRTYPE),
                special("a/disk", tarfile.BLKTYPE),
                special("a/pipe", tarfile.FIFOTYPE),
            )
        )
        kinds = {path: entry.kind.value for path, entry in found.items()}
        assert kinds == {
            "a": "directory",
            "a/file": "file",
            "a/link": "symbolic link",
            "a/hard": "file",
            "a/null": "character device",
            "a/disk": "block device",
            "a/pipe": "pipe",
        }
        one = found["a/file"]
        assert (one.mode, one.uid, one.gid, one.size_bytes, one.layer) == (0o4755, 1000, 1001, 5, 0)
        assert found["a/link"].link == "../b"
        assert (found["a/hard"].mode, found["a/hard"].link) == (0o4755, "a/file")

    @pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_long_names_large_numbers_and_names_that_are_not_utf_8(self, format_: int) -> None:
        long = "/".join(["folder" * 20] * 4)
        odd = b"caf\xe9".decode("utf-8", "surrogateescape")
        found = paths(
            layer(
                file(long, b"x", uid=3_000_000),
                file(odd, b"y"),
                link("to", long),
                format_=format_,
            )
        )
        assert found[long].uid == 3_000_000
        assert found["to"].link == long
        assert found[odd].size_bytes == 1
        assert contents.shown(odd) == "/caf\\xe9"

    def test_capabilities_of_files(self) -> None:
        pax = {"SCHILY.xattr.security.capability": "\x01\x00"}
        assert paths(layer(file("ping", b"x", pax_headers=pax)))["ping"].has_capabilities

    @pytest.mark.parametrize(
        ("compress", "kind"),
        [(gzip.compress, "tar+gzip"), (zstandard.compress, "tar+zstd"), (bytes, "tar")],
    )
    def test_whatever_the_compression(self, compress: archives.Compress, kind: str) -> None:
        made = layer(file("f", bytes(300_000)))
        archive = archives.single(
            layers=[made], compress=compress, media_type=f"{archives.OCI}.layer.v1.{kind}"
        )
        [read] = contents.read(pieces(archive, 777), "app:1")
        assert read.files["f"].size_bytes == 300_000

    def test_the_layout_of_older_engines(self) -> None:
        same = layer(file("f", b"1"))
        config = encoded(archives.config([same, same]))
        archive = archives.plain(config, "config.json", same)
        [read] = contents.read(pieces(archive), "app:1")
        assert [len(each.entries) for each in read.layers] == [1, 1]
        assert read.described is None


class TestFindings:
    @given(size_bytes=st.integers(0, 400_000), chunk=st.integers(1, 300_000))
    @settings(max_examples=25, deadline=None)
    def test_inspectors_see_every_byte_once(self, size_bytes: int, chunk: int) -> None:
        made = layer(file("before", b"b" * 513), file("f", b"abcdefgh" * (size_bytes // 8)))
        archive = archives.single(layers=[made])
        [read] = contents.read(pieces(archive, chunk), "app:1", [Measure()])
        found = read.files["f"].finding(Length)
        expected = Length("f", size_bytes // 8 * 8, b"abcdefgh") if size_bytes >= 8 else None
        assert found == expected

    def test_documents_are_looked_at_too(self) -> None:
        read = image(layer(file("f", b"1")), inspectors=[Measure()])
        assert {document.name for document in read.documents} == {
            "config",
            "manifest",
            "index.json",
        }
        assert all(document.found for document in read.documents)

    def test_attestations_belong_to_their_image(self) -> None:
        layout = Layout()
        own = layout.add(encoded(layout.manifest()), MANIFEST)
        statement = {**layout.manifest(layers=[]), "layers": [layout.add(b'{"a":1}', "text/json")]}
        notes = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": own["digest"],
        }
        attestation = {**layout.add(encoded(statement), MANIFEST), "annotations": notes}
        archive = tar(layout.files([own, attestation]))
        [read] = contents.read(pieces(archive), "app:1", [Measure()])
        assert "attestation" in {document.name for document in read.documents}


class TestSparse:
    REAL = 1_000_000
    PIECES = ((0, 512), (500_000, 1024))

    def read(self, made: bytes) -> FileEntry:
        return image(made, inspectors=[Measure()]).files["sparse"]

    def check(self, entry: FileEntry) -> None:
        assert entry.size_bytes == self.REAL
        found = entry.finding(Length)
        assert found is not None
        assert found.head == b"A" * 8

    def made(self, pax: dict[str, str], content: bytes) -> bytes:
        return layer(file("sparse", content, pax_headers=pax))

    def test_pax_0_1(self) -> None:
        numbers = ",".join(f"{start},{size}" for start, size in self.PIECES)
        pax = {"GNU.sparse.map": numbers, "GNU.sparse.size": str(self.REAL)}
        self.check(self.read(self.made(pax, b"A" * 1536)))

    def test_pax_1_0(self) -> None:
        numbers = "".join(f"{start}\n{size}\n" for start, size in self.PIECES)
        table = f"{len(self.PIECES)}\n{numbers}".encode().ljust(512, b"\0")
        pax = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "sparse",
            "GNU.sparse.realsize": str(self.REAL),
        }
        self.check(self.read(self.made(pax, table + b"A" * 1536)))

    def test_gnu(self) -> None:
        info = tarfile.TarInfo("sparse")
        info.size = 1536
        block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        block[156:157] = b"S"
        numbers = [number for piece in self.PIECES for number in piece]
        for at, number in enumerate(numbers):
            block[386 + 12 * at : 398 + 12 * at] = b"%011o\0" % number
        block[483:495] = b"%011o\0" % self.REAL
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        self.check(self.read(bytes(block) + b"A" * 1536 + bytes(1024)))

    @pytest.mark.parametrize("numbers", ["0,2000000", "10,1,5,1", "0,1", "0,-1", "x,1", "1"])
    def test_maps_that_lie(self, numbers: str) -> None:
        pax = {"GNU.sparse.map": numbers, "GNU.sparse.size": str(self.REAL)}
        with pytest.raises(UsageError, match="damaged"):
            self.read(self.made(pax, b"A" * 1536))


def test_text_fit_for_a_terminal() -> None:
    assert untrusted.shown("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a"
    assert untrusted.shown("\ud800 \udce9 é \u202e") == "\\ud800 \\xe9 é \\u202e"
    assert untrusted.shown("a" * 400, 10) == "aaaaaaaaa…"


def test_several_platforms_and_what_the_index_lists() -> None:
    both = layers.index(
        [
            ({"os": "linux", "architecture": "amd64"}, {}, [layer(file("x", b"1"))]),
            (
                {"os": "linux", "architecture": "arm64", "variant": "v8"},
                {"architecture": "arm64"},
                [layer(file("y", b"1"))],
            ),
        ]
    )
    assert {each.platform: each.described for each in both} == {
        "linux/amd64": "linux/amd64",
        "linux/arm64": "linux/arm64",
    }
    assert sorted(both[0].listed) == ["linux/amd64", "linux/arm64"]
