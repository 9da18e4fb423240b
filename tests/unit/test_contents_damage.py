"""Layers that are broken, lying, hostile or out of proportion: one line each, no traceback."""

from __future__ import annotations

import gzip
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import UsageError
from tasks.core.images import allowance, contents, tarheader, tarwalk
from tests.unit import archives
from tests.unit.archives import pieces
from tests.unit.layers import file, folder, hard_link, image, layer, link


def problem(*stacked: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        assert image(*stacked).files is None
    message = str(caught.value)
    assert message.startswith("the archive of image app:1 is damaged: ")
    assert message.isprintable()
    return message


def header(**fields: object) -> bytes:
    info = tarfile.TarInfo("x")
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


class TestPaths:
    @pytest.mark.parametrize("name", ["../../etc/passwd", "a/../../b", "..", "a/.."])
    def test_out_of_the_image(self, name: str) -> None:
        assert "no path inside the image" in problem(layer(file(name, b"x")))
        assert "no path inside the image" in problem(layer(hard_link("a", name)))

    def test_with_control_characters(self) -> None:
        assert "\x1b" not in problem(layer(file("../\x1b[2J\udce9", b"x")))

    def test_longer_than_any_system_allows(self) -> None:
        assert "no path" in problem(layer(file("a/" * 3000, b"x")))
        assert "no path" in problem(layer(link("a", "a/" * 3000)))

    def test_the_deepest_path_is_fine(self) -> None:
        assert len(image(layer(folder("a/" * 2000))).files) == 2000

    def test_writing_through_links_in_circles(self) -> None:
        loops = layer(link("a", "b"), link("b", "a"), file("a/x", b"1"))
        assert "through a link that leads nowhere" in problem(loops)


class TestDamage:
    @given(where=st.integers(0, 4000), value=st.integers(0, 255))
    @settings(max_examples=150, deadline=None)
    def test_a_wrong_byte_never_ends_in_a_traceback(self, where: int, value: int) -> None:
        made = bytearray(layer(file("a" * 200, b"12"), link("b", "a"), hard_link("c", "b")))
        made[where % len(made)] = value
        try:
            assert image(bytes(made)).files is not None
        except UsageError:
            return

    @given(content=st.binary(max_size=2000))
    @settings(max_examples=50, deadline=None)
    def test_nor_do_any_pax_records(self, content: bytes) -> None:
        extension = header(type=tarfile.XHDTYPE, size=len(content))
        padded = content + bytes(-len(content) % 512)
        try:
            assert image(extension + padded + layer(file("f", b"1"))).files is not None
        except UsageError:
            return

    def test_a_bad_header_is_not_taken_for_the_end(self) -> None:
        made = bytearray(layer(file("a", b"1"), file("b", b"2")))
        made[1024 + 150] ^= 1
        assert "checksum" in problem(bytes(made))

    def test_nothing_hides_behind_the_end(self) -> None:
        assert "data behind its end" in problem(layer(file("a", b"1")) + layer(file("b", b"2")))

    @pytest.mark.parametrize("cut", [513, 700, 1024 + 100])
    def test_cut_off(self, cut: int) -> None:
        assert "it ends within" in problem(layer(file("a", bytes(512)), file("b", b"2"))[:cut])

    def test_a_layer_that_is_no_archive(self) -> None:
        assert "is no tar archive" in problem(b"text" * 1000)

    def test_an_empty_layer_is_fine(self) -> None:
        assert not image(layer(), bytes(1024), b"").files


class TestProportion:
    def test_a_million_entries(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tarwalk, "MAX_ENTRIES", 50_000)
        many = gzip.compress(header() * 1_000_000 + bytes(1024), 1)
        archive = archives.single(
            layers=[gzip.decompress(many)], compress=lambda _: many, media_type=archives.GZIP_LAYER
        )
        with pytest.raises(UsageError, match="more than 50000 entries"):
            contents.read(pieces(archive, 2**20), "app:1")

    def test_names_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tarwalk, "MAX_NAMES_BYTES", 2000)
        many = layer(*(file(f"{number}" * 200, b"") for number in range(10, 20)))
        assert "bytes of names" in problem(many)

    def test_bombs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(allowance, "MAX_UNPACKED_BYTES", 10 * 2**20)
        assert "unpacks to more than" in problem(layer(file("zeros", bytes(11 * 2**20))))

    def test_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tarwalk, "MAX_SECONDS", -1.0)
        assert "takes more than" in problem(layer(file("a", b"1")))

    def test_a_file_that_claims_more_than_comes(self) -> None:
        assert "it ends within an entry" in problem(header(size=10**12) + b"x" * 4096)

    @pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
    def test_a_header_that_would_fill_memory(self, kind: bytes) -> None:
        size = tarheader.MAX_EXTENSION_BYTES + 1
        assert f"a header of {size} bytes" in problem(header(type=kind, size=size) + bytes(4096))

    def test_headers_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tarwalk, "MAX_ENTRIES", 1000)
        long = header(type=tarfile.GNUTYPE_LONGNAME, size=1) + b"x".ljust(512, b"\0")
        assert "entries" in problem(long * 1002)

    @pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"-1         \0"])
    def test_sizes_that_are_none(self, size: bytes) -> None:
        block = bytearray(header())
        block[124:136] = size
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        # Behind a good entry: a stream that begins like this is not taken for an archive at all.
        assert "a number" in problem(header() + bytes(block))
