"""The images of this repository against the sizes that were written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.core import untrusted
from tasks.core.bake.definitions import Definition, Target
from tasks.core.comparing import growth, lock, measuring, places, weighing
from tasks.core.comparing.growth import EXPLAINED_BYTES, Growth, Limits, Status
from tasks.core.comparing.lock import UPDATE, Entry, Lock
from tasks.core.comparing.measuring import Key
from tasks.core.errors import ProofFailed, UsageError
from tasks.core.session import Session

LOOKALIKES = "Measured on look-alike base images: on the originals the images are smaller."


@dataclass(frozen=True)
class Checked:
    """What was found: a row for each image, and what a reader has to know beside them.

    ``against`` is what they were compared with; ``renewed``: it was written anew.
    """

    against: str
    rows: tuple[Growth, ...]
    remarks: tuple[str, ...]
    renewed: bool = False

    @property
    def broken(self) -> tuple[str, ...]:
        """A line for each limit that does not hold."""
        return tuple(
            f"{row.target} {row.platform}: {line}" for row in self.rows for line in row.broken
        )


def check(session: Session, patterns: Sequence[str] = (), against: str = "") -> Checked:
    """Compare what ships, or the targets ``patterns``, with the lock, or with ``against``.

    ``against`` is another lock file, a target, an image of the engine or an archive. Raises
    UsageError without a lock, OutOfReach if none of the images is in the engine.
    """
    definition = measuring.checked(session)
    known = _known(session, definition, patterns, against)
    chosen = measuring.chosen(definition, patterns, known)
    found = measuring.measured(session, chosen)
    limits = {name: measuring.limits(session, name) for name in chosen}
    rows = _explained(session, chosen, tuple(_rows(limits, known, found)))
    gone = () if patterns else tuple(sorted(known.keys() - definition.targets.keys()))
    return Checked(against or lock.NAME, rows, tuple(_remarks(rows, gone)))


def demand(checked: Checked) -> None:
    """Raise ProofFailed for a broken limit, UsageError where bases of two kinds were compared."""
    if checked.broken:
        more = f" (and {len(checked.broken) - 1} more)" if len(checked.broken) > 1 else ""
        raise ProofFailed(f"{checked.broken[0]}{more}")
    other = next((row for row in checked.rows if row.status is Status.OTHER_BASES), None)
    if other is not None and not checked.renewed:
        kinds = ["look-alike bases", "the original bases"]
        if other.before is not None and not other.before.lookalike_bases:
            kinds.reverse()
        raise UsageError(
            f"{other.target} {other.platform}: {checked.against} was measured on {kinds[0]}, the "
            f"image stands on {kinds[1]}, so growth says nothing; measure anew: {UPDATE}"
        )


def _known(session: Session, definition: Definition, patterns: Sequence[str], against: str) -> Lock:
    """The lock, or what stands in for it."""
    path = Path(against) if against else session.root / lock.NAME
    if path.suffix == ".json":
        known = lock.load(path)
        if known is None and against:
            raise UsageError(f"--against {against}: no such file")
        if known is None:
            raise UsageError(f"there is no {lock.NAME}; write it by: {UPDATE}")
        return known
    targets = tuple(definition.narrowed(patterns).targets) if patterns else ()
    if len(targets) != 1:
        raise UsageError(f"--against {against} is one image: choose one target by --target")
    [read] = places.read(session, [places.find(session, against)], weighing.INSPECTORS)
    return {targets[0]: {each.platform: weighing.weigh(each) for each in read}}


def _rows(
    limits: Mapping[str, Limits], known: Lock, found: Mapping[Key, Entry]
) -> Iterator[Growth]:
    """A row for each image of the targets that have ``limits``, here or in the lock."""
    listed = {(name, platform) for name in known if name in limits for platform in known[name]}
    for name, platform in sorted(listed | found.keys()):
        before, after = known.get(name, {}).get(platform), found.get((name, platform))
        row = Growth(name, platform, before, after, limits[name])
        yield replace(row, broken=growth.broken(row))


def _explained(
    session: Session, chosen: Mapping[str, Target], rows: Sequence[Growth]
) -> tuple[Growth, ...]:
    """The rows, with what grew in those that grew by something: only these are looked into."""
    names = sorted({row.target for row in rows if _wants_reasons(row)})
    there = measuring.looked_into(session, [chosen[name] for name in names])
    explained = []
    for row in rows:
        read = there.get((row.target, row.platform))
        if read is not None and row.before is not None and _wants_reasons(row):
            row = replace(row, causes=growth.causes(row.before, weighing.everything(read)))
        explained.append(row)
    return tuple(explained)


def _wants_reasons(row: Growth) -> bool:
    grown = row.growth_bytes or 0
    return grown > 0 and (grown >= EXPLAINED_BYTES or bool(row.broken))


def _remarks(rows: Sequence[Growth], gone: Sequence[str]) -> Iterator[str]:
    if gone:
        told = ", ".join(untrusted.shown(name, 80) for name in gone)
        yield f"In the lock, but not in the bake file: {told}; taken out by: {UPDATE}"
    yield from (line for row in rows if (line := _remark(row)))
    yield from lookalikes(rows)
    if any(row.before and row.before.lookalike_bases is None for row in rows):
        yield "A build's record says neither on which bases it was, nor what was in the images."
    if any(row.comparable and row.size == "unpacked" for row in rows):
        yield "Unpacked sizes are compared where an engine does not know what is pulled."
    unlimited = sorted({row.target for row in rows if row.limits == Limits()})
    if unlimited:
        yield f"No limit in invoke.yaml (max_growth_percent, …) for: {', '.join(unlimited)}"


def lookalikes(rows: Sequence[Growth]) -> tuple[str, ...]:
    """A line that says so if an image was measured on a look-alike base."""
    found = any(row.after and row.after.lookalike_bases for row in rows)
    return (LOOKALIKES,) if found else ()


def _remark(row: Growth) -> str:
    told = {
        Status.ABSENT: "in the lock, but not built here, so nothing is known of it.",
        Status.NEW: f"not in the lock; written into it by: {UPDATE}",
        Status.OTHER_BASES: "one stands on look-alike bases, the other on the originals; growth "
        "says nothing.",
    }.get(row.status)
    return f"{row.target} {row.platform}: {told}" if told else ""
