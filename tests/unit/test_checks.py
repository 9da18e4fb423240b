"""Which checks `inv test` runs: nothing is left out of all lanes, nothing runs in two of them."""

from __future__ import annotations

import pytest

from tasks.core import checks
from tasks.core.checks import Extent
from tasks.core.errors import UsageError


def names(wanted: Extent) -> list[str]:
    return [name for name, _ in checks.commands("python", wanted)]


def test_everything_is_the_usual_checks_and_the_long_ones() -> None:
    assert names(Extent.ALL) == [*names(Extent.USUAL), *names(Extent.LONG)]
    assert set(names(Extent.UNIT)) < set(names(Extent.USUAL))
    assert set(names(Extent.USUAL)).isdisjoint(names(Extent.LONG))


def test_long_tests_run_in_the_long_lane_alone() -> None:
    chosen = {
        wanted: [argv[-1] for name, argv in checks.commands("python", wanted) if "engine" in name]
        for wanted in Extent
    }
    assert chosen == {
        Extent.UNIT: [],
        Extent.USUAL: ["not long"],
        Extent.LONG: ["long"],
        Extent.ALL: ["not long", "long"],
    }


def test_one_lane_at_a_time() -> None:
    assert checks.extent(unit=False, long=False, every=False) is Extent.USUAL
    assert checks.extent(unit=False, long=False, every=True) is Extent.ALL
    with pytest.raises(UsageError, match="one of --unit, --long and --all"):
        checks.extent(unit=True, long=True, every=False)
