"""JUnit and SARIF: what CI systems read of verdicts, whatever the texts are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Failure, JUnitXml, Skipped

from tasks.core.bake import definitions
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity, Verdict
from tasks.core.render import sarif
from tasks.core.render import verdicts as verdict_table
from tests.unit import outcomes
from tests.unit.outcomes import HEALTHY, KEYS, LAYERS, PLATFORMS, PROOFS, SHELL

PLACES = {"web": "web app/Dockerfile"}


def scanned(verdicts: list[Verdict]) -> dict[str, Any]:
    document = json.loads(verdict_table.render(verdicts, "sarif", proofs=PROOFS, places=PLACES))
    assert (document["version"], len(document["runs"])) == ("2.1.0", 1)
    run: dict[str, Any] = document["runs"][0]
    return run


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_any_text_comes_through_every_format(text: str) -> None:
    found = [KEYS.judge(text, text, [text], text, text), SHELL.skip(text, text, text)]
    for format_ in verdict_table.FORMATS:
        assert verdict_table.render(found, format_, everything=True).encode()
    (suite,) = JUnitXml.fromstring(verdict_table.render(found, "junit").encode())
    assert (suite.tests, suite.failures, suite.skipped) == (2, 1, 1)
    assert scanned(found)["results"][0]["ruleId"] == KEYS.id


def fingerprints(verdict: Verdict) -> list[str]:
    results = scanned([verdict])["results"]
    return [one["partialFingerprints"]["primaryLocationLineHash"] for one in results]


class TestJunit:
    def test_a_suite_a_platform_and_a_case_a_proof(self) -> None:
        text = verdict_table.render(outcomes.image("web", *PLATFORMS), "junit")
        document = JUnitXml.fromstring(text.encode())
        assert [suite.name for suite in document] == ["web (linux/amd64)", "web (linux/arm64)"]
        assert (document.tests, document.failures, document.skipped) == (8, 4, 2)
        cases = [(case.classname, case.name) for case in next(iter(document))]
        assert cases == [(one.family, one.id) for one in (HEALTHY, SHELL, LAYERS, KEYS)]

    def test_failures_have_their_severity_and_all_findings(self) -> None:
        text = verdict_table.render(outcomes.image("web", "linux/amd64"), "junit")
        healthy, shell, _, keys = next(iter(JUnitXml.fromstring(text.encode())))
        assert (healthy.result, healthy.system_out) == ([], "healthy after 0.7 s, linux/amd64")
        (skipped,) = shell.result
        assert isinstance(skipped, Skipped)
        assert skipped.message == "the policy allows it"
        (failed,) = keys.result
        assert isinstance(failed, Failure)
        assert failed.type == "critical"
        assert failed.message.endswith("; /app/2.pem in layer 2: a private key (and 9 more)")
        lines = str(failed.text).splitlines()
        assert lines[11:] == [
            "/app/11.pem in layer 2: a private key",
            "measured: 12 found; allowed: none",
        ]

    def test_a_finding_without_end_is_cut(self) -> None:
        found = [KEYS.judge("web", "", [f"/{number}" for number in range(1000)], "-", "-")]
        text = verdict_table.render(found, "junit")
        assert "… and 900 more: --format json" in text
        assert 'name="web"' in text

    def test_any_text_gives_xml_that_says_it(self) -> None:
        text = verdict_table.render(outcomes.nasty(), "junit")
        cases = [case for suite in JUnitXml.fromstring(text.encode()) for case in suite]
        messages = [one.message for case in cases for one in case.result]
        assert (len(cases), len(messages)) == (31, 21)
        assert messages[0] == "<script>alert(1)</script>"
        assert messages[1] == "a | b \\| c ` `` d"
        assert "half \\ud800 byte \\xff none \\ufffe over \\u202e right" in messages

    def test_no_verdict_is_a_document_too(self) -> None:
        assert len(JUnitXml.fromstring(verdict_table.render([], "junit").encode())) == 0


class TestSarif:
    def test_rules_are_the_proofs_that_said_something(self) -> None:
        run = scanned(outcomes.image("web", "linux/amd64"))
        rules = run["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == [proof.id for proof in PROOFS]
        assert rules[2] == {
            "id": "secrets.keys",
            "name": "secrets.keys",
            "shortDescription": {"text": "No key"},
            "fullDescription": {"text": "It opens a door."},
            "help": {"text": "No key.\n\nWhy: It opens a door.\n\nHow: Read."},
            "defaultConfiguration": {"level": "error"},
            "properties": {"security-severity": "9.5", "tags": ["security", "secrets"]},
        }
        assert rules[3]["properties"]["tags"] == ["budget"]
        assert len(scanned([SHELL.skip("web", "", "-")])["tool"]["driver"]["rules"]) == 1

    def test_a_result_a_finding_with_the_dockerfile_and_the_path_inside(self) -> None:
        run = scanned(outcomes.image("web", "linux/amd64"))
        layers, key = run["results"][:2]
        assert len(run["results"]) == 13
        assert (layers["ruleId"], layers["ruleIndex"], layers["level"]) == (
            *("budget.layers", 3),
            "note",
        )
        message = "web (linux/amd64): /app/0.pem in layer 2: a private key"
        assert key["message"] == {"text": message}
        (location,) = key["locations"]
        artifact = location["physicalLocation"]["artifactLocation"]
        assert artifact == {"uri": "web%20app/Dockerfile", "uriBaseId": "%SRCROOT%"}
        (inside,) = location["logicalLocations"]
        assert inside["fullyQualifiedName"] == "web (linux/amd64)/app/0.pem"
        assert inside["name"] == "/app/0.pem"
        assert key["properties"]["measured"] == "12 found"

    def test_a_target_without_a_file_is_shown_at_the_bake_file(self) -> None:
        (result,) = scanned([KEYS.judge("other", "", ["x"], "-", "-")])["results"]
        physical = result["locations"][0]["physicalLocation"]
        assert physical["artifactLocation"]["uri"] == "docker-bake.hcl"
        assert result["locations"][0]["logicalLocations"][0]["name"] == "other"

    @pytest.mark.parametrize(
        ("severity", "level", "least", "most"),
        [
            (Severity.LOW, "note", 0.1, 3.9),
            (Severity.MEDIUM, "warning", 4.0, 6.9),
            (Severity.HIGH, "error", 7.0, 8.9),
            (Severity.CRITICAL, "error", 9.1, 10.0),
        ],
    )
    def test_severities_mean_the_same_to_code_scanning(
        self, severity: Severity, level: str, least: float, most: float
    ) -> None:
        proof = Proof("not.known", "-", severity, "-", "-")
        run = scanned([proof.judge("web", "", ["x"], "-", "-")])
        (rule,) = run["tool"]["driver"]["rules"]
        assert rule["defaultConfiguration"]["level"] == run["results"][0]["level"] == level
        assert least <= float(rule["properties"]["security-severity"]) <= most

    def test_what_was_skipped_is_told(self) -> None:
        run = scanned(outcomes.image("web", "linux/amd64"))
        (told,) = run["invocations"][0]["toolExecutionNotifications"]
        assert told["message"]["text"] == "web (linux/amd64): skipped: the policy allows it"
        assert told["associatedRule"] == {"id": "filesystem.shell", "index": 1}

    def test_results_stay_the_same_over_time_and_apart_from_each_other(self) -> None:
        def slow(figure: str) -> list[str]:
            return fingerprints(HEALTHY.decide("web", "", False, figure, "-", f"after {figure}"))

        assert slow("1.25 s") == slow("12 s")
        keys = fingerprints(KEYS.judge("web", "", ["/a 1", "/a 2", "/b 3"], "-", "-"))
        assert len(set(keys)) == 3
        assert [one.partition(":")[2] for one in keys] == ["1", "2", "1"]

    def test_a_finding_without_end_is_cut(self) -> None:
        found = KEYS.judge("web", "", [f"/{number}" for number in range(1000)], "-", "-")
        results = scanned([found])["results"]
        assert len(results) == sarif.SHOWN + 1
        assert results[-1]["message"]["text"] == "web: and 800 more: --format json"

    def test_no_text_is_a_link_and_all_can_be_written(self) -> None:
        text = verdict_table.render(outcomes.nasty(), "sarif", proofs=PROOFS)
        run = json.loads(text.encode())["runs"][0]
        told = run["invocations"][0]["toolExecutionNotifications"]
        messages = [one["message"]["text"] for one in (*run["results"], *told)]
        assert len(messages) == 30
        assert not [message for message in messages if "](" in message]

    def test_dockerfiles_are_named_relative_to_the_repository(self, tmp_path: Path) -> None:
        document = {
            "target": {
                "web": {"context": "web", "dockerfile": "Dockerfile.optimized"},
                "far": {"context": "/elsewhere"},
                "inline": {"context": ".", "dockerfile-inline": "FROM scratch"},
            }
        }
        targets = definitions.parse(tmp_path, document).targets.values()
        assert sarif.places(tmp_path, targets) == {"web": "web/Dockerfile.optimized"}
