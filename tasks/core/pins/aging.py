"""Which locked bases moved on, and which are near the end of their support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from tasks.core import process
from tasks.core.errors import OutOfReach, ProofFailed, UsageError
from tasks.core.pins import ends, lock, renewing, resolving
from tasks.core.pins.ends import End
from tasks.core.pins.lock import Lock, Pin
from tasks.core.pins.renewing import Wanted
from tasks.core.pins.resolving import Found
from tasks.core.provision import references
from tasks.core.session import Session

Status = Literal["current", "outdated", "not locked", "out of reach"]


@dataclass(frozen=True)
class Aged:
    """One base image: what is locked, what its name stands for now, and what of it ends first."""

    reference: str
    locked: Pin | None
    current: Pin | None
    end: End | None
    today: date
    #: The registry, and what went wrong with it; "" where it answered.
    registry: str = ""
    reason: str = ""

    @property
    def status(self) -> Status:
        """What to call it."""
        if self.current is None:
            return "out of reach"
        if self.locked is None:
            return "not locked"
        return "current" if self.locked.digest == self.current.digest else "outdated"

    @property
    def pinned_days(self) -> int | None:
        """For how many days the locked digest has been in the lock."""
        return (self.today - self.locked.pinned).days if self.locked else None

    @property
    def days_left(self) -> int | None:
        """Days of support from today; less than 0 after its end; None where no day is known."""
        return self.end.days_left(self.today) if self.end else None

    @property
    def ended(self) -> bool:
        """Whether something in it gets no repairs any more."""
        return self.days_left is not None and self.days_left < 0


def check(session: Session, wanted: Wanted) -> tuple[Aged, ...]:
    """How the bases stand today. Raises UsageError without a lock."""
    known = lock.load(session.root)
    if known is None:
        raise UsageError(f"there is no {lock.NAME}; write it by: {lock.PIN}")
    today = renewing.today()
    chosen = renewing.needed(session, wanted)
    asked = [need for need in chosen if not references.parse(need.reference).digest]
    found = resolving.current(session.engine, asked, today)
    if wanted.everything:
        _tell_unneeded(known, found)
    return tuple(_aged(known, each, today) for each in found)


def demand(rows: Sequence[Aged], *, exit_code: bool) -> None:
    """Raise OutOfReach for a registry that said nothing; with ``exit_code`` ProofFailed for age.

    What is known to be old comes first: a registry out of reach must not hide it.
    """
    old = list(_old(rows)) if exit_code else []
    silent = list(_silent(rows))
    if old:
        raise ProofFailed("; ".join([*old, *silent]))
    if silent:
        raise OutOfReach(f"nothing is known of the digests of now: {'; '.join(silent)}")


def _old(rows: Sequence[Aged]) -> Iterator[str]:
    moved = [row.reference for row in rows if row.status == "outdated"]
    if moved:
        yield f"newer than {lock.NAME}: {', '.join(moved)}; take them over: {lock.UPDATE}"
    for row in rows:
        if row.end is not None and row.ended:
            yield f"{row.reference}: {row.end.product} ended on {row.end.day}"


def _silent(rows: Sequence[Aged]) -> Iterator[str]:
    """A line for each registry that gave no answer, with the first of its reasons."""
    for registry in dict.fromkeys(row.registry for row in rows if row.reason):
        asked = [row for row in rows if row.reason and row.registry == registry]
        names = ", ".join(row.reference for row in asked)
        yield f"{registry} gives no answer about {names}: {asked[0].reason}"


def _aged(known: Lock, found: Found, today: date) -> Aged:
    locked = lock.find(known, found.reference)
    end = ends.first(found.reference)
    current, reason = found.pin, "" if found.pin else found.reason
    if current and current.lookalike and not (locked and locked.lookalike):
        # The stand-in's digest says nothing about the original's.
        current, reason = None, found.reason or "a look-alike stands in for it here"
    where = resolving.where(found) if current is None else ""
    return Aged(found.reference, locked, current, end, today, where, reason)


def _tell_unneeded(known: Lock, found: Sequence[Found]) -> None:
    used = {lock.key(known, each.reference) for each in found}
    rest = sorted(known.keys() - used)
    if rest:
        process.note(f"{lock.NAME} has what no target needs: {', '.join(rest)}; run: {lock.PIN}")
