"""What a scan found, and whether it counts: threshold, exceptions of invoke.yaml, baseline."""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from tasks.core.errors import ProofFailed, UsageError
from tasks.core.proofs.policy import Accepted

VULNERABILITIES, DOCKERFILES, SECRETS = "vulnerabilities", "dockerfiles", "secrets"
SCANS = (VULNERABILITIES, DOCKERFILES, SECRETS)
#: What exceptions, `proofs` and `skip` of invoke.yaml call them.
IDS: Mapping[str, str] = {scan: f"scan.{scan}" for scan in SCANS}


class Severity(StrEnum):
    """How grave a finding is, in the words of scanners; the least grave first."""

    UNKNOWN = "unknown"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for one that nobody has judged yet."""
        return list(Severity).index(self)

    @classmethod
    def named(cls, word: str, where: str) -> Severity:
        """The severity ``word``, in any case. Raises UsageError, naming ``where`` it stands."""
        try:
            return cls(word.lower())
        except ValueError:
            raise UsageError(f"{where} {word!r}: expected one of {', '.join(cls)}") from None


@dataclass(frozen=True)
class Finding:
    """One thing that a scan found.

    ``scan`` is one of SCANS, ``rule`` the scanner's own id (CVE-…, DL3007). ``place`` is a target,
    an image, or a file from the root of the repository; ``line`` counts from 1, 0 for none;
    ``path`` is where it lies within an image. ``mark`` tells findings apart that are the same
    otherwise, and stays the same when lines move.
    """

    scan: str
    rule: str
    severity: Severity
    title: str
    place: str
    line: int = 0
    platform: str = ""
    package: str = ""
    installed: str = ""
    fixed: str = ""
    url: str = ""
    path: str = ""
    mark: str = ""

    @property
    def subject(self) -> str:
        """What it is about: a package with its version, or a file with its line."""
        if self.package:
            return f"{self.package}@{self.installed}" if self.installed else self.package
        return f"{self.place}:{self.line}" if self.line else self.place

    @property
    def line_of_text(self) -> str:
        """The finding for a failure's one line."""
        mend = f", fixed in {self.fixed}" if self.fixed else ""
        return f"{self.rule} in {self.subject} ({self.severity}{mend})"

    @property
    def fingerprint(self) -> str:
        """The same for the same finding in another version of an image, or on another line.

        Without the platform, because one package in several is one piece of news; and without the
        tag of an image, which changes with each version.
        """
        place = _untagged(self.place) if self.scan == VULNERABILITIES else self.place
        parts = (self.scan, self.rule, place, self.package, self.path, self.mark)
        return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]

    def names(self) -> tuple[str, ...]:
        """What the ``match`` of an exception may name it by: rule alone, or with its subject."""
        subjects = (self.package, self.subject) if self.package else (self.place, self.subject)
        return (self.rule, *(f"{self.rule} {each}" for each in dict.fromkeys(subjects)))


class State(StrEnum):
    """What became of a finding. Only OPEN ones fail a scan."""

    OPEN = "open"
    ACCEPTED = "accepted"
    KNOWN = "known"
    UNFIXED = "unfixed"
    MINOR = "minor"


@dataclass(frozen=True)
class Judged:
    """A finding and what became of it; ``note`` says by what reason, and of an exception's end."""

    finding: Finding
    state: State
    note: str = ""


@dataclass(frozen=True)
class Subject:
    """One thing that was scanned: a target, image or file, and by what."""

    scan: str
    place: str
    platform: str = ""
    #: The scanner and what it knew: "trivy 0.59.1, database of …".
    by: str = ""


@dataclass(frozen=True)
class Report:
    """The outcome of scans: what was looked at, what was found, which exceptions have no use."""

    subjects: tuple[Subject, ...] = ()
    judged: tuple[Judged, ...] = ()
    unused: tuple[Accepted, ...] = ()
    #: Remarks for the reader, such as the age of a database.
    notes: tuple[str, ...] = ()

    def of(self, state: State) -> tuple[Judged, ...]:
        """The findings in ``state``, the gravest first."""
        found = [each for each in self.judged if each.state is state]
        return tuple(sorted(found, key=lambda each: -each.finding.severity.rank))

    def counts(self) -> dict[str, int]:
        """How many findings are in each state."""
        counted = Counter(each.state for each in self.judged)
        return {state.value: counted[state] for state in State}


@dataclass(frozen=True)
class Rules:
    """By what findings are judged. ``known`` are the fingerprints of a baseline."""

    least: Severity = Severity.LOW
    ignore_unfixed: bool = False
    known: Collection[str] = field(default_factory=frozenset)
    today: datetime.date = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).date())


def judge(
    findings: Iterable[Finding], exceptions: Sequence[Accepted], rules: Rules
) -> tuple[Judged, ...]:
    """What becomes of each finding under ``rules`` and the exceptions of its target's policy.

    An exception counts up to its last day, then the finding is open again, and says so. A finding
    that a baseline knows is still open if an exception for it has ended: that one was for a while.
    """
    return tuple(_judged(each, exceptions, rules) for each in findings)


def unused(
    findings: Iterable[Finding], exceptions: Iterable[Accepted], scan: str
) -> Iterator[Accepted]:
    """The exceptions of ``scan`` that match nothing: who needs them no more, takes them out."""
    found = tuple(findings)
    for each in dict.fromkeys(exceptions):
        if _about(each, scan) and not any(covers(each, one) for one in found):
            yield each


def covers(accepted: Accepted, finding: Finding) -> bool:
    """Whether an exception is about a finding: by glob, or word for word, on any of its names."""
    if not _about(accepted, finding.scan):
        return False
    names = finding.names()
    return accepted.match in names or any(fnmatchcase(name, accepted.match) for name in names)


def joined(reports: Iterable[Report]) -> Report:
    """Several reports as one, in order."""
    each = tuple(reports)
    return Report(
        tuple(one for report in each for one in report.subjects),
        tuple(one for report in each for one in report.judged),
        tuple(dict.fromkeys(one for report in each for one in report.unused)),
        tuple(dict.fromkeys(one for report in each for one in report.notes)),
    )


def demand(report: Report) -> None:
    """Raise ProofFailed, naming the gravest finding, if any is open."""
    there = report.of(State.OPEN)
    if not there:
        return
    first = there[0]
    place = f"{first.finding.place}: " if first.finding.package else ""
    more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
    note = f"; {first.note}" if first.note else ""
    scan = IDS[first.finding.scan]
    raise ProofFailed(f"{place}{scan} failed: {first.finding.line_of_text}{note}{more}")


def _judged(finding: Finding, exceptions: Sequence[Accepted], rules: Rules) -> Judged:
    if finding.severity.rank < rules.least.rank:
        return Judged(finding, State.MINOR)
    if rules.ignore_unfixed and finding.scan == VULNERABILITIES and not finding.fixed:
        return Judged(finding, State.UNFIXED)
    about = [each for each in exceptions if covers(each, finding)]
    valid = next((each for each in about if rules.today <= each.expires), None)
    if valid:
        return Judged(finding, State.ACCEPTED, f"{valid.reason}, until {valid.expires}")
    if about:
        over = max(about, key=lambda each: each.expires)
        note = f"the exception ended on {over.expires}: {over.reason}"
        return Judged(finding, State.OPEN, note)
    if finding.fingerprint in rules.known:
        return Judged(finding, State.KNOWN)
    return Judged(finding, State.OPEN)


def _about(accepted: Accepted, scan: str) -> bool:
    return fnmatchcase(IDS[scan], accepted.proof)


def _untagged(place: str) -> str:
    name = place.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
