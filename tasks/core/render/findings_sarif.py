"""Findings as SARIF 2.1.0, for code scanning: a rule for each kind, a result for each finding."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tasks.core.bake.definitions import BAKE_FILES
from tasks.core.render import sarif
from tasks.core.scanning.findings import (
    IDS,
    VULNERABILITIES,
    Finding,
    Judged,
    Report,
    Severity,
    State,
)

#: Code scanning sorts by these: how it shows a result, and a score on the scale of CVSS.
LEVELS = {
    Severity.UNKNOWN: "warning",
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
SCORES = {
    Severity.UNKNOWN: "5.0",
    Severity.LOW: "2.0",
    Severity.MEDIUM: "5.5",
    Severity.HIGH: "8.0",
    Severity.CRITICAL: "9.5",
}
#: Code scanning refuses documents with more results than that.
MOST = 5000
SHOWN = (State.OPEN, State.ACCEPTED)


def render(report: Report, places: Mapping[str, str]) -> str:
    """The document. Accepted findings are there as suppressed ones, so that they close alerts."""
    return written([run(report, places)])


def written(runs: Sequence[Mapping[str, Any]]) -> str:
    """The document of some runs."""
    document = {"$schema": sarif.SCHEMA, "version": sarif.VERSION, "runs": list(runs)}
    return json.dumps(document, indent=2, ensure_ascii=True)


def run(report: Report, places: Mapping[str, str]) -> dict[str, Any]:
    """What a report has to say, as a run."""
    judged = [one for state in SHOWN for one in report.of(state)][:MOST]
    gravest: dict[str, Finding] = {}
    for each in judged:
        gravest.setdefault(each.finding.rule, each.finding)
    numbers = {rule: number for number, rule in enumerate(gravest)}
    return {
        "tool": {"driver": {"name": "Slipway", "rules": [_rule(one) for one in gravest.values()]}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation("note", report.notes, successful=True)],
        "results": [_result(each, numbers, places) for each in judged],
    }


def broken(reason: str) -> dict[str, Any]:
    """A run of what could not run: without results, which must not be taken for none found."""
    return {
        "tool": {"driver": {"name": "Slipway", "rules": []}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation("error", [reason], successful=False)],
        "results": [],
    }


def _invocation(level: str, notes: Sequence[str], *, successful: bool) -> dict[str, Any]:
    return {
        "executionSuccessful": successful,
        "toolExecutionNotifications": [
            {"level": level, "message": {"text": sarif.plain(note)}} for note in notes
        ],
    }


def _rule(finding: Finding) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": finding.rule,
        "name": finding.rule,
        "shortDescription": {"text": sarif.plain(finding.title or finding.rule)},
        "fullDescription": {"text": sarif.plain(finding.title or finding.rule)},
        "defaultConfiguration": {"level": LEVELS[finding.severity]},
        "properties": {
            "security-severity": SCORES[finding.severity],
            "tags": ["security", IDS[finding.scan]],
        },
    }
    if finding.url.startswith(("https://", "http://")):
        rule["helpUri"] = quote(finding.url, safe=":/?#[]@!$&'()*+,;=%")
    return rule


def _result(
    judged: Judged, numbers: Mapping[str, int], places: Mapping[str, str]
) -> dict[str, Any]:
    finding = judged.finding
    platform = f" ({finding.platform})" if finding.platform else ""
    inside = f" in {finding.path}" if finding.path else ""
    note = f"; {judged.note}" if judged.note else ""
    text = f"{finding.place}{platform}: {finding.line_of_text}{inside}: {finding.title}{note}"
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": numbers[finding.rule],
        "level": LEVELS[finding.severity],
        "message": {"text": sarif.plain(text)},
        "locations": [_location(finding, places)],
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.fingerprint}:1",
            "slipway/v1": f"{finding.fingerprint}/{finding.platform}",
        },
        "properties": {"severity": finding.severity.value, "state": judged.state.value},
    }
    if judged.state is State.ACCEPTED:
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": sarif.plain(judged.note)}
        ]
    return result


def _location(finding: Finding, places: Mapping[str, str]) -> dict[str, Any]:
    """The line of a file; for what is in an image, the file that the image is made by."""
    in_image = finding.scan == VULNERABILITIES
    file = places.get(finding.place, BAKE_FILES[0]) if in_image else finding.place
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(file), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": max(finding.line, 1)},
        },
        "logicalLocations": [
            {
                "name": finding.subject,
                "fullyQualifiedName": f"{finding.place}/{finding.path or finding.subject}",
                "kind": "resource",
            }
        ],
    }
