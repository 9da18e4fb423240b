"""Images on disk: archives, gzipped ones, OCI folders."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tasks.core.errors import UsageError
from tasks.core.images import contents, imagefiles
from tests.unit import archives
from tests.unit.archives import pieces
from tests.unit.layers import file, layer


class TestOnDisk:
    def test_archives_and_folders_read_the_same(self, tmp_path: Path) -> None:
        archive = archives.single(layers=[layer(file("f", b"1"))])
        (tmp_path / "a.tar").write_bytes(archive)
        (tmp_path / "a.tar.gz").write_bytes(gzip.compress(archive))
        with tarfile.open(fileobj=io.BytesIO(archive)) as unpacked:
            for member in filter(tarfile.TarInfo.isfile, unpacked):
                place = tmp_path / "folder" / member.name
                place.parent.mkdir(parents=True, exist_ok=True)
                content = unpacked.extractfile(member)
                place.write_bytes(content.read() if content else b"")
        expected = contents.read(pieces(archive), "app:1")
        for name in ("a.tar", "a.tar.gz", "folder"):
            assert contents.read(imagefiles.open_archive(tmp_path / name), "app:1") == expected

    def test_a_folder_whose_links_lead_out_of_it(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("{}")
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "index.json").write_text('{"manifests": []}')
        (tmp_path / "folder" / "blobs").symlink_to(tmp_path / "secret")
        assert b"blobs" not in b"".join(imagefiles.open_archive(tmp_path / "folder"))

    def test_what_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="No such file"):
            imagefiles.open_archive(tmp_path / "none.tar")
        with pytest.raises(UsageError, match=r"no index\.json"):
            imagefiles.open_archive(tmp_path)

    @pytest.mark.parametrize("pack", [zstandard.compress, lzma.compress, bz2.compress])
    def test_other_compression_is_named(
        self, tmp_path: Path, pack: Callable[[bytes], bytes]
    ) -> None:
        path = tmp_path / "image.tar.x"
        path.write_bytes(pack(archives.single()))
        with pytest.raises(UsageError, match=r"is compressed with \w+: unpack it first"):
            imagefiles.open_archive(path)

    def test_a_gzipped_archive_that_ends_early(self, tmp_path: Path) -> None:
        (tmp_path / "a.tar.gz").write_bytes(gzip.compress(archives.single())[:-9])
        with pytest.raises(UsageError, match="cannot be decompressed"):
            contents.read(imagefiles.open_archive(tmp_path / "a.tar.gz"), "app:1")
