"""What is kept of layers: used when it is sound and of the same blob, read anew when not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.layers import layercache
from tasks.core.layers.layerfiles import KnownLayer, columns
from tasks.core.untrusted import Malformed
from tests.unit.archives import digest_of
from tests.unit.layers import file, folder, hard_link, image, layer, link

ID, BLOB = digest_of(b"tar"), digest_of(b"blob")
CONTENT = layer(
    folder("d"), file("d/caf\udce9", b"c" * 30), link("l", "d"), hard_link("h", "d/caf\udce9")
)
KNOWN = KnownLayer(ID, BLOB, len(CONTENT), columns(image(CONTENT).layers[0].entries))


def changed(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    layercache.store(root, KNOWN)
    [path] = (root / layercache.FOLDER).iterdir()
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    assert layercache.load(tmp_path, ID, BLOB) is None
    layercache.store(tmp_path, KNOWN)
    assert layercache.load(tmp_path, ID, BLOB) == KNOWN


def test_another_blob_has_to_be_read_before_it_is_believed(tmp_path: Path) -> None:
    layercache.store(tmp_path, KNOWN)
    assert layercache.load(tmp_path, ID, digest_of(b"claims to be the same layer")) is None


@pytest.mark.parametrize("field", ["paths", "sizes", "kinds", "links", "unpacked_bytes"])
@pytest.mark.parametrize("value", [None, 7.5, "x", ["x"], [-1], {"x": 1}, True])
def test_what_is_not_sound_is_read_anew(
    tmp_path: Path, field: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(tmp_path, lambda document: document.update({field: value}))
    assert layercache.load(tmp_path, ID, BLOB) is None
    assert "reading a layer anew" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("paths", ["d", "d/../../etc", "l", "h"]),
        ("sizes", [0, 2**64, 0, 0]),
        ("sizes", [0, True, 0, 0]),
        ("kinds", "dfl?"),
        ("links", {"9": "d"}),
        ("links", {"-1": "d"}),
        ("links", {"2": 5}),
    ],
)
def test_columns_that_lie(tmp_path: Path, field: str, value: Any) -> None:
    changed(tmp_path, lambda document: document.update({field: value}))
    assert layercache.load(tmp_path, ID, BLOB) is None


@pytest.mark.parametrize("content", [b"", b"\x80", b"[" * 100_000, b"{}", b"[]"])
def test_a_file_that_is_anything_else(tmp_path: Path, content: bytes) -> None:
    layercache.store(tmp_path, KNOWN)
    [path] = (tmp_path / layercache.FOLDER).iterdir()
    path.write_bytes(content)
    assert layercache.load(tmp_path, ID, BLOB) is None


def test_an_id_that_is_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        layercache.load(tmp_path, "sha256:../../x", BLOB)
