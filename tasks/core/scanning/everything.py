"""Every scan that can run, and why the others could not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tasks.core import process
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.scanning import boms, dockerfiles, findings, secrets, vulnerabilities
from tasks.core.scanning.findings import (
    DOCKERFILES,
    SECRETS,
    VULNERABILITIES,
    Report,
    Rules,
    Severity,
    State,
    Subject,
)
from tasks.core.session import Session

SBOM = "sbom"
#: In the order in which a failure is cheapest.
NAMES = (SECRETS, DOCKERFILES, VULNERABILITIES, SBOM)
#: Where `scan.all` leaves the SBOMs, from the root of the repository.
FOLDER = ".slipway/sbom"


@dataclass(frozen=True)
class Wish:
    """What to scan, from which severity on ("": as each scan has it), and what is known."""

    patterns: tuple[str, ...] = ()
    severity: str = ""
    known: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Scans:
    """The report of each scan that ran, and why the others could not, both by name."""

    reports: Mapping[str, Report] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def joined(self) -> Report:
        """All of it as one report."""
        return findings.joined(self.reports.values())


def check(allowed: Sequence[str], severity: str) -> None:
    """Raise UsageError for what is no name of a scan, or no severity."""
    for name in allowed:
        if name not in NAMES:
            raise UsageError(f"--allow-missing {name!r}: expected one of {', '.join(NAMES)}")
    if severity:
        Severity.named(severity, "--severity")


def scan(session: Session, wish: Wish) -> Scans:
    """Run them one after the other; what is out of reach for one does not keep back the next."""
    jobs: Mapping[str, Callable[[], Report | None]] = {
        SECRETS: lambda: secrets.scan(session, wish.patterns, _rules(wish)),
        DOCKERFILES: lambda: dockerfiles.scan(session, wish.patterns, _rules(wish)),
        VULNERABILITIES: lambda: _vulnerabilities(session, wish),
        SBOM: lambda: _sboms(session, wish),
    }
    reports: dict[str, Report] = {}
    missing: dict[str, str] = {}
    for name, job in jobs.items():
        process.note(f"scan.{name} …")
        try:
            reports[name] = job() or Report()
        except OutOfReach as error:
            missing[name] = str(error)
            process.note(f"scan.{name} could not run: {error}")
    return Scans(reports, missing)


def demand(found: Scans, allowed: Sequence[str]) -> None:
    """Raise ProofFailed for any open finding; else OutOfReach for a scan that is missing.

    What was found comes first: it needs mending whatever the missing scan would have said.
    """
    report = found.joined
    missing = [name for name in found.missing if name not in allowed]
    if missing and report.of(State.OPEN):
        process.note(f"and could not run: {', '.join(f'scan.{name}' for name in missing)}")
    findings.demand(report)
    if missing:
        first = missing[0]
        more = "".join(f"; scan.{name} as well" for name in missing[1:])
        raise OutOfReach(
            f"scan.{first} could not run: {found.missing[first]}{more}; "
            f"if it may be missing: --allow-missing {first}"
        )


def _rules(wish: Wish) -> Rules:
    least = Severity.named(wish.severity, "--severity") if wish.severity else Severity.LOW
    return Rules(least, known=wish.known)


def _vulnerabilities(session: Session, wish: Wish) -> Report:
    rules = vulnerabilities.rules(session, wish.severity, wish.known, ignore_unfixed=False)
    return vulnerabilities.scan(session, vulnerabilities.Wish(wish.patterns), rules)


def _sboms(session: Session, wish: Wish) -> Report:
    """An SBOM of each image, as files: they are no findings, but what was scanned."""
    made = boms.make(session, boms.Wish(wish.patterns))
    if session.dry:
        return Report()
    folder = session.root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    boms.write(made, boms.SPDX, str(folder))
    subjects = tuple(Subject(SBOM, each.name, each.platform, each.by) for each in made)
    counted = sum(each.packages for each in made)
    note = f"{SBOM}: {len(made)} SBOMs with {counted} packages in {FOLDER}"
    return Report(subjects, notes=(note,))
