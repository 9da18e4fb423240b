"""Write `bases.lock.json`: what is not in it yet, or all that moved since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Literal

from tasks.core import process
from tasks.core.bake import needs
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.pins import lock, resolving
from tasks.core.pins.lock import Lock, Pin
from tasks.core.pins.resolving import Found
from tasks.core.provision import bases, references
from tasks.core.provision.bases import BaseNeed
from tasks.core.session import Session

Kind = Literal["new", "moved", "unchanged", "not needed"]


@dataclass(frozen=True)
class Change:
    """What happened to one base image in the lock; None: it was, or is, not in it."""

    reference: str
    before: Pin | None
    after: Pin | None

    @property
    def kind(self) -> Kind:
        """What to call it."""
        if self.after is None:
            return "not needed"
        if self.before is None:
            return "new"
        return "unchanged" if self.before == self.after else "moved"


@dataclass(frozen=True)
class Wanted:
    """Which bases a task is about: of the targets ``targets``, those that match ``bases``."""

    targets: Sequence[str] = ()
    bases: Sequence[str] = ()
    #: Whether a look-alike's digest may be written, which means nothing on another machine.
    look_alikes: bool = False

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.targets and not self.bases


def today() -> date:
    """The day, everywhere the same."""
    return datetime.now(UTC).date()


def needed(session: Session, wanted: Wanted) -> tuple[BaseNeed, ...]:
    """The bases that are asked for. Raises UsageError for a pattern that matches nothing."""
    whole = session.everything()
    found = needs.known(session, whole.whole(whole.narrowed(wanted.targets).targets))
    for pattern in wanted.bases:
        if not any(_matches(need.reference, (pattern,)) for need in found):
            names = ", ".join(need.reference for need in found) or "none"
            raise UsageError(f"--base {pattern!r} matches no base image; there are: {names}")
    return tuple(n for n in found if not wanted.bases or _matches(n.reference, wanted.bases))


def prepare(session: Session, chosen: Sequence[BaseNeed], wanted: Wanted) -> None:
    """Have the look-alikes made that were asked for. Raises OutOfReach where none can be."""
    if wanted.look_alikes and not session.dry:
        bases.ensure_bases(session.engine, chosen, process.note)


def renew(session: Session, wanted: Wanted, *, again: bool) -> tuple[Change, ...]:
    """Lock what is not locked; with ``again`` also what is, by the digests of now.

    Without patterns what no target needs is taken out. All or nothing: raises OutOfReach, and
    leaves the lock as it is, when a registry does not say what one of them stands for.
    """
    known = lock.load(session.root) or {}
    chosen = needed(session, wanted)
    prepare(session, chosen, wanted)
    asked = [need for need in chosen if _is_asked(known, need, again=again)]
    found = resolving.current(session.engine, asked, today())
    _refuse(found, wanted)
    pins: dict[str, Pin | None] = {}
    for need in chosen:
        if not references.parse(need.reference).digest:
            name = lock.key(known, need.reference) or need.reference
            pins[name] = known.get(name)
    for each in found:
        name = lock.key(known, each.reference) or each.reference
        pins[name] = _kept(known.get(name), each.pin)
    if wanted.everything:
        pins |= dict.fromkeys(known.keys() - pins.keys())
    changes = tuple(Change(name, known.get(name), pins[name]) for name in sorted(pins))
    _write(session, known, changes)
    return changes


def _is_asked(known: Lock, need: BaseNeed, *, again: bool) -> bool:
    """Whether a registry is to be asked for ``need``: a name by digest stands for itself."""
    if references.parse(need.reference).digest:
        return False
    pin = lock.find(known, need.reference)
    lacks = pin is not None and set(need.platforms) - set(pin.platforms)
    return again or pin is None or pin.lookalike or bool(lacks)


def _kept(before: Pin | None, after: Pin | None) -> Pin | None:
    """``after``, but with the day on which its digest was written down first."""
    if before is None or after is None or before.digest != after.digest:
        return after
    return replace(after, pinned=before.pinned)


def _refuse(found: Sequence[Found], wanted: Wanted) -> None:
    missing = resolving.without(found)
    stood_in = [each.reference for each in found if each.pin and each.pin.lookalike]
    told = [f"no registry in reach says what these are: {', '.join(missing)}"] if missing else []
    mend = f"leave them out by {lock.PIN} --base GLOB" if missing else ""
    if stood_in and not wanted.look_alikes:
        told.append(
            f"look-alikes stand in here for {', '.join(stood_in)}, and their digests mean nothing "
            "elsewhere"
        )
        mend = "pin look-alikes for this machine alone: --look-alikes"
    if told:
        raise OutOfReach(
            f"{lock.NAME} is left as it is: {'; '.join(told)}; run this where the registry is in "
            f"reach, or {mend}"
        )


def _write(session: Session, known: Lock, changes: Sequence[Change]) -> None:
    made: Mapping[str, Pin] = {**known, **dict(_after(changes))}
    gone = {change.reference for change in changes if change.after is None}
    made = {name: pin for name, pin in made.items() if name not in gone}
    if session.dry:
        process.note(f"dry run: {lock.NAME} is left as it is")
    elif made == known:
        process.note(f"{lock.NAME}: nothing changed")
    else:
        lock.save(session.root, made)
        process.note(f"written: {lock.NAME}")


def _after(changes: Sequence[Change]) -> Iterator[tuple[str, Pin]]:
    for change in changes:
        if change.after is not None:
            yield change.reference, change.after


def _matches(reference: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(reference, pattern) for pattern in patterns)
