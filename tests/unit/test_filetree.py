"""Layers, one upon the other: whiteouts, links, and what replaces what."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import UsageError
from tasks.core.images import filetree
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.untrusted import Malformed
from tests.unit.layers import file, folder, hard_link, image, layer, link

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
KINDS = st.sampled_from([Kind.FILE, Kind.DIRECTORY, Kind.LINK, Kind.LINK, Kind.HARD_LINK])
LEADS = st.builds("".join, st.tuples(st.sampled_from(["", "/", "../", "a/../", "b/../"]), PATHS))
ENTRIES = st.builds(
    lambda path, kind, to: FileEntry(path, kind, 0, 0, 0, 0, to), PATHS, KINDS, LEADS
)
WHITEOUTS = st.builds(
    lambda folder, name: FileEntry(f"{folder}/.wh.{name}", Kind.FILE, 0, 0, 0, 0), PATHS, NAMES
)
LAYERS = st.lists(st.lists(st.one_of(ENTRIES, ENTRIES, WHITEOUTS), max_size=8), max_size=4)


class Forgetful(filetree._Tree):
    """Looks for every folder anew."""

    def _folder(self, path: str, layer: int) -> filetree._Node:
        return self._led(path, layer)


@settings(max_examples=300, deadline=None)
@given(layers=LAYERS)
def test_folders_that_are_remembered_are_where_they_would_be_found(
    layers: list[list[FileEntry]],
) -> None:
    assert put_together(filetree._Tree(), layers) == put_together(Forgetful(), layers)


def test_a_link_that_becomes_a_folder_leads_elsewhere() -> None:
    """Through a link to a file, and back: what was remembered by that way is no longer so."""
    made = [
        *(FileEntry(path, Kind.DIRECTORY, 0, 0, 0, 0) for path in ("a", "a/d", "d")),
        FileEntry("a/f", Kind.FILE, 0, 0, 0, 0),
        FileEntry("l", Kind.LINK, 0, 0, 0, 0, "a/f"),
        FileEntry("m", Kind.LINK, 0, 0, 0, 0, "l/../d"),
        *(FileEntry(path, Kind.FILE, 0, 0, 0, 0) for path in ("m/x", "l/y", "m/z")),
    ]
    found = put_together(filetree._Tree(), [made])
    assert {"a/d/x", "d/z"} <= set(found)
    assert found == put_together(Forgetful(), [made])


def put_together(tree: filetree._Tree, layers: list[list[FileEntry]]) -> dict[str, FileEntry] | str:
    """The file system, or what is wrong with the layers."""
    try:
        for number, entries in enumerate(layers):
            tree.apply(number, tuple(entries))
    except Malformed as problem:
        return str(problem)
    return dict(tree.flat())


def paths(*stacked: bytes) -> dict[str, FileEntry]:
    return dict(image(*stacked).files)


class TestStacking:
    def test_whiteouts_remove_files_and_folders_of_lower_layers(self) -> None:
        found = paths(
            layer(folder("a"), file("a/x", b"1"), file("a/y", b"2"), file("b/c/d", b"3")),
            layer(file("a/.wh.x"), file(".wh.b"), file("b2", b"4")),
        )
        assert sorted(found) == ["a", "a/y", "b2"]

    def test_an_opaque_folder_keeps_what_its_own_layer_brings(self) -> None:
        found = paths(
            layer(folder("a"), file("a/old", b"1")),
            layer(folder("a"), file("a/new", b"2"), file("a/.wh..wh..opq")),
        )
        assert sorted(found) == ["a", "a/new"]
        assert found["a/new"].layer == 1

    def test_a_folder_replaced_by_a_file_and_back(self) -> None:
        found = paths(layer(folder("a"), file("a/x", b"1")), layer(file("a", b"2")))
        assert sorted(found) == ["a"]
        assert found["a"].kind is Kind.FILE
        again = paths(layer(file("a", b"2")), layer(file("a/x", b"1")))
        assert again["a"].kind is Kind.DIRECTORY

    def test_a_folder_written_again_keeps_its_content(self) -> None:
        found = paths(layer(folder("a"), file("a/x", b"1")), layer(folder("a", 0o700)))
        assert found["a"].mode == 0o700
        assert "a/x" in found

    def test_writing_through_a_link_lands_where_the_engine_puts_it(self) -> None:
        found = paths(
            layer(folder("usr/lib"), link("lib", "usr/lib")), layer(file("lib/libc.so", b"1"))
        )
        assert found["lib"].kind is Kind.LINK
        assert found["usr/lib/libc.so"].path == "usr/lib/libc.so"

    def test_a_hard_link_over_layers(self) -> None:
        found = paths(layer(file("a", b"12", 0o755)), layer(hard_link("b", "a"), file(".wh.a")))
        assert sorted(found) in (["b"], ["a", "b"])

    def test_a_hard_link_that_leads_nowhere_stays_one(self) -> None:
        assert paths(layer(hard_link("b", "a")))["b"].kind is Kind.HARD_LINK

    def test_following_links_inside_the_image(self) -> None:
        found = paths(
            layer(
                file("usr/lib/ld.so", b"1"),
                link("lib", "usr/lib"),
                link("usr/lib/abs", "/lib/ld.so"),
                link("up", "../../../usr/lib/ld.so"),
                link("loop", "loop"),
                link("usr/lib/gone", "nothing"),
            )
        )

        def leads_to(path: str) -> str | None:
            entry = filetree.follow(found, path)
            return entry.path if entry else None

        assert leads_to("/lib/ld.so") == "usr/lib/ld.so"
        assert leads_to("lib/abs") == "usr/lib/ld.so"
        assert leads_to("up") == "usr/lib/ld.so"
        assert leads_to("lib/../lib/./ld.so") == "usr/lib/ld.so"
        assert leads_to("loop") is None
        assert leads_to("lib/gone") is None
        assert leads_to("lib/ld.so/x") is None


class TestProportion:
    def test_deep_folders_without_end(self) -> None:
        deep = layer(*(file(f"{number}/{'a/' * 1500}f") for number in range(60)))
        with pytest.raises(UsageError, match="its paths take more than"):
            paths(deep)

    def test_short_names_behind_a_long_link(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(filetree, "MAX_IMPLIED_BYTES", 200_000)
        long = "/".join(["a" * 100] * 20)
        many = (file(f"l/{number}") for number in range(100))
        with pytest.raises(UsageError, match="its paths take more than"):
            paths(layer(folder(long), link("l", long), *many))

    def test_links_that_make_a_long_way(self) -> None:
        way = "a/../" * 700
        chain = [link(f"l{number}", f"{way}l{number + 1}") for number in range(39)]
        found = paths(layer(folder("a"), file("l39"), *chain))
        began = time.monotonic()
        assert filetree.follow(found, "l0") is None
        assert time.monotonic() - began < 0.1
