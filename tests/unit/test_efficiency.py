"""Dive's figures: what the real dive said of thirty images, and some by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.layers import efficiency
from tasks.core.layers.layerfiles import columns
from tests.unit import layered
from tests.unit.layers import file, folder, image, layer

SAID = json.loads(Path("tests/data/dive-figures.json").read_text(encoding="utf-8"))


def measured(*layers: bytes) -> efficiency.Efficiency:
    return efficiency.measure([columns(each.entries) for each in image(*layers).layers])


def test_every_image_was_shown_to_dive() -> None:
    assert set(SAID) == set(layered.CASES)


@pytest.mark.parametrize("name", layered.CASES)
def test_figures_are_those_that_dive_gave(name: str) -> None:
    found = measured(*layered.CASES[name][0])
    assert SAID[name] == {
        "efficiency": found.score,
        "wasted_bytes": found.wasted_bytes,
        "size_bytes": found.size_bytes,
        "repeated": sorted([each.count, each.cumulative_bytes] for each in found.repeated),
    }


def test_a_file_written_three_times() -> None:
    found = measured(*(layer(file("x", b"x" * size)) for size in (300, 100, 200)))
    assert (found.score, found.wasted_bytes, found.user_bytes) == (100 / 600, 600, 300)
    assert found.repeated == (efficiency.Repeated("x", 3, 600),)
    assert found.wasted_user_percent == 200


def test_a_removed_folder_counts_what_was_in_it_and_a_removed_file_nothing() -> None:
    base = layer(folder("d"), file("d/a", b"a" * 70), file("f", b"f" * 30))
    assert measured(base, layer(layered.white("d"))).wasted_bytes == 0  # seen once as a leaf
    assert measured(base, layer(layered.white("d"))).score == 1.0
    assert measured(base, layer(layered.white("f"))).wasted_bytes == 30


def test_nothing_is_efficient() -> None:
    assert measured(layer()).score == 1.0
    assert measured(layer()).wasted_user_percent is None


def test_an_empty_folder_that_is_made_opaque_is_there_twice() -> None:
    found = measured(layer(folder("d")), layer(layered.opaque("d")))
    assert found.repeated == (efficiency.Repeated("d", 2, 0),)
