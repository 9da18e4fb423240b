"""Prove images: what is in each of them, and each of their platforms running, side by side."""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core import daemon, process, waiting
from tasks.core.bake import runnable
from tasks.core.containers import sandbox
from tasks.core.containers.sandbox import Run
from tasks.core.containers.turns import Turn, turns
from tasks.core.proofs import runtime
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.runtime import Subject
from tasks.core.proofs.supply_chain import Expected
from tasks.core.proofs.verdicts import Verdict
from tasks.core.session import Session
from tasks.core.verifying import accepting, catalogue
from tasks.core.verifying import crew as crews
from tasks.core.verifying.crew import Crew
from tasks.core.verifying.looking import Held, Job

if TYPE_CHECKING:
    from docker import DockerClient

#: What can be proven of an image, by family; "budget" needs a start for two of its proofs.
EVERYTHING = (
    *("runtime", "identity", "platforms", "filesystem", "secrets", "supply-chain", "budget"),
)
#: The same without the search for secrets, which looks at every byte.
PRODUCTION = tuple(family for family in EVERYTHING if family != "secrets")
#: Families that start the image.
_STARTED = ("runtime", "identity")
#: Containers of foreign platforms that run side by side: emulation takes a processor each.
_FOREIGN_AT_ONCE = 2
#: How much longer a foreign platform may take: what QEMU costs a program that starts, measured
#: with Node.js, is a factor of 5 to 10.
EMULATION_FACTOR = 10
#: How much more memory it may take: QEMU keeps what it translated, for each process anew.
EMULATION_MEMORY_FACTOR = 4


@dataclass(frozen=True)
class Case:
    """An image to prove: in the engine under ``reference``, or an ``archive``; see `looking.Job`.

    ``target`` is what it is called in verdicts.
    """

    target: str
    reference: str
    policy: Policy
    archive: Path | None = None
    promised: tuple[str, ...] = ()
    expected: Expected = field(default_factory=Expected)
    bases: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def default_jobs() -> int:
    """How many images are proven side by side: much of it is waiting."""
    return max(2, os.cpu_count() or 1)


def prove(
    session: Session,
    cases: Sequence[Case],
    families: Sequence[str],
    *,
    start: bool = True,
    jobs: int | None = None,
) -> tuple[Verdict, ...]:
    """The verdicts on all cases, in their order, as each one's policy sees them.

    Whatever ends this, no container and no process of it is left. An archive is never started.
    """
    live = start and any(family in _STARTED for family in families)
    with contextlib.ExitStack() as stack:
        # Before there is anything that a copy of this process should not have.
        crew = stack.enter_context(crews.crew(len(cases)))
        client = run = None
        if any(case.archive is None for case in cases):
            client = stack.enter_context(contextlib.closing(daemon.connect(session.engine)))
        pool = stack.enter_context(ThreadPoolExecutor(jobs or default_jobs()))
        if client is not None and live:
            run = stack.enter_context(sandbox.run(client, session.settings.project))
        prover = _Prover(session, crew, run, tuple(families))
        natives: dict[int, _Native] = {}
        if client is not None and run is not None:
            natives = _natives(client, cases, session.engine.native_platform)
        # The largest image is likely to take longest, so it begins.
        first = sorted(natives, key=lambda number: -natives[number].size_bytes)
        rest = [number for number in range(len(cases)) if number not in natives]
        waits = [*turns(len(first), crews.size()), *(Turn() for _ in rest)]
        futures = {}
        for number, turn in zip([*first, *rest], waits, strict=True):
            held = natives[number].held if number in natives else None
            futures[number] = pool.submit(prover.prove, cases[number], held, turn)
            futures[number].add_done_callback(partial(_end, turn))
        ordered = [futures[number] for number in range(len(cases))]
        return tuple(verdict for future in ordered for verdict in waiting.result(future))


def _end(turn: Turn, _: object) -> None:
    """Nobody waits for an image whose proof has ended, however it did."""
    turn.end()


@dataclass(frozen=True)
class _Native:
    """An image that runs here by itself: its platform, and its size as the engine has it."""

    held: Held
    size_bytes: int


def _natives(client: DockerClient, cases: Sequence[Case], native: str) -> dict[int, _Native]:
    """Those of the cases that are in the engine and for this platform, by their numbers."""
    found = {}
    for number, case in enumerate(cases):
        if case.archive is not None:
            continue
        image: Mapping[str, Any] = client.api.inspect_image(case.reference)
        words = (image["Os"], image["Architecture"], image.get("Variant"))
        platform = "/".join(word for word in words if word)
        if platform == native:
            held = Held(platform, image.get("Config") or {})
            found[number] = _Native(held, int(image.get("Size") or 0))
    return found


class _Prover:
    """What the threads share."""

    def __init__(
        self,
        session: Session,
        crew: Crew,
        run: Run | None,
        families: tuple[str, ...],
    ) -> None:
        self._session = session
        self._crew = crew
        self._run = run
        self._families = families
        self._foreign = threading.Semaphore(_FOREIGN_AT_ONCE)

    def prove(self, case: Case, first: Held | None, turn: Turn) -> tuple[Verdict, ...]:
        """All verdicts on one image. Its layers are read while its ``first`` platform runs."""
        process.note(f"  {case.target}: proving {case.reference} …")
        engine = None if case.archive else self._session.engine
        work = self._crew.start(
            Job(
                target=case.target,
                reference=case.reference,
                engine=engine,
                archive=case.archive,
                policy=case.policy,
                families=self._families,
                promised=case.promised,
                expected=case.expected,
                bases=case.bases,
                secrets=case.secrets,
            )
        )
        found = [*self._started(case, first, turn)] if first else []
        looked = work.result()
        found += looked.verdicts
        if self._run is not None and case.archive is None:
            rest = [one for one in looked.held if not first or one.platform != first.platform]
            runnable.ensure(self._session.engine, [one.platform for one in rest])
            with ThreadPoolExecutor(_FOREIGN_AT_ONCE) as pool:
                for verdicts in pool.map(lambda held: [*self._started(case, held, Turn())], rest):
                    found += verdicts
        asked = [one for one in found if one.proof.partition(".")[0] in self._families]
        today = datetime.datetime.now(datetime.UTC).date()
        return _sorted(accepting.settle(asked, case.policy, today))

    def _started(self, case: Case, held: Held, turn: Turn) -> Iterator[Verdict]:
        """The verdicts on one platform, started. ``many``: the engine has to be told which."""
        assert self._run is not None  # noqa: S101 - the caller knows
        foreign = held.platform != self._session.engine.native_platform
        slowness = EMULATION_FACTOR if foreign else 1
        policy = replace(
            case.policy,
            healthy_seconds=case.policy.healthy_seconds * slowness,
            stop_seconds=case.policy.stop_seconds * slowness,
            memory_mib=case.policy.memory_mib * (EMULATION_MEMORY_FACTOR if foreign else 1),
        )
        many = foreign or len(case.promised) > 1
        subject = Subject(
            case.target, case.reference, held.platform, held.config, policy, many, slowness
        )
        with self._foreign if foreign else contextlib.nullcontext():
            yield from runtime.prove(self._run, subject, self._session.engine.host, turn)


def _sorted(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """By platform as they came, then as the catalogue has them."""
    places = {proof: number for number, proof in enumerate(catalogue.IDS)}
    platforms = list(dict.fromkeys(verdict.platform for verdict in verdicts))
    return tuple(
        sorted(
            verdicts,
            key=lambda one: (platforms.index(one.platform), places.get(one.proof, len(places))),
        )
    )
