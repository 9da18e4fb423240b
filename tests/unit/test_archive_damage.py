"""Archives that are cut off, broken, lying or out of proportion: one line each, no traceback."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import Interrupted, UsageError
from tasks.core.images import archive, blobs, tarfiles
from tasks.core.images.archive import Image
from tasks.core.layers import layering
from tests.unit import archives
from tests.unit.archives import MANIFEST, Layout, encoded, layer, pieces, tar

REAL = (Path(__file__).parents[1] / "data" / "image-multi.tar").read_bytes()


def read(content: bytes) -> tuple[Image, ...]:
    return archive.read(pieces(content), "app:1")


def read_file(content: bytes) -> None:
    """The same archive as a file, of which only what is needed is read."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "image.tar")
        path.write_bytes(content)
        layering.from_archive(Path(name), path)


def _with(archived: bytes, name: str, content: bytes) -> bytes:
    """An archive with one file more, in front."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member.tobuf() + content + bytes(-len(content) % 512) + archived


def problem(content: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read(content)
    message = str(caught.value)
    assert message.startswith("the archive of image app:1 is damaged: ")
    assert "\n" not in message
    with pytest.raises(UsageError) as of_file:
        read_file(content)
    assert str(of_file.value).replace("image.tar", "app:1") == message
    return message


class TestDamage:
    @pytest.mark.parametrize("content", [b"", b"no archive at all", bytes(1024)])
    def test_no_archive(self, content: bytes) -> None:
        problem(content)

    @given(share=st.floats(0, 1))
    @settings(max_examples=30, deadline=None)
    def test_cut_off_anywhere(self, share: float) -> None:
        problem(REAL[: int(REAL.index(b"index.json") * share)])

    @given(where=st.integers(0, 20_000), bit=st.integers(0, 7))
    @settings(max_examples=60, deadline=None)
    def test_a_flipped_bit_never_ends_in_a_traceback(self, where: int, bit: int) -> None:
        content = bytearray(REAL)
        content[where] ^= 1 << bit
        for reading in (read, read_file):
            with contextlib.suppress(UsageError):
                reading(bytes(content))

    def test_neither_index_nor_manifest(self) -> None:
        assert "neither index.json nor manifest.json" in problem(tar({"file": b"text"}))

    @pytest.mark.parametrize(
        "index",
        [
            b"{",
            b"[]",
            b"null",
            b'"text"',
            b"\xff\xfe{}",
            b"[" * 100_000,
            b"{}",
            b'{"manifests": {}}',
            b'{"manifests": [1]}',
            b'{"manifests": [{"mediaType": 1}]}',
            b'{"manifests": [{"mediaType": "a", "digest": "sha256:../../etc", "size": 1}]}',
            b'{"manifests": [{"mediaType": "a", "digest": "md5:00", "size": 1}]}',
            b'{"manifests": []}',
            b'{"manifests": ' + b"9" * 5000 + b"}",
        ],
    )
    def test_an_index_that_is_none(self, index: bytes) -> None:
        problem(tar({"index.json": index}))

    @pytest.mark.parametrize("size", [-1, True, "12", 1.5, None, 10**30])
    def test_sizes_that_lie(self, size: Any) -> None:
        layout = Layout()
        descriptor = layout.add(encoded(layout.manifest()), MANIFEST)
        problem(tar(layout.files([{**descriptor, "size": size}])))

    def test_a_layer_that_is_not_as_large_as_claimed(self) -> None:
        layout = Layout()
        manifest = layout.manifest()
        manifest["layers"][0]["size"] += 1
        assert " bytes, not " in problem(
            tar(layout.files([layout.add(encoded(manifest), MANIFEST)]))
        )

    def test_a_blob_that_is_missing(self) -> None:
        layout = Layout()
        manifest = layout.manifest()
        files = layout.files([layout.add(encoded(manifest), MANIFEST)])
        missing = f"blobs/{manifest['layers'][0]['digest'].replace(':', '/')}"
        del files[missing]
        assert f"{missing} is missing" in problem(tar(files))

    def test_a_blob_under_another_digest(self) -> None:
        layout = Layout()
        manifest = layout.manifest()
        files = layout.files([layout.add(encoded(manifest), MANIFEST)])
        path = f"blobs/{manifest['layers'][0]['digest'].replace(':', '/')}"
        files[path] = gzip.compress(layer("other"))
        assert "does not match its content" in problem(tar(files))

    def test_a_layer_that_unpacks_to_something_else(self) -> None:
        other = archives.config([layer("other")])
        assert "unpacks to" in problem(archives.single(settings=other))

    @pytest.mark.parametrize("cut", [5, 30, -9, -1])
    def test_a_layer_whose_gzip_ends_early(self, cut: int) -> None:
        assert "cannot be decompressed: it ends early" in problem(
            archives.single(compress=lambda content: gzip.compress(content)[:cut])
        )

    def test_a_layer_whose_zstd_ends_early(self) -> None:
        problem(archives.single(compress=lambda content: zstandard.compress(content)[:-3]))

    def test_a_layer_that_is_broken_inside(self) -> None:
        def broken(content: bytes) -> bytes:
            stored = bytearray(gzip.compress(content))
            stored[-6] ^= 0xFF
            return bytes(stored)

        assert "cannot be decompressed" in problem(archives.single(compress=broken))

    @pytest.mark.parametrize(
        "changes",
        [
            {"os": None},
            {"os": 1},
            {"architecture": "amd64\x1b[2J"},
            {"variant": 7},
            {"rootfs": None},
            {"rootfs": {"diff_ids": "text"}},
            {"rootfs": {"diff_ids": []}},
            {"rootfs": {"diff_ids": ["sha256:1"]}},
        ],
    )
    def test_configs_that_make_no_sense(self, changes: dict[str, Any]) -> None:
        problem(archives.single(settings=archives.config([layer()], **changes)))

    @pytest.mark.parametrize("labels", [None, 1, [], "text"])
    def test_labels_that_cannot_be_read_are_none(self, labels: Any) -> None:
        told = archives.config([layer()], config={"Labels": labels})
        [image] = read(archives.single(settings=told))
        assert image.labels == {}

    def test_unknown_media_types(self) -> None:
        assert "unknown type 'text/plain'" in problem(archives.single(media_type="text/plain"))
        layout = Layout()
        unknown = layout.add(encoded(layout.manifest()), "application/x")
        assert "unknown type 'application/x'" in problem(tar(layout.files([unknown])))

    def test_an_older_layout_with_a_config_that_is_not_what_its_name_says(self) -> None:
        config = encoded(archives.config([layer(), layer()]))
        assert "does not match" in problem(archives.plain(config, f"{'0' * 64}.json", layer()))

    @pytest.mark.parametrize("index", [b" {}", b"\xef\xbb\xbf{}", b"{" + b" " * 2**23 + b"}"])
    def test_an_index_that_cannot_be_read_is_there_all_the_same(self, index: bytes) -> None:
        config = encoded(archives.config([layer(), layer()]))
        plain = archives.plain(config, "config.json", layer())
        assert "index.json is not JSON of at most" in problem(_with(plain, "index.json", index))

    @pytest.mark.parametrize("part", ["manifest", "config"])
    @pytest.mark.parametrize("instead", [b"garbage", b""])
    def test_a_platform_whose_documents_are_damaged(self, part: str, instead: bytes) -> None:
        layout = Layout()
        images = []
        for name in ("amd64", "arm64"):
            manifest = layout.manifest(settings=archives.config([layer()], architecture=name))
            images.append(layout.add(encoded(manifest), MANIFEST))
        files = layout.files(images)
        assert len(read(tar(files))) == 2
        digest = images[1]["digest"] if part == "manifest" else manifest["config"]["digest"]
        files[f"blobs/{digest.replace(':', '/')}"] = instead
        assert "does not match its content" in problem(tar(files))

    def test_images_without_end(self) -> None:
        entry = {"Config": "config", "Layers": []}
        config = b'{"os":"linux","architecture":"amd64","rootfs":{}}'
        files = {"config": config, "manifest.json": encoded([entry] * 9000)}
        assert "more than 64 images" in problem(tar(files))


class TestProportion:
    @pytest.mark.parametrize("size", [-1, -511, -512, -1024, -(2**40), 2**44, 2**50, 2**62, 2**63])
    @pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, b"V"])
    def test_sizes_that_lead_anywhere(self, size: int, kind: bytes) -> None:
        member = tarfile.TarInfo("x")
        member.size, member.type = size, kind
        for content in (
            member.tobuf(tarfile.GNU_FORMAT) + bytes(20_000),
            tar({"a": b"a" * 8192})[:-1024] + member.tobuf(tarfile.GNU_FORMAT) + bytes(20_000),
        ):
            for reading in (read, read_file):
                with pytest.raises(UsageError):
                    reading(content)

    def test_a_file_that_claims_more_than_comes(self) -> None:
        member = tarfile.TarInfo("index.json")
        member.size = 10**12
        problem(member.tobuf() + b"{" * 4096)

    def test_a_header_that_would_fill_memory(self) -> None:
        member = tarfile.TarInfo("././@LongLink")
        member.type = tarfile.GNUTYPE_LONGNAME
        member.size = 4 * 2**30
        endless = itertools.chain(
            [member.tobuf(tarfile.GNU_FORMAT)], itertools.repeat(bytes(2**20))
        )
        with pytest.raises(UsageError, match="a header of 4294967296 bytes"):
            archive.read(endless, "app:1")

    def test_headers_without_end(self) -> None:
        member = tarfile.TarInfo("././@LongLink")
        member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1
        problem((member.tobuf() + bytes(512)) * 5000)

    def test_more_json_than_is_sensible(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(blobs, "MAX_KEPT_BYTES", 1000)
        assert "more than 1000 bytes of JSON" in problem(tar({"index.json": b"{" * 1001}))

    def test_json_that_is_too_large_is_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(blobs, "MAX_JSON_BYTES", 10)
        assert "is not JSON of at most 10 bytes" in problem(archives.single())

    def test_more_files_than_is_sensible(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tarfiles, "MAX_FILES", 3)
        assert "more than 3 files" in problem(tar({str(n): b"" for n in range(5)}))

    def test_a_path_that_comes_twice(self) -> None:
        twice = tar({"index.json": b"{}"})[:1024] + tar({"./index.json": b"{}"})
        assert "index.json twice" in problem(twice)

    @pytest.mark.parametrize(
        "records",
        [
            {"size": "-512"},
            {"size": "9" * 40},
            {"GNU.sparse.map": "0,1", "GNU.sparse.size": "99"},
            {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 13},
        ],
    )
    def test_headers_that_lie_about_sizes(self, records: dict[str, str]) -> None:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as made:
            member = tarfile.TarInfo("index.json")
            member.size, member.pax_headers = 600, dict(records)
            made.addfile(member, io.BytesIO(b"{" * 600))
        problem(stream.getvalue())

    def test_links_that_lead_nowhere_or_in_circles(self) -> None:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as made:
            for name, target in (("index.json", "manifest.json"), ("manifest.json", "index.json")):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, target
                made.addfile(link)
        assert "neither index.json" in problem(stream.getvalue())

    def test_stopping_in_the_middle_is_not_taken_for_damage(self) -> None:
        def stopped() -> Any:
            yield archives.single()[:2000]
            raise Interrupted("interrupted")

        with pytest.raises(Interrupted):
            archive.read(stopped(), "app:1")
