"""A report with everything in it, and whatever texts of others one wants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tasks.core.images.sizes import ImageSize
from tasks.core.journal import cachereport, timeline
from tasks.core.journal.records import (
    BuilderRecord,
    EngineRecord,
    ImageRecord,
    Record,
    StepRecord,
    TargetRecord,
)
from tasks.core.page.gathering import Report
from tasks.core.page.reading import Mapped, MappedLayer, Piece
from tasks.core.proofs.verdicts import Severity, Status, Verdict
from tasks.core.rebuilds.results import SCENARIOS
from tasks.core.rebuilds.variants import FIGURES, Figure, Row
from tasks.core.verifying.kept import Kept

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "0" * 64


def record(number: int, text: str = "RUN make", *, ran: bool = True) -> Record:
    """A build of three steps, the second of which may have run."""
    states = ("cached", "run" if ran else "cached", "run")
    steps = tuple(
        StepRecord(
            digest=f"sha256:{n:064d}",
            name=f"[production {n + 1}/3] {text}",
            kind="step",
            state=state,
            targets=("app-production",),
            inputs=(f"sha256:{n - 1:064d}",) if n else (),
            key=f"{n}",
            instruction=text,
            stage="production",
            number=n,
            of=3,
            started_seconds=n * 2.0,
            ended_seconds=n * 2.0 + 1.5,
            seconds=1.5,
        )
        for n, state in enumerate(states)
    )
    target = TargetRecord(
        name="app-production",
        service="app",
        variant="multistage",
        stage="production",
        dockerfile="Dockerfile",
        images=(ImageRecord("linux/amd64", DIGEST, 10_000_000 + number * 500_000, 20_000_000),),
    )
    started = NOW + timedelta(minutes=number)
    return Record(
        schema=1,
        id=f"{started:%Y%m%dT%H%M%S}.000Z-000000",
        task="build.multistage",
        status="done",
        started=started,
        seconds=6.0 + number,
        no_cache=False,
        engine=EngineRecord("system", "28", "linux/amd64"),
        builder=BuilderRecord("default", "docker"),
        settings={},
        targets=(target,),
        steps=steps,
    )


def report(text: str = "RUN make") -> Report:
    """Every part has something to draw; ``text`` stands wherever others decide what stands."""
    records = tuple(record(number, text) for number in range(4))
    return Report(
        project=text,
        version="1.2.3",
        commit="a" * 40,
        made=NOW,
        engine="system engine, linux/amd64",
        sizes=(_size("production", 20_000_000, text), _size("baseline", 400_000_000, text)),
        images=(_mapped(text),),
        timeline=timeline.make(records[-1]),
        cache=cachereport.make(records[-1], records[-2::-1]),
        verdicts=tuple(_verdicts(text)),
        trend=records,
        variants=(_row(text),),
    )


def empty() -> Report:
    """Nothing was built, proven or measured yet."""
    notes = {"sizes": "no image to measure; build them first"}
    return replace(
        Report("app", "", "", NOW, "no engine"), notes=notes, images=(), verdicts=(), trend=()
    )


def _size(variant: str, size_bytes: int, text: str) -> ImageSize:
    return ImageSize(
        target=f"app-{variant} {text}",
        service="app",
        variant=variant,
        tag="app:latest",
        platform="linux/amd64",
        digest=DIGEST,
        compressed_bytes=size_bytes // 3,
        unpacked_bytes=size_bytes,
        layers=2,
        reduction_percent=None if variant == "baseline" else 95.0,
        unpacked_reduction_percent=None,
        lookalike_bases=False,
    )


def _mapped(text: str) -> Mapped:
    small = (Piece("app/main.js", 5_000_000), Piece("app/small", 100_000))
    files = tuple(Piece(f"usr/lib/{text}/{n}.so", 9_000_000 // (n + 1)) for n in range(20))
    layers = (
        MappedLayer(1, text, 8_000_000, 30_000_000, 20, files),
        MappedLayer(2, f"COPY {text}", None, 5_100_000, 2, small),
    )
    return Mapped("app-production", "linux/amd64", layers)


def _verdicts(text: str) -> list[Kept]:
    statuses = (Status.PASSED, Status.FAILED, Status.SKIPPED)
    return [
        Kept(
            Verdict(
                "app-production",
                "linux/amd64",
                f"filesystem.{status.value}",
                status,
                text,
                "none",
                text,
                Severity.HIGH,
                (text, "another"),
            ),
            NOW,
        )
        for status in statuses
    ]


def _row(text: str) -> Row:
    figures = {name: Figure(5.0, "inv compare.builds", machine=text, of=6) for name in FIGURES}
    for name in SCENARIOS:
        figures[name] = replace(figures[name], runs=(5.0,))
    return Row("app", "multistage", "app-production", (), "linux/amd64", figures)
