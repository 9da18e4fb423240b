"""What differs between the configs of two images, and that no secret is shown with it."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.core.render import comparison
from tests.unit.compared import compare, rendered, settings
from tests.unit.layers import file, layer

TOKEN = "ghp_" + "a1B2" * 9


class TestConfig:
    def change(self, before: dict[str, Any], after: dict[str, Any]) -> list[tuple[Any, ...]]:
        base = [layer(file("f"))]
        found = compare(base, base, settings(**before), settings(**after))
        return [(one.field, one.name, one.before, one.after) for one in found.config]

    @pytest.mark.parametrize(
        ("key", "before", "after", "expected"),
        [
            ("User", "", "101", ("user", "", None, "101")),
            ("Entrypoint", ["a"], ["a", "b"], ("entrypoint", "", '["a"]', '["a", "b"]')),
            ("Cmd", ["x"], None, ("command", "", '["x"]', None)),
            ("WorkingDir", "/a", "/b", ("working directory", "", "/a", "/b")),
            ("StopSignal", None, "SIGQUIT", ("stop signal", "", None, "SIGQUIT")),
            (
                "Healthcheck",
                {"Test": ["NONE"], "Interval": 1500000000},
                {"Test": ["NONE"]},
                ("health check", "Interval", "1.5 s", None),
            ),
            ("Env", ["A=1", "B=2"], ["A=1", "B=3"], ("environment", "B", "2", "3")),
            ("Env", ["A=1"], ["A=1", "N="], ("environment", "N", None, "")),
            ("Labels", {"a.b": "1"}, {"a.b": "2"}, ("label", "a.b", "1", "2")),
            ("ExposedPorts", {}, {"80/tcp": {}}, ("port", "80/tcp", None, "declared")),
            ("Volumes", {"/data": {}}, None, ("volume", "/data", "declared", None)),
        ],
    )
    def test_every_setting(
        self, key: str, before: Any, after: Any, expected: tuple[Any, ...]
    ) -> None:
        assert self.change({key: before}, {key: after}) == [expected]

    def test_the_order_of_variables_is_no_difference(self) -> None:
        assert self.change({"Env": ["A=1", "B=2"]}, {"Env": ["B=2", "A=1"]}) == []

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("Env", ["API_TOKEN=correct-horse"]),
            ("Env", ["GREETING=hunter2hunter2"]),
            ("Env", [f"GREETING={TOKEN}ccccc"]),
            ("Env", ["URL=https://user:correct-horse@example.org/"]),
            ("Env", ["KEYS=-----BEGIN PRIVATE KEY-----\n" + "QUJD" * 30 + "\ncorrect-horse"]),
            ("Labels", {"org.example.password": "correct-horse"}),
            ("Labels", {"settings": '{"password": "correct-horse"}'}),
            ("Cmd", ["run", "--api-token", "correct-horse"]),
            ("Cmd", ["sh", "-c", "PASSWORD=correct-horse run"]),
            ("Healthcheck", {"Test": ["CMD", "curl", "--password=correct-horse"]}),
        ],
    )
    def test_secrets_are_masked_but_a_difference_stays_one(self, key: str, value: Any) -> None:
        base = [layer(file("f"))]
        found = compare(base, base, told_after=settings(**{key: value}))
        assert found.differs
        for format_ in comparison.FORMATS:
            shown = rendered(found, format_)
            assert "••••••" in shown
            for secret in ("correct-horse", "hunter2hunter2", "ghp_", "ccccc", "QUJD"):
                assert secret not in shown

    def test_a_secret_that_changed_is_told_without_either(self) -> None:
        found = self.change({"Env": ["DB_PASSWORD=one"]}, {"Env": ["DB_PASSWORD=other"]})
        assert found == [("environment", "DB_PASSWORD", "••••••", "••••••")]

    @pytest.mark.parametrize("junk", [5, "text", ["x"], {"Env": 5, "Labels": [1], "User": {}}])
    def test_a_config_that_makes_no_sense_is_compared_as_it_stands(self, junk: Any) -> None:
        base = [layer(file("f"))]
        found = compare(base, base, {"config": junk}, {"config": {}})
        rendered(found)
        assert bool(found.config) == isinstance(junk, dict)
