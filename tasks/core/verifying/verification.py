"""What is proven of which images: those of targets, and any other."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from tasks.core import choosing, daemon, process, schema, structure
from tasks.core.bake import definitions, needs
from tasks.core.bake.definitions import PRODUCTION, Target
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.pins import applying
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.supply_chain import Expected
from tasks.core.proofs.verdicts import Verdict
from tasks.core.secrecy import secretvalues
from tasks.core.session import Session
from tasks.core.structure import Image
from tasks.core.verifying import catalogue, policyfile, proving
from tasks.core.verifying.proving import Case

#: What is demanded of an image that nobody described.
FOREIGN = Policy(page=None)


def production(
    session: Session,
    patterns: Sequence[str] = (),
    families: Sequence[str] = proving.PRODUCTION,
    *,
    start: bool = True,
    jobs: int | None = None,
) -> tuple[Verdict, ...]:
    """Prove the images that ship, or those of the targets that match ``patterns``.

    Without patterns a variant that was not built is left out with a notice, but no service is
    passed over: one without any image is OutOfReach.
    """
    chosen = choosing.targets(session, patterns, lambda target: target.released, PRODUCTION)
    if session.dry:
        for target in chosen:
            process.note(f"dry run: {target.tags[0]} would be {'started' if start else 'read'}")
        return ()
    if not patterns:
        chosen = choosing.built(session, chosen)
    with contextlib.closing(daemon.connect(session.engine)) as client:
        choosing.demand_built(client, chosen)
    cases = [case(session, target, target.tags[0]) for target in chosen]
    return proving.prove(session, cases, families, start=start, jobs=jobs)


def secrets(
    session: Session, patterns: Sequence[str] = (), jobs: int | None = None
) -> tuple[Verdict, ...]:
    """Search the images of all targets, or of those that match ``patterns``, for secrets.

    Targets without an image are left out with a notice; OutOfReach when none has one.
    """
    known = choosing.targets(session, patterns, lambda _: True, "any")
    with contextlib.closing(daemon.connect(session.engine)) as client:
        there = [one for one in known if daemon.has_image(client, one.tags[0])]
    for target in known:
        if target not in there:
            process.note(f"{target.name}: not built, so nothing is proven of it")
    if not there:
        names = ",".join(target.name for target in known)
        raise OutOfReach(f"no image to search; build them first: inv build.targets {names}")
    cases = [case(session, target, target.tags[0]) for target in there]
    return proving.prove(session, cases, ("secrets",), start=False, jobs=jobs)


def image(
    session: Session, reference: str, like: str = "", *, start: bool = True
) -> tuple[Verdict, ...]:
    """Every proof on an image of the engine, whoever built it."""
    policy = _policy_like(session, like)
    if session.dry:
        process.note(f"dry run: {reference} would be {'started' if start else 'read'}")
        return ()
    with contextlib.closing(daemon.connect(session.engine)) as client:
        if not daemon.has_image(client, reference):
            raise OutOfReach(f"no image {reference} in the engine; run: docker pull {reference}")
    foreign = Case(reference, reference, policy, secrets=secretvalues.of_settings(session))
    return proving.prove(session, [foreign], proving.EVERYTHING, start=start)


def archive(session: Session, name: str, like: str = "") -> tuple[Verdict, ...]:
    """The same for a docker archive, an OCI archive or an OCI folder; needs no engine."""
    path = Path(name)
    if not path.exists():
        raise UsageError(f"--archive {path}: no such file or folder")
    policy = _policy_like(session, like)
    foreign = Case(path.name, path.name, policy, path, secrets=secretvalues.of_settings(session))
    return proving.prove(session, [foreign], proving.EVERYTHING, start=False)


def structured(
    session: Session,
    files: Sequence[str],
    patterns: Sequence[str] = (),
    reference: str = "",
    archive: str = "",
    jobs: int | None = None,
) -> tuple[Verdict, ...]:
    """Run files of container-structure-test on targets, on an image, or on an archive.

    Without any of them on the images that ship, as `production` chooses them.
    """
    read = [structure.load(Path(name)) for name in files]
    if archive and not Path(archive).exists():
        raise UsageError(f"--archive {archive}: no such file or folder")
    if archive:
        path = Path(archive)
        images = [Image(path.name, path.name, path)]
    elif reference:
        images = [Image(reference, reference)]
    else:
        chosen = choosing.targets(session, patterns, lambda target: target.released, PRODUCTION)
        if not patterns and not session.dry:
            chosen = choosing.built(session, chosen)
        images = [Image(target.name, target.tags[0]) for target in chosen]
    return tuple(
        verdict for config in read for verdict in structure.prove(session, config, images, jobs)
    )


def case(session: Session, target: Target, reference: str) -> Case:
    """The image ``reference`` of a target, with what is demanded and known of it."""
    labels = target.labels
    return Case(
        target=target.name,
        reference=reference,
        policy=policyfile.for_target(session.config, target.name, catalogue.IDS),
        promised=schema.platforms(",".join(target.platforms)),
        expected=Expected(
            labels.get("org.opencontainers.image.revision"),
            labels.get("org.opencontainers.image.version"),
        ),
        bases=applying.by_digest(session, needs.bases_of(target)),
        secrets=secretvalues.of_builds(session, [target]),
    )


def _policy_like(session: Session, like: str) -> Policy:
    """The policy of the target ``like``; without one the defaults, and no page is known."""
    if not like:
        return FOREIGN
    if definitions.has_bake_file(session.root, session.files):
        known = session.everything().targets
        policyfile.check(session.config, known, catalogue.IDS)
        if like not in known:
            raise UsageError(f"--like {like!r} is no target; there are: {', '.join(sorted(known))}")
    return policyfile.for_target(session.config, like, catalogue.IDS)
