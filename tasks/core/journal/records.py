"""What one build did, as it is kept under ``.slipway/records/``: docs/records.md has every field.

The fields of these frozen records are the schema: ``decoding`` reads a file back by them, so that a
damaged or a foreign one is told by its name. Times are UTC; seconds count from the build's start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

SCHEMA = 1

DONE, FAILED = "done", "failed"
#: What a step is: an instruction of a Dockerfile, its FROM, an errand of BuildKit's, the export.
STEP, BASE, INTERNAL, EXPORT = "step", "base", "internal", "export"
#: How a step came about: it ran, an earlier build had it, or another target ran it in this build,
#: or another build that was at work at the same time.
RUN, CACHED, SHARED = "run", "cached", "shared"
#: It was stopped, or it failed.
STOPPED, BROKE = "stopped", "failed"


@dataclass(frozen=True)
class StepRecord:
    """One vertex of BuildKit's graph. ``inputs`` are digests of steps of the same record."""

    digest: str
    #: As BuildKit shows it, with secrets masked.
    name: str
    kind: str
    state: str
    #: Names of targets, the one that is said to have run it first.
    targets: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    #: The same in every build as long as nothing but the content of files changes.
    key: str = ""
    #: "COPY src ./src"; "" for what is no instruction.
    instruction: str = ""
    stage: str = ""
    #: Of how many that BuildKit counts in its stage, and which; 0 for what is no instruction.
    number: int = 0
    of: int = 0
    platform: str | None = None
    #: From the build's start.
    started_seconds: float = 0.0
    ended_seconds: float = 0.0
    #: That it worked: pauses are left out, so it may be less than the time between the two.
    seconds: float = 0.0
    #: What BuildKit says was transferred: a context, a base's layers.
    transferred_bytes: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Argument:
    """A build argument: its value, or a keyed hash of one that looks secret."""

    value: str | None = None
    hash: str | None = None


@dataclass(frozen=True)
class Instructed:
    """One instruction of a Dockerfile, comments left out, heredocs included, secrets masked."""

    name: str
    value: str
    line: int = 0


@dataclass(frozen=True)
class StageRecord:
    """One stage as it was written; ``name`` is "" for one that has none."""

    name: str
    base: str
    instructions: tuple[Instructed, ...] = ()


@dataclass(frozen=True)
class BaseRecord:
    """A base image as BuildKit resolved it."""

    reference: str
    digest: str
    platform: str | None = None


@dataclass(frozen=True)
class SecretRecord:
    """A build secret: its id, and whether there was one. Never its value."""

    id: str
    set: bool


@dataclass(frozen=True)
class ImageRecord:
    """The image of one platform; sizes are None where they were not known without a look inside."""

    platform: str
    digest: str
    compressed_bytes: int | None = None
    unpacked_bytes: int | None = None


@dataclass(frozen=True)
class ContextRecord:
    """The files that a target's COPY, ADD and bind mounts may take, by path below the context.

    A value is "100644 <sha256>": mode and kind in octal, the digest of the content (of a link: its
    goal; "" for a folder). ``problem`` says why files are not known.
    """

    path: str
    ignore_file: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class TargetRecord:
    """One target: what it was asked to be, and what it became ("" and () if it failed)."""

    name: str
    service: str
    variant: str
    stage: str | None
    dockerfile: str
    tags: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    args: Mapping[str, Argument] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[SecretRecord, ...] = ()
    bases: tuple[BaseRecord, ...] = ()
    #: The global ARGs of its Dockerfile, in front of the first FROM.
    globals: tuple[Instructed, ...] = ()
    stages: tuple[StageRecord, ...] = ()
    context: ContextRecord | None = None
    #: The stages that the bake file wants without cache ("*": all of them).
    uncached: tuple[str, ...] = ()
    digest: str = ""
    images: tuple[ImageRecord, ...] = ()
    #: From its first step to its last.
    seconds: float = 0.0


@dataclass(frozen=True)
class SettingRecord:
    """A setting as it may be printed, and where it came from."""

    value: str
    origin: str


@dataclass(frozen=True)
class NodeRecord:
    """One node of the builder."""

    name: str
    buildkit: str
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuilderRecord:
    """Where BuildKit ran."""

    name: str
    driver: str
    nodes: tuple[NodeRecord, ...] = ()


@dataclass(frozen=True)
class EngineRecord:
    """The engine: "system" or "embedded", versions ("" where unknown), its own platform."""

    kind: str
    version: str
    platform: str
    buildx: str = ""


@dataclass(frozen=True)
class FailureRecord:
    """What broke a build: the step ("" if it was none), why, the last lines that it printed."""

    step: str
    reason: str
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """One bake call. ``id`` is its file's name without ``.json``, and sorts by time."""

    schema: int
    id: str
    #: The task as it was called: "build.multistage".
    task: str
    status: str
    started: datetime
    #: Of the whole call: bake, and taking images into the engine.
    seconds: float
    #: Whether ``--no-cache`` was given.
    no_cache: bool
    engine: EngineRecord
    builder: BuilderRecord
    settings: Mapping[str, SettingRecord]
    targets: tuple[TargetRecord, ...]
    #: Every vertex once, in the order in which they began.
    steps: tuple[StepRecord, ...]
    failure: FailureRecord | None = None
    #: What could not be found out, one line each.
    notes: tuple[str, ...] = ()

    def target(self, name: str) -> TargetRecord | None:
        """The target called ``name``, if it was built here."""
        return next((one for one in self.targets if one.name == name), None)
