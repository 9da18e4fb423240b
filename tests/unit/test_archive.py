"""Archives -> images: a real one, every compression, every layout."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.images import archive
from tasks.core.images.archive import Image
from tests.unit import archives
from tests.unit.archives import INDEX, MANIFEST, Layout, digest_of, encoded, layer, pieces, tar

DATA = Path(__file__).parents[1] / "data"


def read(content: bytes, image_id: str = "") -> tuple[Image, ...]:
    return archive.read(pieces(content), "app:1", image_id)


def in_frames(content: bytes) -> bytes:
    """zstd in two frames and one to skip, as registries write it for lazy pulling."""
    half = len(content) // 2
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"skip"
    return zstandard.compress(content[:half]) + zstandard.compress(content[half:]) + skippable


def in_members(content: bytes) -> bytes:
    half = len(content) // 2
    return gzip.compress(content[:half]) + bytes(7) + gzip.compress(content[half:]) + bytes(512)


class TestWhatEnginesWrite:
    def test_a_real_multi_platform_archive_without_its_attestations(self) -> None:
        images = archive.read(pieces((DATA / "image-multi.tar").read_bytes()), "multi")

        assert sorted(image.platform for image in images) == [
            "linux/amd64",
            "linux/arm/v7",
            "linux/arm64",
        ]
        for image in images:
            assert len(image.layers) == 1
            assert image.labels == {"dev.slipway.project": "sizetest", "n": "1"}
            assert image.unpacked_bytes == 2048
            assert image.compressed_bytes is not None
            assert 0 < image.compressed_bytes < image.unpacked_bytes

    @pytest.mark.parametrize(
        ("compress", "media_type"),
        [
            (gzip.compress, "application/vnd.oci.image.layer.v1.tar+gzip"),
            (gzip.compress, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
            (in_members, "application/vnd.oci.image.layer.v1.tar+gzip"),
            (zstandard.compress, "application/vnd.oci.image.layer.v1.tar+zstd"),
            (in_frames, "application/vnd.oci.image.layer.v1.tar+zstd"),
            (bytes, "application/vnd.oci.image.layer.v1.tar"),
        ],
    )
    def test_both_sizes_whatever_the_compression(
        self, compress: Callable[[bytes], bytes], media_type: str
    ) -> None:
        layers = [layer("one", 4000), layer("two", 900_000)]
        options = {"layers": layers, "compress": compress, "media_type": media_type}
        [image] = read(archives.single(**options))

        stored = [len(compress(each)) for each in layers]
        config_bytes = len(encoded(archives.config(layers)))
        assert [each.compressed_bytes for each in image.layers] == stored
        assert image.compressed_bytes == sum(stored) + config_bytes
        assert image.unpacked_bytes == sum(map(len, layers))
        assert [each.diff_id for each in image.layers] == [digest_of(each) for each in layers]

    def test_one_layer_twice_counts_twice(self) -> None:
        [image] = read(archives.single(layers=[layer(), layer()]))
        assert image.unpacked_bytes == 2 * len(layer())

    def test_a_small_layer_may_look_like_json(self) -> None:
        odd = tar({"{": b"text"})
        options = {"layers": [odd], "compress": bytes, "media_type": archive.PLAIN_LAYER}
        [image] = read(archives.single(**options))
        assert image.unpacked_bytes == len(odd)

    def test_an_engine_that_keeps_layers_unpacked_does_not_know_the_compressed_size(self) -> None:
        layers = [layer()]
        content = archives.single(layers=layers, compress=bytes, media_type=archive.PLAIN_LAYER)
        [image] = read(content, image_id=digest_of(encoded(archives.config(layers))))
        assert image.compressed_bytes is None
        assert image.layers[0].compressed_bytes is None
        assert image.unpacked_bytes == len(layers[0])

    def test_the_layout_of_older_engines_with_a_link_for_a_repeated_layer(self) -> None:
        same = layer()
        config = encoded(archives.config([same, same]))
        name = digest_of(config).removeprefix("sha256:")
        [image] = read(archives.plain(config, f"{name}.json", same))
        assert image.digest == image.config_digest == digest_of(config)
        assert image.compressed_bytes is None
        assert image.unpacked_bytes == 2 * len(same)

    def test_a_platform_whose_content_was_not_pulled_is_left_out(self) -> None:
        layout = Layout()
        here = layout.add(encoded(layout.manifest()), MANIFEST)
        other = Layout()
        elsewhere = layout.add(
            encoded(other.manifest(settings=archives.config([layer()], architecture="s390x"))),
            MANIFEST,
        )
        absent = {"mediaType": MANIFEST, "digest": digest_of(b"absent"), "size": 6}
        index = layout.add(encoded({"manifests": [here, elsewhere, absent]}), INDEX)
        [image] = read(tar(layout.files([index])))
        assert image.platform == "linux/amd64"

    def test_each_tag_lists_the_image_again_but_it_is_one(self) -> None:
        layout = Layout()
        manifest = layout.add(encoded(layout.manifest()), MANIFEST)
        index = layout.add(encoded({"manifests": [manifest, manifest]}), INDEX)
        assert len(read(tar(layout.files([index, index, manifest])))) == 1

    def test_names_of_platforms_are_normalised(self) -> None:
        layers = [layer()]
        told = archives.config(layers, architecture="arm64", variant="v8")
        [image] = read(archives.single(layers=layers, settings=told))
        assert image.platform == "linux/arm64"

    @given(size_bytes=st.integers(1, 70_000))
    @settings(max_examples=20, deadline=None)
    def test_chunks_may_be_cut_anywhere(self, size_bytes: int) -> None:
        content = archives.single()
        assert archive.read(pieces(content, size_bytes), "app:1") == read(content)
