"""What was measured of every variant, a row for each target: sizes, seconds, cache, proofs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tasks.core.bake.definitions import VARIANTS, Target
from tasks.core.proofs.verdicts import Status
from tasks.core.rebuilds.results import (
    COLD,
    DEPENDENCY,
    SOURCE,
    WARM,
    Measured,
    Results,
    Size,
    Subject,
)
from tasks.core.verifying.kept import Kept

COMPRESSED, UNPACKED, CACHED, PROOFS = "compressed", "unpacked", "cached", "proofs"
#: The columns, in their order.
FIGURES = (COMPRESSED, UNPACKED, COLD, WARM, SOURCE, DEPENDENCY, CACHED, PROOFS)
SECONDS = (COLD, WARM, SOURCE, DEPENDENCY)


@dataclass(frozen=True)
class Figure:
    """One number: bytes, seconds, percent, or proofs passed ``of`` how many.

    ``command`` makes it. Without a ``value``, ``reason`` says why; with one it may be a remark.
    ``runs`` are all that the value is the median of; ``at`` is when it was measured.
    """

    value: float | None
    command: str
    reason: str = ""
    runs: tuple[float, ...] = ()
    of: int | None = None
    at: datetime | None = None
    machine: str = ""


@dataclass(frozen=True)
class Row:
    """One target: what was measured, by the names of FIGURES."""

    service: str
    variant: str
    target: str
    #: What it was built for; sizes are those of ``platform``.
    platforms: tuple[str, ...]
    platform: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    lookalike: bool = False


def rows(
    targets: Sequence[Target], found: Results, verdicts: Sequence[Kept], native: str
) -> tuple[Row, ...]:
    """A row for each of ``targets``, by service, in the order of the variants.

    ``native`` is the engine's platform: the one whose size is shown, if the image is for it.
    """
    made = [_row(target, found.subject(target.name), verdicts, native) for target in targets]
    return tuple(sorted(made, key=lambda row: (row.service, _rank(row.variant), row.target)))


def best(rows: Sequence[Row], service: str, variant: str) -> Row | None:
    """The row of a variant of a service; the first where there are several."""
    return next((r for r in rows if r.service == service and r.variant == variant), None)


def _row(target: Target, subject: Subject | None, verdicts: Sequence[Kept], native: str) -> Row:
    size = _size(subject, native)
    figures = {
        **_sizes(target, subject, size),
        **{name: _seconds(target, subject, name) for name in SECONDS},
        CACHED: _cached(target, subject),
        PROOFS: _proofs(target, verdicts),
    }
    return Row(
        service=target.service,
        variant=target.variant,
        target=target.name,
        platforms=subject.platforms if subject else (),
        platform=size.platform if size else "",
        figures=figures,
        lookalike=bool(size and size.lookalike),
    )


def _sizes(target: Target, subject: Subject | None, size: Size | None) -> dict[str, Figure]:
    command = subject.command if subject else _command(target, "")
    if size is None:
        reason = "not built by it" if subject else "not measured"
        return dict.fromkeys((COMPRESSED, UNPACKED), Figure(None, command, reason))
    unknown = "" if size.compressed_bytes is not None else "this engine keeps layers unpacked"
    return {
        COMPRESSED: Figure(size.compressed_bytes, command, unknown),
        UNPACKED: Figure(size.unpacked_bytes, command),
    }


def _seconds(target: Target, subject: Subject | None, scenario: str) -> Figure:
    one = subject.measured(scenario) if subject else None
    if one is None:
        return Figure(None, _command(target, scenario), "not measured")
    runs = tuple(run.seconds for run in one.runs)
    return Figure(one.seconds, one.command, one.reason, runs, at=one.at, machine=one.machine)


def _cached(target: Target, subject: Subject | None) -> Figure:
    """The share of steps that came from the cache after a change of a source."""
    one: Measured | None = subject.measured(SOURCE) if subject else None
    if one is None:
        return Figure(None, _command(target, SOURCE), "not measured")
    return Figure(one.cached_percent, one.command, one.reason, at=one.at, machine=one.machine)


def _proofs(target: Target, verdicts: Sequence[Kept]) -> Figure:
    command = f"inv verify.production --target {target.name}"
    own = [one for one in verdicts if one.verdict.target == target.name]
    counts = Counter(one.verdict.status for one in own)
    decided = counts[Status.PASSED] + counts[Status.FAILED]
    if not decided:
        return Figure(None, command, "not proven")
    at = max((one.at for one in own if one.at), default=None)
    return Figure(counts[Status.PASSED], command, of=decided, at=at)


def _size(subject: Subject | None, native: str) -> Size | None:
    sizes = subject.sizes if subject else ()
    return next((one for one in sizes if one.platform == native), sizes[0] if sizes else None)


def _command(target: Target, scenario: str) -> str:
    words = f" --scenario {scenario}" if scenario else ""
    return f"inv compare.builds --target {target.name}{words}"


def _rank(variant: str) -> int:
    return VARIANTS.index(variant) if variant in VARIANTS else len(VARIANTS)
