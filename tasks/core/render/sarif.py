"""Verdicts as SARIF 2.1.0, for code scanning: a rule for each proof, a result for each finding."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tasks.core.bake.definitions import BAKE_FILES, Target
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity, Status, Verdict
from tasks.core.render.grouping import Failure

VERSION = "2.1.0"
SCHEMA = f"https://docs.oasis-open.org/sarif/sarif/v{VERSION}/errata01/os/schemas/sarif-schema-{VERSION}.json"
LEVELS = {
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
#: The middle of what code scanning calls by the same word, on the scale of CVSS.
SCORES = {
    Severity.LOW: "2.0",
    Severity.MEDIUM: "5.5",
    Severity.HIGH: "8.0",
    Severity.CRITICAL: "9.5",
}
#: Families that are about security; the others are about what works, and what it costs.
SECURITY = ("identity", "filesystem", "secrets", "supply-chain")
#: Findings of a verdict that become results: code scanning refuses documents with very many.
SHOWN = 200
_PATH = re.compile(r"/\S+")
_NUMBER = re.compile(r"\d+(\.\d+)?")


def render(verdicts: Sequence[Verdict], proofs: Iterable[Proof], places: Mapping[str, str]) -> str:
    """The document. ``proofs`` describe the rules; ``places`` has each target's file, by name."""
    rules = _rules(verdicts, proofs)
    numbers = {rule["id"]: number for number, rule in enumerate(rules)}
    failed = [verdict for verdict in verdicts if verdict.status is Status.FAILED]
    skipped = [verdict for verdict in verdicts if verdict.status is Status.SKIPPED]
    results = [one for verdict in failed for one in _results(verdict, numbers, places)]
    run = {
        "tool": {"driver": {"name": "Slipway", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [_skipped(one, numbers) for one in skipped],
            }
        ],
        "results": results,
    }
    document = {"$schema": SCHEMA, "version": VERSION, "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False)


def places(root: Path, targets: Iterable[Target]) -> dict[str, str]:
    """The Dockerfile of each target in ``root``, relative to it: where its results are shown."""
    return {
        target.name: target.dockerfile.relative_to(root).as_posix()
        for target in targets
        if target.dockerfile is not None and target.dockerfile.is_relative_to(root)
    }


def _rules(verdicts: Sequence[Verdict], proofs: Iterable[Proof]) -> list[dict[str, Any]]:
    """Those that said something in this run, in the catalogue's order."""
    known = {proof.id: proof for proof in proofs}
    used = {verdict.proof: verdict.severity for verdict in verdicts}
    there = [proof for name, proof in known.items() if name in used]
    others = [
        Proof(name, name, severity, "-", "-")
        for name, severity in used.items()
        if name not in known
    ]
    return [_rule(proof) for proof in (*there, *others)]


def _rule(proof: Proof) -> dict[str, Any]:
    security = ["security"] if proof.family in SECURITY else []
    return {
        "id": proof.id,
        "name": proof.id,
        "shortDescription": {"text": proof.title},
        "fullDescription": {"text": proof.reason},
        "help": {"text": f"{proof.title}.\n\nWhy: {proof.reason}\n\nHow: {proof.observed}"},
        "defaultConfiguration": {"level": LEVELS[proof.severity]},
        "properties": {
            "security-severity": SCORES[proof.severity],
            "tags": [*security, proof.family],
        },
    }


def _results(
    verdict: Verdict, numbers: Mapping[str, int], places: Mapping[str, str]
) -> list[dict[str, Any]]:
    findings = Failure(verdict, ()).findings
    left = len(findings) - SHOWN
    texts = [*findings[:SHOWN], *([f"and {left} more: --format json"] if left > 0 else [])]
    uri = quote(places.get(verdict.target, BAKE_FILES[0]))
    seen: Counter[str] = Counter()
    made = []
    for text in texts:
        digest = _fingerprint(verdict, text)
        seen[digest] += 1
        made.append(
            {
                "ruleId": verdict.proof,
                "ruleIndex": numbers[verdict.proof],
                "level": LEVELS[verdict.severity],
                "message": {"text": plain(f"{_image(verdict)}: {text}")},
                "locations": [_location(verdict, text, uri)],
                "partialFingerprints": {"primaryLocationLineHash": f"{digest}:{seen[digest]}"},
                "properties": {
                    "severity": verdict.severity.value,
                    "measured": verdict.measured,
                    "allowed": verdict.allowed,
                },
            }
        )
    return made


def _location(verdict: Verdict, text: str, uri: str) -> dict[str, Any]:
    """The file that the image is made by, as a whole, and the path in the image if it is told."""
    found = _PATH.match(text)
    path = found[0].rstrip(":,;") if found else ""
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": 1},
        },
        "logicalLocations": [
            {
                "name": path or verdict.target,
                "fullyQualifiedName": f"{_image(verdict)}{path}",
                "kind": "resource",
            }
        ],
    }


def _fingerprint(verdict: Verdict, text: str) -> str:
    """What tells results apart over time: with the same line for all, and figures that differ.

    Without it code scanning would take all results of a rule for one.
    """
    same = _NUMBER.sub("#", text)
    parts = "\0".join((verdict.target, verdict.platform, verdict.proof, same))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _skipped(verdict: Verdict, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Nothing was proven: a document that is silent about it would mislead."""
    return {
        "level": "note",
        "message": {"text": plain(f"{_image(verdict)}: skipped: {verdict.message}")},
        "associatedRule": {"id": verdict.proof, "index": numbers[verdict.proof]},
    }


def _image(verdict: Verdict) -> str:
    return f"{verdict.target} ({verdict.platform})" if verdict.platform else verdict.target


def plain(text: str) -> str:
    """A message in which nothing is a link: `[text](address)` is one in SARIF too."""
    return text.replace("](", "] (")
