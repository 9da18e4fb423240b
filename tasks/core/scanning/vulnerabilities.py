"""Vulnerable packages in the images that ship, as trivy finds them."""

from __future__ import annotations

import contextlib
import datetime
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core import choosing, process, schema
from tasks.core.bake import definitions
from tasks.core.bake.definitions import PRODUCTION
from tasks.core.comparing import places as naming
from tasks.core.comparing.places import Place
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.proofs.policy import Policy
from tasks.core.render import sarif
from tasks.core.scanning import findings, images, layouts, scanner, trivy
from tasks.core.scanning.findings import IDS, VULNERABILITIES, Report, Rules, Severity, Subject
from tasks.core.scanning.layouts import NoLayout
from tasks.core.scanning.scanner import Scanner
from tasks.core.scanning.trivy import Answer, Knowledge
from tasks.core.session import Session
from tasks.core.untrusted import Malformed
from tasks.core.verifying import accepting, catalogue, policyfile

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True)
class Wish:
    """What to scan: targets by name or glob, or one image; ``platforms`` () means all it has."""

    patterns: tuple[str, ...] = ()
    image: str = ""
    platforms: tuple[str, ...] = ()
    offline: bool = False


@dataclass(frozen=True)
class Case:
    """One image to scan, under what is demanded of it."""

    place: Place
    policy: Policy


def wish(patterns: Sequence[str], image: str, platform: str, *, offline: bool) -> Wish:
    """The options as a wish. Raises UsageError for what is no list of platforms."""
    problem = schema.check_platforms(platform) if platform else None
    if problem:
        raise UsageError(f"--platform: {problem}")
    return Wish(tuple(patterns), image, schema.platforms(platform), offline)


def rules(session: Session, severity: str, known: frozenset[str], *, ignore_unfixed: bool) -> Rules:
    """By what findings are judged: the options, and the settings where those say nothing."""
    named = "--severity" if severity else "SCAN_SEVERITY"
    least = Severity.named(severity or session.settings["SCAN_SEVERITY"], named)
    unfixed = ignore_unfixed or session.settings["SCAN_IGNORE_UNFIXED"] == "true"
    return Rules(least, unfixed, known)


def places(session: Session, format_: str) -> Mapping[str, str]:
    """The Dockerfile of each target, for SARIF alone."""
    if format_ != "sarif" or not definitions.has_bake_file(session.root, session.files):
        return {}
    return sarif.places(session.root, session.everything().targets.values())


def scan(session: Session, wish: Wish, rules: Rules) -> Report:
    """Scan what was wished for, every platform of it.

    Raises OutOfReach for a scanner, database or image that cannot be had, and for what trivy could
    not scan or say anything about: that is no pass.
    """
    cases = _cases(session, wish)
    wanted = [case for case in cases if accepting.applies(case.policy, IDS[VULNERABILITIES])]
    notes = [
        f"{case.place.name}: the policy leaves {IDS[VULNERABILITIES]} out"
        for case in cases
        if case not in wanted
    ]
    if session.dry:
        for case in wanted:
            process.note(f"dry run: {case.place.reference} would be scanned")
        return Report(notes=tuple(notes))
    if not wanted:
        return Report(notes=tuple(notes))
    with contextlib.ExitStack() as stack:
        using = stack.enter_context(scanner.ready(session, offline=wish.offline))
        known = _knowledge(using)
        client = _client(stack, session, wanted)
        reports = [_one(using, known, client, case, wish, rules) for case in wanted]
    notes.append(known.age(datetime.datetime.now(datetime.UTC)))
    return _together(reports, wanted, notes)


def _cases(session: Session, wish: Wish) -> list[Case]:
    if wish.image:
        place = naming.find(session, wish.image)
        return [Case(place, policyfile.for_target(session.config, wish.image, catalogue.IDS))]
    chosen = choosing.targets(session, wish.patterns, lambda one: one.released, PRODUCTION)
    if not wish.patterns and not session.dry:
        chosen = choosing.built(session, chosen)
    return [
        Case(
            Place(target.name, target.tags[0]),
            policyfile.for_target(session.config, target.name, catalogue.IDS),
        )
        for target in chosen
    ]


def _client(
    stack: contextlib.ExitStack, session: Session, cases: Sequence[Case]
) -> DockerClient | None:
    """The engine's API, where an image is in the engine; every image has to be there."""
    held = [case.place for case in cases if case.place.archive is None]
    if not held:
        return None
    client = stack.enter_context(images.connected(session))
    for place in held:
        images.demand(client, place)
    return client


def _knowledge(using: Scanner) -> Knowledge:
    try:
        return trivy.knowledge(using.version())
    except Malformed as problem:
        raise OutOfReach(f"{using.name} does not say of when its database is: {problem}") from None


def _one(
    using: Scanner,
    known: Knowledge,
    client: DockerClient | None,
    case: Case,
    wish: Wish,
    rules: Rules,
) -> Report:
    name = case.place.name
    with tempfile.TemporaryDirectory(prefix="slipway-scan-") as folder:
        answers = list(_answers(using, client, case.place, Path(folder) / "image", wish))
    found = [each for _, answer in answers for each in answer.findings]
    by = f"{known} ({using.name})"
    return Report(
        tuple(Subject(VULNERABILITIES, name, platform, by) for platform, _ in answers),
        findings.judge(found, case.policy.exceptions, rules),
        tuple(findings.unused(found, case.policy.exceptions, VULNERABILITIES)),
        tuple(
            dict.fromkeys(
                f"{name}: {answer.system} gets no more fixes: what is found there stays"
                for _, answer in answers
                if answer.ended
            )
        ),
    )


def _answers(
    using: Scanner, client: DockerClient | None, place: Place, folder: Path, wish: Wish
) -> Iterator[tuple[str, Answer]]:
    """What the scanner says of each platform of an image that was wished for."""
    try:
        there = layouts.unpack(naming.chunks(client, place, place.reference), folder)
    except NoLayout:
        if place.archive is None or wish.platforms:
            raise OutOfReach(f"{place}: it is no OCI image, so its platforms are unknown") from None
        yield "", _scanned(using, place.archive.absolute(), place.name, "")
        return
    except Malformed as problem:
        raise OutOfReach(f"{place}: {problem}") from None
    chosen = [one for one in there if not wish.platforms or one.platform in wish.platforms]
    missing = [name for name in wish.platforms if name not in [one.platform for one in there]]
    if missing or not chosen:
        has = ", ".join(one.platform for one in there) or "none"
        lacks = ", ".join(missing) or "any platform"
        raise OutOfReach(f"{place}: the image here does not have {lacks}; it has {has}")
    for one in chosen:
        one.choose()
        yield one.platform, _scanned(using, folder, place.name, one.platform)


def _scanned(using: Scanner, layout: Path, name: str, platform: str) -> Answer:
    process.note(f"  {name}: scanning {platform or 'it'} …")
    where = f"{name} ({platform})" if platform else name
    try:
        answer = trivy.answer(using.scan(layout), name, platform)
    except Malformed as problem:
        raise OutOfReach(f"{where}: trivy's answer says nothing of it: {problem}") from None
    except OutOfReach as error:
        raise OutOfReach(f"{where}: {error}") from None
    if not answer.packages:
        raise OutOfReach(
            f"{where}: trivy knows no package in it, so nothing was scanned; if that is as it "
            f"should be, leave it out in invoke.yaml: skip: [{IDS[VULNERABILITIES]}]"
        )
    return answer


def _together(reports: Sequence[Report], cases: Sequence[Case], notes: Sequence[str]) -> Report:
    """One report; an exception that one of its targets needs is in use."""
    joined = findings.joined([*reports, Report(notes=tuple(notes))])
    idle = [
        each
        for each in joined.unused
        if all(
            each in report.unused or each not in case.policy.exceptions
            for report, case in zip(reports, cases, strict=True)
        )
    ]
    return Report(joined.subjects, joined.judged, tuple(idle), joined.notes)
