"""Write the record of one bake call: what can be found out meanwhile, then what came of it.

Whatever goes wrong here costs a line, never the build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic

from tasks.core import process, running
from tasks.core.bake.definitions import Definition
from tasks.core.bake.splitting import Plan
from tasks.core.errors import SlipwayError
from tasks.core.journal import history, recordstore, steprecords, surroundings, targetrecords
from tasks.core.journal.graph import Vertex
from tasks.core.journal.history import Failure, Trace
from tasks.core.journal.records import (
    DONE,
    FAILED,
    SCHEMA,
    BaseRecord,
    BuilderRecord,
    EngineRecord,
    FailureRecord,
    ImageRecord,
    Record,
    SettingRecord,
    TargetRecord,
)
from tasks.core.secrecy import masking, secretvalues
from tasks.core.session import Session
from tasks.core.untrusted import Malformed


@dataclass(frozen=True)
class Made:
    """What became of one target."""

    digest: str
    seconds: float
    images: tuple[ImageRecord, ...] = ()


@dataclass(frozen=True)
class Found:
    """What can be known before a build has ended."""

    targets: Mapping[str, TargetRecord]
    engine: EngineRecord
    builder: BuilderRecord
    notes: tuple[str, ...]


class Recording:
    """The record of a bake call that is under way."""

    def __init__(
        self, session: Session, definition: Definition, plan: Plan, *, no_cache: bool
    ) -> None:
        """Begin: contexts are read, and the engine asked, while bake is at work."""
        self._session, self._definition, self._plan = session, definition, plan
        self._no_cache = no_cache
        #: When bake was called.
        self.started, self._since = datetime.now(UTC), monotonic()
        self._task = running.TASK.get()
        self._secrets: tuple[str, ...] = ()
        pool = ThreadPoolExecutor(1)
        self._found: Future[Found] = pool.submit(self._look)
        pool.shutdown(wait=False)

    def done(self, made: Mapping[str, Made], traces: Mapping[str, Trace]) -> None:
        """The build came to its end."""
        seconds = monotonic() - self._since
        traced = {name: trace.vertexes for name, trace in traces.items()}
        with _spared():
            self._write(DONE, seconds, traced, made, None)

    def failed(self, failure: Failure | None, reason: str) -> None:
        """The build broke at ``failure``, or for a ``reason`` that is no step's."""
        seconds = monotonic() - self._since
        broke = failure or Failure("", reason, ())
        with _spared():
            self._write(FAILED, seconds, self._traced_so_far(), {}, broke)

    def _look(self) -> Found:
        session, notes = self._session, []
        environment = process.merged(session.environment)
        # First of all: without them nothing could be masked, and so nothing is kept.
        self._secrets = tuple(_secret_values(session, self._definition))
        targets = targetrecords.make(session.root, self._definition, environment, self._hide)
        about = session.engine
        known = EngineRecord(about.kind, "", about.native_platform), BuilderRecord("", "")
        try:
            found = surroundings.find(session.root, about, session.settings["BUILDER"])
            known = found.engine, found.builder
        except SlipwayError as problem:
            notes.append(self._hide(str(problem)))
        supplied = {name: self._supplied(target) for name, target in targets.items()}
        return Found(supplied, *known, tuple(notes))

    def _supplied(self, target: TargetRecord) -> TargetRecord:
        """With the secrets that the overlay gives."""
        entry = self._plan.overlay.get("target", {}).get(target.name, {})
        return targetrecords.with_secrets(target, [s["id"] for s in entry.get("secret", ())])

    def _write(
        self,
        status: str,
        seconds: float,
        traced: Mapping[str, Sequence[Vertex]],
        made: Mapping[str, Made],
        failure: Failure | None,
    ) -> None:
        found = self._found.result()
        owners = {part: name for name, parts in self._plan.split.items() for part in parts}
        seen = steprecords.gather(traced, owners, self._plan.platforms)
        steps = steprecords.make(seen, found.targets, self._hide)
        record = Record(
            schema=SCHEMA,
            id=recordstore.new_id(self.started),
            task=self._task,
            status=status,
            started=self.started,
            seconds=round(seconds, 3),
            no_cache=self._no_cache,
            engine=found.engine,
            builder=found.builder,
            settings={
                name: SettingRecord(entry.shown, entry.origin)
                for name, entry in sorted(self._session.settings.entries.items())
            },
            targets=tuple(
                _ended(target, made.get(name), steprecords.bases(seen.values(), name))
                for name, target in sorted(found.targets.items())
            ),
            steps=steps,
            failure=self._failure(failure) if failure else None,
            notes=found.notes,
        )
        recordstore.store(self._session.root, record)

    def _failure(self, failure: Failure) -> FailureRecord:
        lines = tuple(self._hide(process.plain(line)) for line in failure.log)
        return FailureRecord(self._hide(failure.step), self._hide(failure.reason), lines)

    def _traced_so_far(self) -> dict[str, tuple[Vertex, ...]]:
        """What BuildKit did until it broke: bake tells no references then."""
        session = self._session
        known = {*self._definition.targets, *(p for ps in self._plan.split.values() for p in ps)}
        past = history.since_then(session.engine, self.started, session.root)
        refs = {each.target: each.ref for each in past if each.target in known}
        traces = history.traces(session.engine, refs, self.started)
        return {name: trace.vertexes for name, trace in traces.items()}

    def _hide(self, text: str) -> str:
        return masking.hide(text, self._secrets)


@contextmanager
def _spared() -> Iterator[None]:
    """What is expected to go wrong is told in one line."""
    try:
        yield
    except (SlipwayError, OSError, Malformed) as problem:
        process.note(f"no full record of this build is kept: {problem}")


def _secret_values(session: Session, definition: Definition) -> Iterator[str]:
    """What must not be in a record: secrets of settings, of builds, and of arguments."""
    yield from secretvalues.of_builds(session, definition.targets.values()).values()
    for target in definition.targets.values():
        yield from (v for n, v in target.args.items() if v and targetrecords.is_secret(n, v))


def _ended(target: TargetRecord, made: Made | None, bases: tuple[BaseRecord, ...]) -> TargetRecord:
    if made is None:
        return replace(target, bases=bases)
    return replace(
        target, bases=bases, digest=made.digest, seconds=round(made.seconds, 6), images=made.images
    )
