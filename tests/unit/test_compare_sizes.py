"""Sizes side by side: each image beside what it is measured against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from tasks.core.comparing import beside
from tasks.core.render import beside as beside_table
from tasks.core.session import Session
from tests.unit.engines import LARGE, MORE_LAYER, SMALL, FakeSession, Make, maker
from tests.unit.test_sizes import target

BASE = target("app-baseline", "baseline")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    return maker(tmp_path, monkeypatch)


class TestSideBySide:
    def rows(self, session: FakeSession, *patterns: str, to: str = "") -> list[Any]:
        session.targets = {**session.targets, BASE.name: BASE}
        found = beside.compare(cast("Session", session), patterns, to)
        self.text = beside_table.render(found, "text")
        document = json.loads(beside_table.render(found, "json"))
        return [
            (
                one["target"],
                one["against"]["name"] if one["against"] else None,
                one["unpacked_difference_bytes"],
            )
            for one in document["images"]
        ]

    def test_against_the_baseline_of_the_service(self, make: Make) -> None:
        more = len(MORE_LAYER)
        session = make(app_production=SMALL, app_baseline=LARGE, web_production=SMALL)
        assert self.rows(session) == [
            ("app-baseline", None, None),
            ("app-production", "app-baseline", -more),
            ("web-production", None, None),
        ]
        assert "Nothing to measure against for: web." in self.text

    def test_against_a_variant(self, make: Make) -> None:
        session = make(app_production=SMALL, app_baseline=LARGE)
        found = self.rows(session, "app-*", to="multistage")
        assert [one[:2] for one in found] == [
            ("app-production", None),
            ("app-baseline", "app-production"),
        ]

    def test_against_any_image(self, make: Make, tmp_path: Path) -> None:
        path = tmp_path / "old.tar"
        path.write_bytes(SMALL)
        session = make(app_production=SMALL, web_production=SMALL)
        found = self.rows(session, "*-production", to=str(path))
        assert found == [("app-production", str(path), 0), ("web-production", str(path), 0)]
