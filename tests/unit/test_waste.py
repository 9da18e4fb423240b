"""True waste: how much, who wrote it, and what made it waste."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.layers import finalpaths, waste
from tasks.core.layers.layerfiles import LayerFiles, columns
from tasks.core.layers.waste import Loss
from tests.unit import layered
from tests.unit.layered import opaque, white
from tests.unit.layers import Member, file, folder, hard_link, image, layer, link

NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
MEMBERS = st.one_of(
    st.builds(lambda path, size: file(path, b"x" * size), NAMES, st.integers(0, 40)),
    st.builds(folder, NAMES),
    st.builds(white, NAMES),
    st.builds(opaque, NAMES),
    st.builds(hard_link, NAMES, NAMES),
)


def read(*layers: bytes) -> list[LayerFiles]:
    return [columns(each.entries) for each in image(*layers).layers]


def losses(*layers: bytes) -> list[Loss]:
    return list(waste.measure(read(*layers)).losses)


BASE = layer(folder("d"), file("d/a", b"a" * 70), file("d/b", b"b" * 20), file("f", b"f" * 30))


class TestWhoWroteIt:
    def test_a_replaced_file(self) -> None:
        assert losses(BASE, layer(file("f", b"g"))) == [Loss(0, 1, "f", 1, 30)]

    def test_a_removed_folder_is_one_line(self) -> None:
        assert losses(BASE, layer(), layer(white("d"))) == [Loss(0, 2, "d", 2, 90)]

    def test_an_opaque_folder(self) -> None:
        above = layer(folder("d"), opaque("d"), file("d/a", b"new"))
        assert losses(BASE, above) == [Loss(0, 1, "d", 2, 90)]

    def test_a_middle_layer(self) -> None:
        found = losses(BASE, layer(file("d/c", b"c" * 500)), layer(white("d/c")))
        assert found == [Loss(1, 2, "d/c", 1, 500)]

    def test_a_changed_mode_is_a_copy_of_the_file(self) -> None:
        assert losses(BASE, layer(file("f", b"f" * 30, mode=0o600))) == [Loss(0, 1, "f", 1, 30)]

    def test_a_file_that_is_in_one_layer_twice(self) -> None:
        assert losses(layer(file("x", b"1" * 9), file("x", b"2"))) == [Loss(0, 0, "x", 1, 9)]

    def test_a_file_replaced_by_a_folder_of_links(self) -> None:
        assert losses(BASE, layer(white("d")), layer(link("d", "f"))) == [Loss(0, 1, "d", 2, 90)]

    def test_a_hard_link_keeps_a_file(self) -> None:
        base = layer(file("a", b"a" * 9), hard_link("b", "a"))
        assert losses(base, layer(white("a"))) == []
        assert losses(base, layer(white("a"), white("b"))) == [Loss(0, 1, "a", 1, 9)]

    def test_written_through_a_link(self) -> None:
        base = layer(folder("real"), file("real/x", b"x" * 50), link("way", "real"))
        [loss] = losses(base, layer(file("way/x", b"new")))
        assert (loss.layer, loss.gone_in, loss.wasted_bytes) == (0, None, 50)


@pytest.mark.parametrize("name", layered.CASES)
def test_it_is_what_is_stored_without_what_is_left_after_unpacking(
    name: str, tmp_path: Path
) -> None:
    layers = layered.CASES[name][0]
    found = waste.measure(read(*layers))
    final = layered.unpacked_bytes(layers, tmp_path / "root")
    assert (found.final_bytes, found.stored_bytes) == (final, layered.stored_bytes(layers))
    assert sum(each.wasted_bytes for each in found.losses) == found.stored_bytes - final


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_largest_files_that_are_left(count: int) -> None:
    found = waste.measure(read(BASE, layer(file("d/a", b"a" * 80), white("f"))), count)
    named = [(each.path, each.layer, each.size_bytes) for each in found.largest]
    assert named == [("d/a", 1, 80), ("d/b", 0, 20)][:count]
    assert found.final_bytes == 100


@given(st.lists(st.lists(MEMBERS, max_size=7), min_size=1, max_size=4))
def test_without_a_tree_the_same_is_left(members: list[list[Member]]) -> None:
    layers = read(*(layer(*each) for each in members))
    of_tree = sorted(finalpaths._of_tree(layers))
    assert sorted(finalpaths.final(layers)) == of_tree
    found = waste.measure(layers)
    kept = {origin for _, origin in of_tree}
    sizes = [size for each in layers for size in each.sizes]
    assert found.final_bytes == sum(sizes[origin] for origin in kept)
    assert sum(each.wasted_bytes for each in found.losses) == found.wasted_bytes
