"""What is remembered of measured images, and what of it is believed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.core.images import archive, imagecache
from tests.unit import archives
from tests.unit.archives import digest_of, pieces

ID = digest_of(b"an image")


class TestCache:
    images = archive.read(pieces(archives.single()), "x:1")

    def test_gives_back_what_was_stored_under_its_name_of_today(self, tmp_path: Path) -> None:
        imagecache.store(tmp_path, ID, 7, self.images)
        [known] = imagecache.load(tmp_path, ID, 7, "y:2") or ()
        assert known == replace(self.images[0], reference="y:2")

    def test_knows_nothing_of_another_image_or_size(self, tmp_path: Path) -> None:
        imagecache.store(tmp_path, ID, 7, self.images)
        assert imagecache.load(tmp_path, ID, 8, "x:1") is None
        assert imagecache.load(tmp_path, digest_of(b"other"), 7, "x:1") is None

    @pytest.mark.parametrize("hostile", ["../../etc/passwd", "sha256:../../x", "", "sha256:AB"])
    def test_an_id_that_is_no_digest_touches_no_file(self, tmp_path: Path, hostile: str) -> None:
        imagecache.store(tmp_path, hostile, 7, self.images)
        assert imagecache.load(tmp_path, hostile, 7, "x:1") is None
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "damage",
        [
            {"schema": 2},
            {"images": []},
            {"images": [1]},
            {"images": {}},
            {"images": [{"layers": [{"digest": 1}]}]},
        ],
    )
    def test_what_is_damaged_is_ignored(self, tmp_path: Path, damage: dict[str, Any]) -> None:
        imagecache.store(tmp_path, ID, 7, self.images)
        [path] = (tmp_path / imagecache.FOLDER).iterdir()
        path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
        assert imagecache.load(tmp_path, ID, 7, "x:1") is None

    def test_a_file_that_is_no_json_is_ignored_and_written_anew(self, tmp_path: Path) -> None:
        imagecache.store(tmp_path, ID, 7, self.images)
        [path] = (tmp_path / imagecache.FOLDER).iterdir()
        path.write_bytes(b"\xff{")
        assert imagecache.load(tmp_path, ID, 7, "x:1") is None
        imagecache.store(tmp_path, ID, 7, self.images)
        assert imagecache.load(tmp_path, ID, 7, "x:1") == self.images

    def test_a_folder_that_cannot_be_made_is_said_and_survived(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / ".slipway").write_text("a file")
        imagecache.store(tmp_path, ID, 7, self.images)
        assert imagecache.load(tmp_path, ID, 7, "x:1") is None
        assert "not kept for the next time" in capsys.readouterr().err
