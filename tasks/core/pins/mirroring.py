"""Copy the bases into another registry: whole, by digest, so that locked digests hold there too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tasks.core import process, schema
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.pins import lock, renewing, resolving
from tasks.core.pins.lock import Lock
from tasks.core.pins.renewing import Wanted
from tasks.core.pins.resolving import Found
from tasks.core.provision import references
from tasks.core.provision.bases import BaseNeed
from tasks.core.session import Session

COPY_SECONDS = 1800
#: A registry may refuse a layer that another copy brings it at the same moment.
ATTEMPTS = 3


@dataclass(frozen=True)
class Copy:
    """One base image: where it comes from, by digest, and where it goes."""

    reference: str
    source: str
    digest: str
    destination: str
    lookalike: bool
    #: Why it could not be copied; "" if it was.
    reason: str = ""


@dataclass(frozen=True)
class Mirrored:
    """What was copied, the lines for `.env`, and the bases that no setting names."""

    copies: tuple[Copy, ...]
    settings: tuple[tuple[str, str], ...]
    unset: tuple[str, ...]


def mirror(session: Session, registry: str, wanted: Wanted) -> Mirrored:
    """Copy the bases of ``wanted`` to ``registry``; what is locked by its locked digest.

    What can be copied is, whatever happens to the others: see ``demand``. Raises UsageError for
    what is no registry, OutOfReach for look-alikes that nobody asked for.
    """
    problem = schema.registry_problem(registry)
    if problem:
        raise UsageError(f"bases.mirror {registry!r}: {problem}")
    known = lock.load(session.root) or {}
    chosen = renewing.needed(session, wanted)
    renewing.prepare(session, chosen, wanted)
    found = {
        each.reference: each
        for each in resolving.current(
            session.engine, [n for n in chosen if _asked(known, n)], renewing.today()
        )
    }
    plan = [_planned(known, need, found.get(need.reference), registry) for need in chosen]
    _refuse(plan, wanted)
    copies = tuple(_copy(session, each) for each in plan)
    return Mirrored(copies, *_settings(session, copies))


def demand(mirrored: Mirrored) -> None:
    """Raise OutOfReach for what could not be copied."""
    failed = [f"{each.reference}: {each.reason}" for each in mirrored.copies if each.reason]
    if failed:
        raise OutOfReach(f"not mirrored: {'; '.join(failed)}")


def destination(reference: str, registry: str) -> str:
    """Where ``reference`` goes: below ``registry`` by the path that a mirror is asked for."""
    parsed = references.parse(reference)
    tag = f":{parsed.tag}" if parsed.tag else f"@{parsed.digest}"
    return f"{registry}/{parsed.repository}{tag}"


def copy_command(docker: str, source: str, target: str) -> tuple[str, ...]:
    """Copy an image as it is, every platform and attestation, without a byte changed."""
    create = ("buildx", "imagetools", "create", "--progress=plain", "--prefer-index=false")
    return (docker, *create, "--tag", target, source)


def _asked(known: Lock, need: BaseNeed) -> bool:
    pin = lock.find(known, need.reference)
    return not references.parse(need.reference).digest and (pin is None or pin.lookalike)


def _planned(known: Lock, need: BaseNeed, found: Found | None, registry: str) -> Copy:
    """A copy to be made: of what is locked, of what a name with a digest means, else of now."""
    goal = destination(need.reference, registry)
    given = references.parse(need.reference).digest
    if found is None:
        pin = lock.find(known, need.reference)
        digest = given or (pin.digest if pin else "")
        source = need.reference if given else lock.pinned(need.reference, digest)
        return Copy(need.reference, source, digest, goal, lookalike=False)
    if found.pin is None:
        return Copy(need.reference, "", "", goal, lookalike=False, reason=found.reason)
    return Copy(need.reference, found.source, found.pin.digest, goal, found.pin.lookalike)


def _refuse(plan: Sequence[Copy], wanted: Wanted) -> None:
    stood_in = [each.reference for each in plan if each.lookalike]
    if stood_in and not wanted.look_alikes:
        raise OutOfReach(
            f"nothing is mirrored: look-alikes stand in here for {', '.join(stood_in)}; run this "
            "where the registry is in reach, or copy the look-alikes: --look-alikes"
        )


def _copy(session: Session, plan: Copy) -> Copy:
    if plan.reason:
        return plan
    engine = session.engine
    target = plan.destination.partition("@")[0]
    argv = copy_command(engine.docker, plan.source, target)
    if session.dry:
        process.would_run(argv)
        return plan
    process.note(f"copying {plan.reference} to {plan.destination} …")
    reason = ""
    for _ in range(ATTEMPTS):
        done = process.read(argv, env=engine.environment, check=False, timeout=COPY_SECONDS)
        reason = resolving.refusal(done)
        if not reason:
            break
        process.note(f"  {reason}")
    return replace(plan, reason=reason or _arrived(session, plan, target))


def _arrived(session: Session, plan: Copy, target: str) -> str:
    """What is wrong with the copy, as its registry tells; "" for nothing."""
    answer = resolving.ask_registry(session.engine, target)
    if answer.digest == plan.digest:
        return ""
    return f"its copy is {answer.digest or answer.reason}, not {plan.digest}"


def _settings(
    session: Session, copies: Sequence[Copy]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The settings that name what was copied, with where it is now; and what none of them names."""
    lines = tuple(sorted(_lines(session, [each for each in copies if not each.reason])))
    named = {value for _, value in lines}
    rest = [each.reference for each in copies if not each.reason and each.destination not in named]
    return lines, tuple(rest)


def _lines(session: Session, copies: Sequence[Copy]) -> Iterator[tuple[str, str]]:
    for copy in copies:
        for name, value in session.settings.items():
            if value == copy.reference:
                yield name, copy.destination
