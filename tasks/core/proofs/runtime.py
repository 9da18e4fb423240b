"""Proofs on a running container: started as restricted as in production, asked, stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core import untrusted
from tasks.core.containers import sandbox, watching
from tasks.core.containers.sandbox import Run
from tasks.core.containers.turns import Turn
from tasks.core.containers.watching import Watch
from tasks.core.proofs import answering, burst, identity, living, readiness, stopping, twin
from tasks.core.proofs.subject import LOCAL, Answer, Subject, fetch, published
from tasks.core.proofs.verdicts import Status, Verdict

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

#: Those of `identity` are in its own module's list.
PROOFS = (
    readiness.STARTS,
    readiness.HEALTHY,
    *answering.PROOFS,
    *living.PROOFS,
    burst.BURST,
    *twin.PROOFS,
    *stopping.PROOFS,
    readiness.STARTUP,
)
__all__ = ["PROOFS", "Answer", "Subject", "fetch", "prove"]


@dataclass(frozen=True)
class _Live:
    """A container that was started at ``began``; ``askable`` if its ports are on this machine."""

    run: Run
    subject: Subject
    container: Container
    watch: Watch
    began: float
    askable: bool
    turn: Turn


def prove(run: Run, subject: Subject, engine_host: str, turn: Turn) -> tuple[Verdict, ...]:
    """Start the image restricted and prove it; its containers are gone when this returns.

    ``turn`` is its time to get ready: it waits for that, and ends it.
    """
    from docker.errors import APIError, ImageNotFound

    with contextlib.ExitStack() as stack:
        turn.begin()
        stack.callback(turn.end)
        try:
            container = stack.enter_context(
                run.container(subject.target, subject.image, _options(subject))
            )
            began = time.monotonic()
            container.start()
        except ImageNotFound:
            raise
        except APIError as error:  # also for an image without a command
            reason = untrusted.shown(str(error.explanation).splitlines()[0])
            message = f"does not start: {reason}"
            return (subject.decide(readiness.STARTS, False, reason, "starts", message),)
        platform = subject.platform if subject.one_of_many else None
        watch = stack.enter_context(
            watching.watch(run, container, engine_host, subject.image, platform, subject.slowness)
        )
        live = _Live(run, subject, container, watch, began, engine_host.startswith(LOCAL), turn)
        return tuple(_all(live))


def _options(subject: Subject) -> dict[str, Any]:
    """How the image is started; see `sandbox.restricted`."""
    options = sandbox.restricted(subject.policy, subject.port)
    if subject.one_of_many:
        options["platform"] = subject.platform
    if subject.slowness > 1:
        options["healthcheck"] = sandbox.patient(subject.config, subject.slowness)
    return options


def _all(live: _Live) -> Iterator[Verdict]:
    """All verdicts. The twin starts when the container is ready, so as not to slow its start."""
    run, subject, container, watch = live.run, live.subject, live.container, live.watch
    port = published(container, subject.port) if live.askable else None
    ready = readiness.wait(subject, container, port, live.began)
    for verdict in readiness.prove(subject, container, ready):
        yield verdict
        if verdict.status is Status.FAILED:
            return
    sandbox.announce(subject.label, str(ready))
    with ThreadPoolExecutor(1) as pool:
        traces = pool.submit(twin.observe, run, subject, live.askable, ready, live.turn)
        if port is None:
            yield from answering.skip(subject, _unasked(live.askable))
        else:
            yield from answering.prove(subject, port)
        answers = port if ready.answered is not None else None
        yield from _left_alone(subject, container, watch, answers)
        logged = twin.logged(container)
        yield from twin.prove(subject, traces.result(), logged)
    now = watch.fresh()
    words = _first_words(container, watch)
    yield from stopping.prove(subject, container, answers)
    yield from identity.prove(subject, watch.seen, now, _filters(run.client))
    yield identity.prove_init(subject, words)
    yield living.prove_ports(subject, watch.ports)
    yield readiness.prove_startup(subject, ready)


def _left_alone(
    subject: Subject, container: Container, watch: Watch, port: int | None
) -> Iterator[Verdict]:
    """What a while of its own shows, and a burst of requests after it."""
    problems = living.observe(subject, container)
    before = container.attrs["State"]
    used = living.idle_bytes(container)
    if port is None:
        yield subject.skip(burst.BURST, "nothing answers on a known port")
    else:
        yield burst.prove(subject, container, port)
    problems += [each for each in living.trouble(container, before) if each not in problems]
    yield living.prove_stays(subject, problems)
    yield living.prove_zombies(subject, watch)
    yield living.prove_memory(subject, used)


def _unasked(askable: bool) -> str:
    if askable:
        return "no port: set one in the policy"
    return "the engine is on another machine: its ports are not asked from here"


def _first_words(container: Container, watch: Watch) -> tuple[str, ...]:
    """The command line of the container's first process; () once it has ended."""
    from docker.errors import APIError

    first = [one for one in watch.seen if one.pid == 1 and one.argv]
    if first:
        return first[-1].argv
    pid = str(container.attrs["State"]["Pid"])
    try:
        top = container.top(ps_args="-eo pid,args")
    except APIError as error:
        if error.status_code == 409:  # not running
            return ()
        raise
    rows = [row for row in top["Processes"] or () if row[0] == pid]
    return tuple(rows[0][1].split()) if rows else ()


def _filters(client: DockerClient) -> bool:
    """Whether the engine can filter system calls."""
    options = client.api.info().get("SecurityOptions") or []
    return any("name=seccomp" in str(each) for each in options)
