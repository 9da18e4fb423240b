"""Every scan that can run: what is missing is told, and never taken for a pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast

import pytest

from tasks.core.errors import OutOfReach, ProofFailed, UsageError
from tasks.core.render import scans as table
from tasks.core.scanning import dockerfiles, everything, secrets
from tasks.core.scanning.everything import Scans
from tasks.core.scanning.findings import Finding, Judged, Report, Severity, State
from tasks.core.session import Session

FOUND = Finding("secrets", "token", Severity.HIGH, "GitHub token: tracked by git", "a", line=3)
OPEN = Report(judged=(Judged(FOUND, State.OPEN),), notes=("secrets: 1 file",))
AWAY = {"vulnerabilities": "no database"}


def raising(error: Exception) -> Callable[..., Report]:
    def scan(*_: object) -> Report:
        raise error

    return scan


class TestDemand:
    def test_what_was_found_comes_before_what_is_missing(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(ProofFailed, match=r"scan\.secrets failed: token in a:3"):
            everything.demand(Scans({"secrets": OPEN}, AWAY), ())
        assert "and could not run: scan.vulnerabilities" in capsys.readouterr().err

    def test_what_is_missing_is_no_pass(self) -> None:
        with pytest.raises(OutOfReach, match="no database; if it may be missing: --allow-missing"):
            everything.demand(Scans({"secrets": Report()}, AWAY), ())
        with pytest.raises(OutOfReach, match=r"no database; scan\.sbom as well"):
            everything.demand(Scans({}, {**AWAY, "sbom": "no syft"}), ())

    def test_what_may_be_missing(self) -> None:
        everything.demand(Scans({"secrets": Report()}, AWAY), ("vulnerabilities",))
        with pytest.raises(ProofFailed):
            everything.demand(Scans({"secrets": OPEN}, AWAY), ("vulnerabilities",))

    def test_a_name_that_is_none(self) -> None:
        with pytest.raises(UsageError, match="--allow-missing 'trivy': expected one of secrets, "):
            everything.check(["trivy"], "")
        with pytest.raises(UsageError, match="--severity 'grave'"):
            everything.check([], "grave")


class TestScan:
    @pytest.fixture(autouse=True)
    def parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(secrets, "scan", lambda *_: OPEN)
        monkeypatch.setattr(dockerfiles, "scan", raising(OutOfReach("no hadolint")))
        monkeypatch.setattr(everything, "_vulnerabilities", lambda *_: Report())
        monkeypatch.setattr(everything, "_sboms", raising(OutOfReach("no syft")))

    def test_one_that_is_missing_keeps_none_back(self) -> None:
        found = everything.scan(cast("Session", None), everything.Wish())
        assert list(found.reports) == ["secrets", "vulnerabilities"]
        assert found.missing == {"dockerfiles": "no hadolint", "sbom": "no syft"}

    def test_what_the_caller_got_wrong_ends_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(everything, "_sboms", raising(UsageError("no such target")))
        with pytest.raises(UsageError):
            everything.scan(cast("Session", None), everything.Wish())


class TestRender:
    SCANS = Scans({"secrets": OPEN, "dockerfiles": Report()}, AWAY)

    def test_text_names_what_could_not_run(self) -> None:
        text = table.render(self.SCANS, "text", ())
        assert "GitHub token" in text
        assert "scan.vulnerabilities could not run: no database" in text
        allowed = table.render(self.SCANS, "markdown", ("vulnerabilities",))
        assert "could not run, which was allowed" in allowed

    def test_json(self) -> None:
        document = json.loads(table.render(self.SCANS, "json", ()))
        assert document["schema"] == 1
        assert document["scans"] == ["secrets", "dockerfiles"]
        assert document["missing"] == [
            {"scan": "vulnerabilities", "reason": "no database", "allowed": False}
        ]
        assert document["summary"]["open"] == 1

    def test_sarif_has_a_run_for_each(self) -> None:
        runs = json.loads(table.render(self.SCANS, "sarif", ()))["runs"]
        assert [run["automationDetails"]["id"] for run in runs] == [
            "slipway/scan.secrets/",
            "slipway/scan.dockerfiles/",
            "slipway/scan.vulnerabilities/",
        ]
        assert [len(run["results"]) for run in runs] == [1, 0, 0]
        [done, _, broken] = [run["invocations"][0] for run in runs]
        assert done["executionSuccessful"] is True
        assert broken["executionSuccessful"] is False
