"""The gate: vulnerable packages stop a build before there is a production image.

The stages of the Dockerfiles do the scan; here is what they are given, and what has to be there
before the build starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tasks.core.bake import needs, stages
from tasks.core.bake.definitions import Target
from tasks.core.errors import OutOfReach
from tasks.core.proofs.policy import Policy
from tasks.core.provision import bases, reach, references
from tasks.core.provision.bases import BaseNeed
from tasks.core.scanning import database, rego, stage
from tasks.core.scanning.findings import IDS, VULNERABILITIES
from tasks.core.session import Session
from tasks.core.verifying import accepting, policyfile

#: The named contexts that the stage has its databases from.
CONTEXTS = {database.VULNERABILITIES: "trivy-db", database.JAVA: "trivy-java-db"}


@dataclass(frozen=True)
class Given:
    """What builds are given for the gate: named contexts, and by target trivy's ignore policy."""

    contexts: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)


def given(session: Session, targets: Iterable[Target]) -> Given:
    """What the targets that are scanned while they are built need; nothing where none is.

    Raises OutOfReach where it is known already that there is no database.
    """
    from tasks.core.verifying import catalogue  # late: some proofs build

    scanned = [target for target in targets if scans(target)]
    if not scanned:
        return Given()
    _demand_scanner(session, scanned)
    loaded = database.loaded(session)
    if not loaded:
        _demand_database(session)
    policies = {
        target.name: _policy(policyfile.for_target(session.config, target.name, catalogue.IDS))
        for target in scanned
    }
    return Given(
        {CONTEXTS[name]: str(path.resolve()) for name, path in loaded.items()},
        {name: text for name, text in policies.items() if text},
    )


def scans(target: Target) -> bool:
    """Whether building a target scans it: its arguments decide which stage it comes past."""
    text = needs.text_of(target)
    if text is None or stage.NAME not in text:
        return False
    every = stages.read(text, target.args)
    reached = stages.reached(text, target.args, target.stage)
    return any(every[at].name == stage.NAME for at in reached)


def written(policies: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The policies as files in ``folder``, by target: a build has them as a secret."""
    found = {}
    if policies:
        folder = folder / "scan"
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in policies.items():
        path = folder / f"{name}.rego"
        path.write_text(text, encoding="utf-8")
        found[name] = str(path)
    return found


def _policy(policy: Policy) -> str:
    if not accepting.applies(policy, IDS[VULNERABILITIES]):
        return rego.EVERYTHING
    return rego.policy(policy.exceptions)


def _demand_scanner(session: Session, targets: Iterable[Target]) -> None:
    """That the image of the scanner can be had, said in its own words."""
    for image in sorted({target.args.get("TRIVY_IMAGE", "") for target in targets}):
        if image in ("", stages.SCRATCH):
            reason = "it names none"
        else:
            [state] = bases.base_states(session.engine, [BaseNeed(image)])
            reason = state.reason or state.status if state.status == "out of reach" else ""
        if reason:
            raise OutOfReach(
                f"SCAN_GATE is on, and its scanner cannot be had: TRIVY_IMAGE={image}: {reason}; "
                "set it to an image of trivy that can be pulled, or build without: SCAN_GATE=off"
            )


def _demand_database(session: Session) -> None:
    """That nothing is known against having the database; the build itself downloads it."""
    if session.settings["TRIVY_OFFLINE"] == "true":
        raise OutOfReach(
            f"SCAN_GATE is on, offline, and no database is loaded: {database.MEND}; or build "
            "without it: SCAN_GATE=off"
        )
    named = session.settings["TRIVY_DB_REPOSITORY"]
    if named and not session.dry:
        answer = reach.ask(session.engine, references.parse(named))
        if not answer.digest:
            raise OutOfReach(
                f"TRIVY_DB_REPOSITORY: {named} cannot be had: {answer.reason or 'no answer'}; "
                f"{database.MEND}; or build without the gate: SCAN_GATE=off"
            )
