"""Reports on layers as people and programs read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.errors import UsageError
from tasks.core.layers import layering, layerreport, pictures
from tasks.core.layers.layerreport import LayerReport
from tasks.core.render import layers as tables_of
from tests.unit import archives
from tests.unit.layered import white
from tests.unit.layers import file, layer

LAYERS = [layer(file("big|`<b>", b"b" * 300_000), file("x\x1b[2J", b"x")), layer(white("big|`<b>"))]
HISTORY = [
    {"created_by": "COPY big / # buildkit", "created": "2026-01-02T03:04:05Z"},
    {"created_by": "ENV A=b", "empty_layer": True},
    {"created_by": "RUN /bin/sh -c rm big | @team <img>"},
]


@pytest.fixture
def report(tmp_path: Path) -> LayerReport:
    path = tmp_path / "image.tar"
    told = archives.config(LAYERS, history=HISTORY)
    path.write_bytes(archives.single(layers=LAYERS, settings=told))
    [found] = layering.from_archive(tmp_path, path)
    return layerreport.analyse("app", found, 5)


def test_layers_that_remove_without_end_are_refused(
    report: LayerReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [found] = layering.from_archive(tmp_path, tmp_path / "image.tar")
    monkeypatch.setattr(layerreport, "MAX_WORK_BYTES", 10)
    with pytest.raises(UsageError, match="1 layers remove something"):
        layerreport.analyse("app", found, 5)


def test_json_has_what_is_promised(report: LayerReport) -> None:
    document = json.loads(tables_of.render([report], "json"))
    [image] = document["images"]
    assert document["schema"] == 1
    assert set(image) == {
        *("name", "platform", "digest", "compressed_bytes", "unpacked_bytes"),
        *("layers", "dive", "waste", "largest"),
    }
    assert image["waste"] == {
        "stored_bytes": 300_001,
        "final_bytes": 1,
        "wasted_bytes": 300_000,
        "losses": [
            {"layer": 0, "gone_in": 1, "path": "/big|`<b>", "files": 1, "wasted_bytes": 300_000}
        ],
    }
    assert [row["wasted_bytes"] for row in image["layers"]] == [300_000, 0]
    assert [row["files"] for row in image["layers"]] == [2, 0]
    assert image["dive"]["wasted_bytes"] == 300_000
    assert image["largest"] == [{"path": "/x\\x1b[2J", "layer": 0, "size_bytes": 1}]


def test_text_says_who_wrote_what_for_nothing(report: LayerReport) -> None:
    text = tables_of.render([report], "text")
    assert "True waste: 0.3 MiB of 0.3 MiB in files (100.0 %)" in text
    assert "By dive's definition: efficiency 50" not in text
    assert "wasted 0.3 MiB (300000 bytes)" in text
    assert "0: COPY big /" in text
    assert "1: RUN rm big" in text
    assert "\x1b" not in text


def test_markdown_takes_nothing_for_markup(report: LayerReport) -> None:
    for text in (
        tables_of.render([report], "markdown"),
        tables_of.history([("app", report.image)], "markdown"),
    ):
        assert "<img>" not in text
        assert "<b>" not in text
        outside = "".join(text.split("`")[::2])
        assert "@team" not in outside


def test_the_rows_of_the_history_add_up(report: LayerReport) -> None:
    [image] = json.loads(tables_of.history([("app", report.image)], "json"))["images"]
    steps = image["steps"]
    assert [step["layer"] for step in steps] == [0, None, 1, None]
    for size in ("compressed_bytes", "unpacked_bytes"):
        assert sum(step[size] for step in steps) == image[size]
    assert steps[0]["created"] == "2026-01-02T03:04:05Z"
    assert tables_of.history([("app", report.image)], "text").splitlines()[-1].endswith("the image")


class TestAsked:
    @pytest.mark.parametrize(
        "given", [("", "", ()), ("a", "b", ()), ("a", "", ("t",)), ("a", "b", ("t",))]
    )
    def test_exactly_one_thing(self, given: tuple[str, str, tuple[str, ...]]) -> None:
        with pytest.raises(UsageError, match="expected one of --image, --archive and --target"):
            pictures.asked(*given, "")

    def test_a_platform_by_another_name(self) -> None:
        assert pictures.asked("a", "", (), "linux/aarch64").platforms == ("linux/arm64",)
        with pytest.raises(UsageError, match="--platform"):
            pictures.asked("a", "", (), "beos/ppc")
