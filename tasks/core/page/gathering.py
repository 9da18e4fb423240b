"""What the page shows, from the engine, the records, the verdicts, and what was measured.

Every part may be missing; ``notes`` then says why, and what would put it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from tasks.core.errors import SlipwayError
from tasks.core.images import sizes as measuring
from tasks.core.images.sizes import ImageSize
from tasks.core.journal import cachereport, recordstore, timeline
from tasks.core.journal.cachereport import CacheReport
from tasks.core.journal.records import Record
from tasks.core.journal.timeline import Timeline
from tasks.core.page import reading
from tasks.core.page.reading import Mapped
from tasks.core.rebuilds import running
from tasks.core.rebuilds.variants import Row
from tasks.core.session import Session
from tasks.core.verifying import kept
from tasks.core.verifying.kept import Kept

#: So many records make the trend.
TREND = 40
T = TypeVar("T")

#: The parts of the page.
PARTS = ("sizes", "layers", "timeline", "cache", "verdicts", "trend", "variants")
SIZES, LAYERS, TIME, CACHE, VERDICTS, TREND_PART, VARIANTS = PARTS


@dataclass(frozen=True)
class Report:
    """Everything that is shown. ``trend`` has records from old to new."""

    project: str
    version: str
    commit: str
    made: datetime
    engine: str
    sizes: tuple[ImageSize, ...] = ()
    images: tuple[Mapped, ...] = ()
    timeline: Timeline | None = None
    cache: CacheReport | None = None
    verdicts: tuple[Kept, ...] = ()
    trend: tuple[Record, ...] = ()
    variants: tuple[Row, ...] = ()
    #: Why a part is missing, by its name.
    notes: Mapping[str, str] = field(default_factory=dict)


def gather(session: Session, patterns: Sequence[str], verdicts: str, record: str) -> Report:
    """Look at everything there is; ``patterns`` narrow the targets, ``record`` chooses a build.

    What was asked for by name and is not there is an error; what merely does not exist is a note.
    """
    notes: dict[str, str] = {}
    given = kept.read(Path(verdicts), f"--verdicts {verdicts}") if verdicts else None
    sizes = _or_note(notes, SIZES, lambda: _sizes(session, patterns))
    images = _or_note(notes, LAYERS, lambda: reading.images(session, sizes))
    if not sizes:
        notes[LAYERS] = notes.get(SIZES, "no image was measured")
    chosen = recordstore.find(session.root, record) if record else _newest(session, notes)
    found = given if given is not None else kept.load(session.root)
    if not found:
        notes[VERDICTS] = "nothing was proven yet; run: inv verify.all"
    rows = _or_note(notes, VARIANTS, lambda: running.variants(session, patterns, verdicts))
    measured = tuple(row for row in rows if any(f.runs for f in row.figures.values()))
    if not measured:
        notes.setdefault(VARIANTS, "no build was measured yet; run: inv compare.builds")
    return Report(
        project=session.settings.project,
        version=session.settings["VERSION"],
        commit=session.settings["GIT_COMMIT"],
        made=datetime.now(UTC).replace(microsecond=0),
        engine=f"{session.engine.kind} engine, {session.engine.native_platform}",
        sizes=sizes,
        images=images,
        timeline=timeline.make(chosen) if chosen else None,
        cache=_cache(session, chosen) if chosen else None,
        verdicts=found,
        trend=_trend(session),
        variants=rows if measured else (),
        notes=notes,
    )


def _sizes(session: Session, patterns: Sequence[str]) -> tuple[ImageSize, ...]:
    return measuring.measure(session, session.everything(), patterns)


def _or_note(notes: dict[str, str], name: str, find: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
    """What ``find`` finds; where it cannot, the page says why in its place."""
    try:
        return find()
    except SlipwayError as problem:
        notes[name] = str(problem)
        return ()


def _newest(session: Session, notes: dict[str, str]) -> Record | None:
    """The newest record of a build that had steps to show."""
    found = next(recordstore.newest_first(session.root, tell=False), None)
    if found is None:
        reason = "there is no record of a build yet; every build.* writes one"
        notes.update(dict.fromkeys((TIME, CACHE, TREND_PART), reason))
    return found


def _cache(session: Session, record: Record) -> CacheReport:
    older = recordstore.newest_first(session.root, before=record.id, tell=False)
    return cachereport.make(record, older)


def _trend(session: Session) -> tuple[Record, ...]:
    newest = islice(recordstore.newest_first(session.root), TREND)
    return tuple(reversed(tuple(newest)))
