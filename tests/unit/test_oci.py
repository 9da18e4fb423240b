"""Images written from tar files: digests that add up, bytes that do not depend on the day."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tasks.core.provision import oci


def layer(folder: Path, name: str, content: bytes) -> oci.Layer:
    (folder / name).write_bytes(content)
    return oci.compress(folder / name)


def blob(layout: Path, digest: str) -> bytes:
    data = (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
    return data


def test_a_compressed_layer_holds_the_very_tar(tmp_path: Path) -> None:
    content = os.urandom(oci.CHUNK_BYTES) * 3 + b"end"  # several pieces, the last one short
    made = layer(tmp_path, "rootfs.tar", content)
    packed = made.path.read_bytes()
    assert gzip.decompress(packed) == content
    assert made.size_bytes == len(packed)
    assert made.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert made.diff_id == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert oci.compress(tmp_path / "rootfs.tar") == made


def test_a_layout_joins_config_layers_and_platform(tmp_path: Path) -> None:
    layers = [layer(tmp_path, "rootfs.tar", b"a"), layer(tmp_path, "node.tar", b"b")]
    layout = tmp_path / "layout"
    oci.write(
        layout,
        layers,
        platform="linux/arm/v7",
        config={"Cmd": ["node"], "User": "1000"},
        created="2026-01-02T00:00:00Z",
    )
    index: Any = json.loads((layout / "index.json").read_text())
    (entry,) = index["manifests"]
    assert entry["platform"] == {"os": "linux", "architecture": "arm", "variant": "v7"}
    manifest = json.loads(blob(layout, entry["digest"]))
    assert [each["digest"] for each in manifest["layers"]] == [each.digest for each in layers]
    config = json.loads(blob(layout, manifest["config"]["digest"]))
    assert (config["architecture"], config["variant"]) == ("arm", "v7")
    assert config["config"] == {"Cmd": ["node"], "User": "1000"}
    assert config["rootfs"]["diff_ids"] == [each.diff_id for each in layers]
    assert [blob(layout, each.digest) for each in layers]
