"""Which findings of a scan count, and how they are shown."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.core.errors import ProofFailed, UsageError
from tasks.core.proofs.policy import Accepted
from tasks.core.render import findings as table
from tasks.core.scanning import baseline, findings
from tasks.core.scanning.findings import Finding, Report, Rules, Severity, State, Subject

TODAY = datetime.date(2026, 11, 24)
LODASH = Finding(
    findings.VULNERABILITIES,
    "CVE-2021-23337",
    Severity.HIGH,
    "Command injection in lodash",
    "web",
    platform="linux/amd64",
    package="lodash",
    installed="4.17.20",
    fixed="4.17.21",
    url="https://avd.example/CVE-2021-23337",
)
LATEST = Finding(
    findings.DOCKERFILES, "DL3007", Severity.MEDIUM, "Using latest", "web/Dockerfile", line=3
)


def accepted(match: str, *, days: int = 0, proof: str = "scan.vulnerabilities") -> Accepted:
    return Accepted(proof, match, "not called", TODAY + datetime.timedelta(days=days))


def states(
    *found: Finding, exceptions: tuple[Accepted, ...] = (), rules: Rules | None = None
) -> list[str]:
    judged = findings.judge(found, exceptions, rules or Rules(today=TODAY))
    return [each.state for each in judged]


@pytest.mark.parametrize(
    ("least", "state"), [("unknown", "open"), ("high", "open"), ("critical", "minor")]
)
def test_the_threshold_includes_its_own_word(least: str, state: str) -> None:
    assert states(LODASH, rules=Rules(Severity(least), today=TODAY)) == [state]


def test_what_nobody_has_judged_is_below_low_and_counted() -> None:
    unknown = replace(LODASH, severity=Severity.UNKNOWN)
    judged = findings.judge([unknown], (), Rules(today=TODAY))
    report = Report(judged=judged)
    findings.demand(report)
    assert "1 less grave than asked for" in table.render(report, "text")


@pytest.mark.parametrize(
    "match",
    [
        "CVE-2021-23337",
        "CVE-2021-23337 lodash",
        "CVE-2021-23337 lodash@4.17.20",
        "CVE-2021-23337 lodash@4.17.*",
        "* lodash",
    ],
)
def test_an_exception_names_a_finding_by_rule_and_package(match: str) -> None:
    assert states(LODASH, exceptions=(accepted(match),)) == ["accepted"]


@pytest.mark.parametrize(
    "exception",
    [
        accepted("CVE-2021-2333"),
        accepted("lodash"),
        accepted("CVE-2021-23337 lodash@4.17.21"),
        accepted("CVE-2021-23337", proof="scan.secrets"),
    ],
)
def test_an_exception_for_something_else_accepts_nothing(exception: Accepted) -> None:
    assert states(LODASH, exceptions=(exception,)) == ["open"]
    assert list(findings.unused([LODASH], [exception], "vulnerabilities")) == (
        [exception] if exception.proof == "scan.vulnerabilities" else []
    )


def test_an_exception_counts_on_its_last_day_and_fails_the_day_after() -> None:
    assert states(LODASH, exceptions=(accepted("CVE-*"),)) == ["accepted"]
    over = accepted("CVE-*", days=-1)
    rules = Rules(today=TODAY, known={LODASH.fingerprint})
    judged = findings.judge([LODASH], [over], rules)
    with pytest.raises(ProofFailed) as raised:
        findings.demand(Report(judged=judged))
    assert str(raised.value) == (
        "web: scan.vulnerabilities failed: CVE-2021-23337 in lodash@4.17.20 (high, fixed in "
        "4.17.21); the exception ended on 2026-11-23: not called"
    )


def test_unfixed_ones_are_left_out_only_when_asked_to() -> None:
    unfixed = replace(LODASH, fixed="")
    rules = Rules(ignore_unfixed=True, today=TODAY)
    assert states(unfixed, LODASH, LATEST, rules=rules) == ["unfixed", "open", "open"]
    assert states(unfixed) == ["open"]


def test_a_baseline_knows_the_same_finding_in_another_version(tmp_path: Path) -> None:
    before = findings.judge([replace(LODASH, place="host:5000/web:1.0"), LATEST], (), Rules())
    path = tmp_path / "before.json"
    path.write_text(table.render(Report(judged=before), "json"))
    known = Rules(today=TODAY, known=baseline.read(str(path)))
    later = replace(LODASH, place="host:5000/web:1.1", installed="4.17.19", platform="linux/arm64")
    other = replace(later, rule="CVE-2020-8203")
    moved = replace(LATEST, line=9)
    assert states(later, other, moved, rules=known) == ["known", "open", "known"]


def test_what_was_accepted_before_is_no_part_of_a_baseline(tmp_path: Path) -> None:
    before = findings.judge([LODASH], [accepted("CVE-*")], Rules(today=TODAY))
    path = tmp_path / "before.json"
    path.write_text(table.render(Report(judged=before), "json"))
    assert baseline.read(str(path)) == frozenset()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"schema": 2, "findings": []}',
        '{"schema": 1, "verdicts": []}',
        '{"schema": 1, "findings": [1]}',
        '{"schema": 1, "findings": [{"state": "open"}]}',
    ],
)
def test_what_is_no_report_is_no_baseline(content: str, tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"--baseline .*before.json: "):
        baseline.read(str(path))
    with pytest.raises(UsageError, match="there is no such file"):
        baseline.read(str(path) + "x")


def report() -> Report:
    there = [LODASH, replace(LODASH, platform="linux/arm64"), LATEST]
    judged = (
        *findings.judge(there, (), Rules(today=TODAY)),
        *findings.judge(
            [replace(LODASH, rule="CVE-1")], [accepted("CVE-1", days=3)], Rules(today=TODAY)
        ),
    )
    subjects = (
        Subject("vulnerabilities", "web", "linux/amd64", "trivy 1.2.3"),
        Subject("vulnerabilities", "web", "linux/arm64", "trivy 1.2.3"),
    )
    return Report(subjects, judged, (accepted("CVE-2"),), ("the database is 3 hours old",))


def test_the_table_joins_platforms_and_says_what_was_scanned() -> None:
    text = table.render(report(), "text")
    assert "web (linux/amd64, linux/arm64)" in text
    assert text.count("CVE-2021-23337") == 1
    assert "web/Dockerfile:3" in text
    assert "accepted: web (linux/amd64): CVE-1 in lodash@4.17.20" in text
    assert "not called, until 2026-11-27" in text
    assert "take it out of invoke.yaml: scan.vulnerabilities 'CVE-2' (not called)" in text
    assert "vulnerabilities: scanned web (linux/amd64), web (linux/arm64) with trivy 1.2.3" in text
    assert text.endswith("the database is 3 hours old\n3 open, 1 accepted by exceptions.")


def test_json_has_every_finding_with_what_became_of_it() -> None:
    document = json.loads(table.render(report(), "json"))
    assert document["schema"] == 1
    assert [one["state"] for one in document["findings"]] == ["open"] * 3 + ["accepted"]
    assert document["summary"]["open"] == 3
    assert document["unused_exceptions"][0]["expires"] == "2026-11-24"


def test_sarif_shows_the_line_and_suppresses_what_is_accepted() -> None:
    places = {"web": "web/Dockerfile"}
    [run] = json.loads(table.render(report(), "sarif", places))["runs"]
    first = run["results"][0]
    where = first["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "web/Dockerfile"
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"]
    [latest] = [one for one in run["results"] if one["ruleId"] == "DL3007"]
    assert latest["locations"][0]["physicalLocation"]["region"]["startLine"] == 3
    suppressed = [one for one in run["results"] if "suppressions" in one]
    assert [one["ruleId"] for one in suppressed] == ["CVE-1"]


def test_markdown_links_and_mentions_nothing_of_others() -> None:
    hostile = replace(LODASH, title="[x](https://evil.example) @all | <b>")
    judged = findings.judge([hostile], (), Rules(today=TODAY))
    text = table.render(Report(judged=judged), "markdown")
    [row] = [line for line in text.splitlines() if "CVE-2021-23337" in line]
    assert row.count("|") == len(table.HEADERS) + 1
    assert "<b>" not in row
    assert "](" not in row


def test_nothing_steers_a_terminal() -> None:
    hostile = replace(LODASH, package="lo\x1b[31m", title="a\nb\x1b]0;x\x07")
    judged = findings.judge([hostile], (), Rules(today=TODAY))
    assert judged[0].state == State.OPEN
    assert "\x1b" not in table.render(Report(judged=judged), "text")
