"""How a build keeps to the lock: each base by its digest, and nothing that only looks so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.pins import lock, resolving
from tasks.core.pins.lock import Lock, Pin
from tasks.core.provision import bases, reach, references
from tasks.core.provision.bases import BaseNeed
from tasks.core.provision.references import Reference
from tasks.core.render import tables
from tasks.core.session import Session


@dataclass(frozen=True)
class Applied:
    """What the lock makes of what a build needs.

    ``images`` are by name those that are had by their locked digest, as named contexts have them.
    ``rest`` is had as if there were no lock: ``unlocked`` is not in it, ``replaced`` are originals
    that look-alikes stand in for, ``local`` are locked look-alikes.
    """

    images: dict[str, str] = field(default_factory=dict)
    rest: list[BaseNeed] = field(default_factory=list)
    unlocked: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)


def in_force(session: Session) -> Lock | None:
    """The lock that builds keep to; None without one, or where the setting turns it off.

    Raises UsageError for one that makes no sense, or that is required and not there.
    """
    wish = session.settings[lock.SETTING]
    if wish == lock.OFF:
        return None
    found = lock.load(session.root)
    if found is None and wish == lock.REQUIRED:
        raise UsageError(f"{lock.SETTING}=required, but there is no {lock.NAME}; run: {lock.PIN}")
    return found


def by_digest(session: Session, names: Sequence[str]) -> tuple[str, ...]:
    """The bases ``names`` as builds take them: with the digest of each that is locked."""
    if session.settings[lock.SETTING] == lock.OFF:
        return tuple(names)
    return lock.named(lock.load(session.root) or {}, names)


def apply(session: Session, needs: Sequence[BaseNeed], unnameable: Collection[str]) -> Applied:
    """Have what is locked by its digest; say, or refuse, what is not.

    ``unnameable`` are bases that no named context can be made for. Raises OutOfReach for a locked
    digest that cannot be had, and what ``BASES_LOCK=required`` does not allow.
    """
    known = in_force(session)
    if known is None:
        return Applied(rest=list(needs))
    applied = Applied()
    for need in needs:
        _place(session, known, need, applied, unnameable)
    if session.settings[lock.SETTING] == lock.REQUIRED:
        _demand(applied)
    for line in notices(applied):
        if line not in session.said:
            session.said.add(line)
            process.note(line)
    return applied


def notices(applied: Applied) -> list[str]:
    """What has to be known of a build whose bases are not all pinned: a line each."""
    lines = []
    if applied.unlocked:
        names = ", ".join(applied.unlocked)
        lines.append(f"not in {lock.NAME}, so taken by tag: {names}; pin them: {lock.PIN}")
    if applied.replaced:
        lines.append(
            f"NOT pinned: look-alikes stand in for {', '.join(applied.replaced)}; the digests in "
            f"{lock.NAME} are those of the originals, which cannot be had here"
        )
    if applied.local:
        names = ", ".join(applied.local)
        lines.append(f"pinned to look-alikes, which only this machine has: {names}")
    return lines


def _demand(applied: Applied) -> None:
    if applied.unlocked:
        names = ", ".join(applied.unlocked)
        raise UsageError(
            f"{lock.SETTING}=required, but {lock.NAME} does not have: {names}; run: {lock.PIN}"
        )
    if applied.replaced:
        raise OutOfReach(
            f"{lock.SETTING}=required, but the locked digest cannot be had of: "
            f"{', '.join(applied.replaced)}; make the registry reachable (mirror, docker login)"
        )


def _place(
    session: Session, known: Lock, need: BaseNeed, applied: Applied, unnameable: Collection[str]
) -> None:
    pin = lock.find(known, need.reference)
    if references.parse(need.reference).digest:
        applied.rest.append(need)  # the name itself pins it
    elif pin is None or need.reference in unnameable:
        applied.rest.append(need)
        applied.unlocked.append(need.reference)
    elif pin.lookalike:
        _place_look_alike(session.engine, need, pin, applied)
    elif _had(session, need, pin):
        applied.images[need.reference] = lock.pinned(need.reference, pin.digest)
    else:
        applied.rest.append(need)
        applied.replaced.append(need.reference)


def _place_look_alike(engine: Engine, need: BaseNeed, pin: Pin, applied: Applied) -> None:
    found = bases.look_alike(engine, need.reference, pin.digest)
    if found is None or set(need.platforms) - set(found[1].platforms):
        applied.rest.append(need)
        applied.unlocked.append(need.reference)
        return
    applied.images[need.reference] = lock.pinned(found[0], pin.digest)
    applied.local.append(need.reference)


def _had(session: Session, need: BaseNeed, pin: Pin) -> bool:
    """Whether the locked digest can be had here; False if a look-alike stands in for it.

    Raises OutOfReach where it can neither be had, nor would anything but a look-alike be taken.
    """
    engine = session.engine
    wanted = references.parse(lock.pinned(need.reference, pin.digest))
    platforms = need.platforms or (engine.native_platform,)
    lacking = [name for name in platforms if name not in pin.platforms]
    short = tables.short_digest(pin.digest)
    if lacking:
        raise OutOfReach(
            f"{need.reference}: {lock.NAME} pins it to {short}, which has no "
            f"{', '.join(lacking)}; run: {lock.UPDATE} --base {need.reference}"
        )
    answer = reach.ask(engine, wanted)
    if answer.can_be_had or all(reach.in_engine(engine, wanted, name) for name in platforms):
        return True
    if answer.is_no_network or _is_silent(session, wanted, need):
        [state] = bases.base_states(engine, [need])
        if state.status in ("look-alike", "can be made"):
            return False
    raise OutOfReach(
        f"{need.reference}: {lock.NAME} pins it to {short}, which cannot be had: "
        f"{answer.reason or 'no registry in reach has it'}; make its registry reachable, or run: "
        f"{lock.UPDATE} --base {need.reference}"
    )


def _is_silent(session: Session, wanted: Reference, need: BaseNeed) -> bool:
    """Whether the registry itself is out of reach, behind a mirror that has look-alikes only.

    That mirror answers for it, and does not have the digest.
    """
    engine = session.engine
    if engine.kind != "embedded" or bases.look_alike(engine, need.reference) is None:
        return False
    if wanted.host not in session.silent:
        answer = resolving.ask_registry(engine, wanted.text)
        if answer.can_be_had or not answer.is_no_network:
            return False
        session.silent.add(wanted.host)
    return True
