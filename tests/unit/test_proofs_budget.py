"""Proofs on sizes, layers and waste."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tasks.core.images import contents
from tasks.core.images.contents import Contents
from tasks.core.proofs import budget
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Status, Verdict
from tests.unit import archives, layers
from tests.unit.archives import pieces
from tests.unit.layers import file, hard_link, layer, link

MIB = 2**20


def prove(held: Contents, **limits: Any) -> dict[str, Verdict]:
    found = budget.prove("web", held, Policy(**limits))
    assert [each.proof for each in found] == [proof.id for proof in budget.PROOFS]
    return {each.proof.removeprefix("budget."): each for each in found}


def test_without_limits_only_measured() -> None:
    found = prove(layers.image(layer(file("a", bytes(3 * MIB))), layer(file("b", b"1"))))
    assert {each.status for each in found.values()} == {Status.SKIPPED}
    assert found["unpacked"].measured == "3.0 MiB"
    assert found["layers"].measured == "2"
    assert found["wasted"].measured == "0 B"
    assert found["compressed"].measured.endswith(" B")


@pytest.mark.parametrize(("limit", "status"), [(4, Status.PASSED), (3, Status.FAILED)])
def test_unpacked(limit: float, status: Status) -> None:
    found = prove(layers.image(layer(file("a", bytes(3 * MIB)))), max_unpacked_mib=limit)
    assert found["unpacked"].status is status


def test_compressed_is_what_is_stored() -> None:
    held = layers.image(layer(file("a", os.urandom(2 * MIB)), file("b", bytes(8 * MIB))))
    assert prove(held, max_compressed_mib=2.5)["compressed"].status is Status.PASSED
    found = prove(held, max_compressed_mib=1.5)["compressed"]
    assert (found.status, found.message) == (Status.FAILED, "2.0 MiB is more than 1.5 MiB")


def test_engines_that_keep_layers_unpacked_do_not_know_what_was_pulled() -> None:
    made = layer(file("a", bytes(MIB)))
    kind = f"{archives.OCI}.layer.v1.tar"
    archive = archives.single(layers=[made], compress=bytes, media_type=kind)
    [held] = contents.read(pieces(archive, 50_000), "app:1")
    found = prove(held, max_compressed_mib=0.1)["compressed"]
    assert (found.status, "not known" in found.message) == (Status.SKIPPED, True)


def test_layers() -> None:
    held = layers.image(layer(file("a", b"1")), layer(file("b", b"1")))
    assert prove(held, max_layers=2)["layers"].message == "2 of 2"
    assert prove(held, max_layers=1)["layers"].findings == ("2 is more than 1",)


class TestWaste:
    def wasted(self, *stacked: bytes) -> int:
        return budget.wasted_bytes(layers.image(*stacked))

    def test_replaced_and_removed(self) -> None:
        below = layer(file("a", bytes(500)), file("d/b", bytes(300)), file("c", bytes(100)))
        assert self.wasted(below, layer(file("a", bytes(40)))) == 500
        assert self.wasted(below, layer(file(".wh.d", b""))) == 300
        assert self.wasted(below, layer(file("d/.wh..wh..opq", b""))) == 300
        assert self.wasted(below, layer(file("e", bytes(7)))) == 0

    def test_twice_in_one_layer(self) -> None:
        assert self.wasted(layer(file("a", bytes(500)), file("a", bytes(20)))) == 500

    def test_a_file_with_several_names_counts_once(self) -> None:
        below = layer(file("a", bytes(500)), hard_link("b", "a"), hard_link("c", "b"))
        assert self.wasted(below) == 0
        assert self.wasted(below, layer(file(".wh.a", b""))) == 0
        gone = layer(*(file(f".wh.{name}", b"") for name in "abc"))
        assert self.wasted(below, gone) == 500

    def test_a_name_for_a_file_of_a_lower_layer(self) -> None:
        below = layer(file("a", bytes(500)))
        assert self.wasted(below, layer(hard_link("b", "a"))) == 0
        assert self.wasted(below, layer(hard_link("b", "a")), layer(file(".wh.a", b""))) == 0

    def test_through_a_link(self) -> None:
        below = layer(link("lib", "usr/lib"), file("usr/lib/x", bytes(500)))
        assert self.wasted(below, layer(file("lib/y", bytes(30)))) == 0
        assert self.wasted(below, layer(file("lib/x", bytes(30)))) == 500

    def test_the_limit(self) -> None:
        held = layers.image(layer(file("a", bytes(3 * MIB))), layer(file("a", b"")))
        found = prove(held, max_wasted_mib=2)["wasted"]
        assert (found.status, found.measured, found.allowed) == (
            Status.FAILED,
            "3.0 MiB",
            "2 MiB",
        )
