"""Archives that would take all memory or time: one line and exit 2, in bounds; for minutes."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit import hostile
from tests.unit.hostile import MIB, verify

pytestmark = pytest.mark.long

PEAK_MIB, SECONDS = 400, 300


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "image"


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "10 GiB in gzip": (
        lambda: hostile.claiming(hostile.gzip_bomb(10 * 2**30)),
        "unpacks to more than 100 times its size",
    ),
    "10 GiB in zstd": (
        lambda: hostile.claiming(hostile.zstd_bomb(10 * 2**30)),
        "unpacks to more than 100 times its size",
    ),
    "10 GiB around it": (
        lambda: hostile.gzip_bomb(10 * 2**30),
        "unpacks to more than 100 times its size",
    ),
    "zstd that wants 2 GiB": (
        lambda: hostile.claiming(hostile.zstd_wide(2**31)),
        "cannot be decompressed",
    ),
    "1,000,000 entries": (
        lambda: hostile.claiming(hostile.entries(1_000_000)),
        "hold more than 500000 entries",
    ),
    "1,000,000 members": (lambda: hostile.entries(1_000_000), "twice"),
    "pax records": (
        lambda: hostile.claiming(
            gzip.compress(hostile.header() + hostile.extension(b"x", b"5 a=\n" * 200_000)) * 400
        ),
        "bytes of names",
    ),
    "values in a config": (
        lambda: hostile.configured(b'{"config":[' + b"{}," * (2 * MIB) + b"{}]}"),
        "JSON of more than 60000 values",
    ),
    "a sparse file that goes on": (
        lambda: hostile.behind(
            hostile.extension(
                b"x", b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.name=index\n"
            ),
            hostile.header(size=512),
            b"9".ljust(512, b"9"),
        ),
        "is a sparse file",
    ),
    "pax digits": (
        lambda: hostile.behind(hostile.extension(b"x", b"1" * 1_000_000), hostile.header()),
        "is damaged",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(bomb: str, place: Path) -> None:
    make, part = BOMBS[bomb]
    place.write_bytes(make())
    ran = verify(place, place.parent, SECONDS)
    assert (ran.code, ran.out) == (2, "")
    assert part in ran.line
    assert ran.peak_mib < PEAK_MIB


def test_a_layer_of_many_entries_many_times(place: Path) -> None:
    content = hostile.names(range(20_000))
    place.write_bytes(hostile.of(*[content] * 100))
    ran = verify(place, place.parent, SECONDS)
    assert ran.code == 2
    assert "more than 500000 entries in their layers" in ran.line
    assert ran.peak_mib < PEAK_MIB


def test_as_many_entries_as_there_may_be(place: Path) -> None:
    place.write_bytes(hostile.of(hostile.names(range(499_000))))
    ran = verify(place, place.parent, SECONDS)
    assert ran.code in (0, 1), ran.err
    assert ran.peak_mib < PEAK_MIB


def test_a_gibibyte_is_read_in_little_memory(place: Path) -> None:
    noise = random.Random(1).randbytes(MIB)  # noqa: S311 - any bytes
    stored = hostile.header(size=1024 * MIB) + noise * 1024 + bytes(1024)
    place.write_bytes(hostile.of(stored))
    ran = verify(place, place.parent, SECONDS)
    assert ran.code in (0, 1), ran.err
    assert ran.peak_mib < 200
