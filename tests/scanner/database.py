"""The databases of trivy, made for the tests: three vulnerabilities of one package, no Java."""

from __future__ import annotations

import contextlib
import datetime
import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.scanner import bolt

#: A package with what trivy knows of it here.
PACKAGE, INSTALLED = "lodash", "4.17.20"
FIXED, UNFIXED, MINOR = "CVE-2021-23337", "CVE-2099-0001", "CVE-2099-0002"
_SOURCE = "npm::GitHub Security Advisory Npm"
_SEVERITY = {"LOW": 1, "HIGH": 3, "CRITICAL": 4}
_JAVA = """
CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT);
CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT);
"""


def write(folder: Path, *, hours_old: int = 3, java: bool = True) -> Path:
    """A cache folder of trivy's with its databases; returns it."""
    _metadata(folder / "db", 2, hours_old)
    (folder / "db" / "trivy.db").write_bytes(bolt.database(_content()))
    if java:
        _metadata(folder / "java-db", 1, hours_old)
        with contextlib.closing(sqlite3.connect(folder / "java-db" / "trivy-java.db")) as made:
            made.executescript(_JAVA)
    return folder


def _content() -> bolt.Bucket:
    return {
        _SOURCE: {
            PACKAGE: {
                FIXED: _json(PatchedVersions=["4.17.21"], VulnerableVersions=["<4.17.21"]),
                UNFIXED: _json(VulnerableVersions=[">=0.0.0"]),
                MINOR: _json(VulnerableVersions=[">=0.0.0"]),
            }
        },
        "vulnerability": {
            FIXED: _about("Command injection in lodash", "HIGH"),
            UNFIXED: _about("Nobody has mended this one", "CRITICAL"),
            MINOR: _about("Hardly worth a word", "LOW"),
        },
        "data-source": {_SOURCE: _json(ID="ghsa", Name="Made for the tests", URL="")},
    }


def _about(title: str, severity: str) -> bytes:
    known = {"ghsa": _SEVERITY[severity]}
    return _json(Title=title, Severity=severity, VendorSeverity=known)


def _metadata(folder: Path, version: int, hours_old: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    stamps = {"NextUpdate": 24, "UpdatedAt": -hours_old, "DownloadedAt": 0}
    dates = {
        name: (now + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for name, hours in stamps.items()
    }
    (folder / "metadata.json").write_text(json.dumps({"Version": version, **dates}))


def _json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()
