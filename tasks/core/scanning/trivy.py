"""trivy's command lines, and its answers, of which nothing is believed: pure functions."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.core import untrusted
from tasks.core.scanning.findings import VULNERABILITIES, Finding, Severity
from tasks.core.untrusted import Malformed

#: The only version of its report that is read here.
REPORT_SCHEMA = 2
#: A database older than this is worth a remark: a new one comes every day.
OLD_DAYS = 7


@dataclass(frozen=True)
class Knowledge:
    """Which trivy it was, and of when its database is."""

    version: str
    updated: datetime.datetime

    def __str__(self) -> str:
        return f"trivy {self.version}, database of {self.updated:%Y-%m-%d %H:%M} UTC"

    def age(self, now: datetime.datetime) -> str:
        """How old the database is, as people say it."""
        hours = max(0, int((now - self.updated).total_seconds() // 3600))
        age = f"{hours} hours" if hours < 48 else f"{hours // 24} days"
        old = hours >= 24 * OLD_DAYS
        mend = ": what was found since is missing, renew it" if old else ""
        return f"the vulnerability database is {age} old{mend}"


@dataclass(frozen=True)
class Answer:
    """What one image is made of, as trivy sees it: how many packages, and what is wrong."""

    packages: int
    findings: tuple[Finding, ...]
    #: The distribution, "debian 12.5"; "" where it knows none.
    system: str = ""
    #: Whether that distribution gets no more fixes.
    ended: bool = False


@dataclass(frozen=True)
class Sources:
    """What trivy may ask, and where: ``repositories`` of registries, "" for its own choice.

    ``java_loaded``: the database of Java archives is here, and is not to be renewed.
    """

    offline: bool = False
    repository: str = ""
    java_repository: str = ""
    java_loaded: bool = False


def image(program: str, cache: str, layout: str, report: str, sources: Sources) -> tuple[str, ...]:
    """The command that scans the OCI folder or archive ``layout`` and writes JSON to ``report``.

    It never updates the database: that was done before, and is told apart by that. The one of Java
    archives is brought when there are any. Everything it finds is reported, and its exit code says
    only whether the scan worked: what counts is judged here.
    """
    keeps_java = sources.offline or sources.java_loaded
    java = ("--java-db-repository", sources.java_repository) if sources.java_repository else ()
    return (
        *(program, "image", "--input", layout, "--scanners", "vuln", "--list-all-pkgs"),
        *("--format", "json", "--output", report, "--exit-code", "0", "--no-progress"),
        *("--cache-dir", cache, "--timeout", "15m", "--skip-db-update"),
        *(("--skip-java-db-update",) if keeps_java else java),
        *(("--offline-scan",) if sources.offline else ()),
    )


def update(program: str, cache: str, repository: str) -> tuple[str, ...]:
    """The command that brings the database, from ``repository`` or wherever trivy has it from."""
    asked = ("--db-repository", repository) if repository else ()
    return (program, "image", "--download-db-only", "--no-progress", "--cache-dir", cache, *asked)


def version(program: str, cache: str) -> tuple[str, ...]:
    """The command that says which trivy and which database these are."""
    return (program, "version", "--format", "json", "--cache-dir", cache)


def knowledge(content: str) -> Knowledge:
    """The answer to `version`. Raises Malformed where it knows of no database."""
    document = untrusted.mapping(untrusted.parse(content.encode(), "its version"), "its version")
    database = untrusted.mapping(document.get("VulnerabilityDB"), "its database's version")
    name = untrusted.shown(untrusted.text(document.get("Version"), "its version"), 40)
    stamp = untrusted.text(database.get("UpdatedAt"), "its database's date")
    try:
        updated = datetime.datetime.fromisoformat(stamp[:19]).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise Malformed(f"its database's date is {stamp[:40]!r}") from None
    return Knowledge(name, updated)


def answer(content: bytes, place: str, platform: str) -> Answer:
    """A report of trivy's on the image ``place``. Raises Malformed for what is no such report."""
    document = untrusted.mapping(untrusted.parse(content, "its report"), "its report")
    schema = document.get("SchemaVersion")
    if schema != REPORT_SCHEMA:
        raise Malformed(f"its report is of schema {str(schema)[:20]!r}, not {REPORT_SCHEMA}")
    results = [untrusted.mapping(one, "a result") for one in _listed(document, "Results")]
    metadata = untrusted.mapping(document.get("Metadata") or {}, "its metadata")
    system = untrusted.mapping(metadata.get("OS") or {}, "its system")
    name = " ".join(str(system[key]) for key in ("Family", "Name") if system.get(key))
    if name and not any(one.get("Class") == "os-pkgs" for one in results):
        raise Malformed(f"it did not scan the packages of {untrusted.shown(name, 60)!r}")
    return Answer(
        packages=sum(_packages(one) for one in results),
        findings=tuple(each for one in results for each in _findings(one, place, platform)),
        system=untrusted.shown(name, 60),
        ended=system.get("EOSL") is True,
    )


def _packages(result: Mapping[str, Any]) -> int:
    return len(_listed(result, "Packages"))


def _findings(result: Mapping[str, Any], place: str, platform: str) -> Iterator[Finding]:
    found = _listed(result, "Vulnerabilities")
    system = result.get("Class") == "os-pkgs"
    target = _text(result, "Target")
    for each in found:
        entry = untrusted.mapping(each, "a vulnerability")
        yield Finding(
            scan=VULNERABILITIES,
            rule=_demanded(entry, "VulnerabilityID"),
            severity=_severity(entry),
            title=_text(entry, "Title") or _text(entry, "Description")[:200],
            place=place,
            platform=platform,
            package=_demanded(entry, "PkgName"),
            installed=_text(entry, "InstalledVersion"),
            fixed=_text(entry, "FixedVersion"),
            url=_text(entry, "PrimaryURL"),
            path="" if system else _text(entry, "PkgPath") or target,
        )


def _severity(entry: Mapping[str, Any]) -> Severity:
    """A word that is none of trivy's is no reason to lose the finding, nor to call it minor."""
    word = _text(entry, "Severity").lower()
    return Severity(word) if word in list(Severity) else Severity.CRITICAL


def _demanded(entry: Mapping[str, Any], name: str) -> str:
    found = untrusted.text(entry.get(name), f"a vulnerability's {name}")
    if not found.strip():
        raise Malformed(f"a vulnerability has no {name}")
    return found


def _listed(entry: Mapping[str, Any], name: str) -> Sequence[Any]:
    """A list; trivy leaves out empty ones, or says null."""
    value = entry.get(name)
    return () if value is None else untrusted.sequence(value, f"its {name}")


def _text(entry: Mapping[str, Any], name: str) -> str:
    return untrusted.text(entry.get(name) or "", f"its {name}")
