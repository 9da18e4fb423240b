"""Run proofs on targets side by side and collect their verdicts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tasks.core import daemon, policy, process, sandbox, waiting
from tasks.core.definitions import PRODUCTION, TESTING, Target
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.policy import Policy
from tasks.core.proofs import runtime
from tasks.core.proofs.runtime import Subject
from tasks.core.sandbox import Run
from tasks.core.session import Session
from tasks.core.verdicts import Verdict

if TYPE_CHECKING:
    from docker import DockerClient

SHOWN_LINES = 40
Prover = Callable[[Run, Subject], tuple[Verdict, ...]]


def production(session: Session, patterns: Sequence[str] = ()) -> tuple[Verdict, ...]:
    """Prove the images that ship, or those of the targets that match ``patterns``.

    Without patterns a variant that was not built is left out with a notice, but no service is
    passed over: one without any image is OutOfReach.
    """
    chosen = _choose(session, patterns, lambda target: target.released, PRODUCTION)
    if not patterns and not session.dry:
        chosen = _built(session, chosen)
    host = session.engine.host
    return _each(session, chosen, lambda run, subject: runtime.prove(run, subject, host))


def tests(session: Session, patterns: Sequence[str] = ()) -> tuple[Verdict, ...]:
    """Start every testing image, whose command runs the service's tests, and wait for its end."""
    chosen = _choose(session, patterns, lambda target: target.stage == TESTING, TESTING)
    return _each(session, chosen, _run_tests)


def _choose(
    session: Session, patterns: Sequence[str], wanted: Callable[[Target], bool], kind: str
) -> list[Target]:
    """The targets that ``patterns`` name, or without patterns those that are ``wanted``."""
    definition = session.everything()
    policy.check(session.config, definition.targets)
    narrowed = definition.narrowed(patterns).targets.values()
    chosen = [target for target in narrowed if patterns or wanted(target)]
    if not chosen:
        raise UsageError(f"the bake file defines no target with the stage {kind!r}")
    tagged = [target for target in chosen if target.tags]
    for target in chosen:
        if not target.tags:
            process.note(f"{target.name} has no tag: its image cannot be found by name")
    if not tagged:
        raise UsageError("none of the targets has a tag to find its image by")
    return tagged


def _built(session: Session, targets: Sequence[Target]) -> list[Target]:
    """Those whose image is in the engine; all of a service that has none, so that it is missed."""
    with contextlib.closing(daemon.connect(session.engine)) as client:
        there = {target.name for target in targets if daemon.has_image(client, target.tags[0])}
    served = {target.service for target in targets if target.name in there}
    for target in targets:
        if target.name not in there and target.service in served:
            process.note(f"{target.name}: not built, so nothing is proven of it")
    return [t for t in targets if t.name in there or t.service not in served]


def _each(session: Session, targets: Sequence[Target], prove: Prover) -> tuple[Verdict, ...]:
    """Prove all targets at once. Whatever ends this, no container of it is left."""
    if session.dry:
        for target in targets:
            process.note(f"dry run: {target.tags[0]} would be started")
        return ()
    limits = {target.name: policy.for_target(session.config, target.name) for target in targets}
    with contextlib.closing(daemon.connect(session.engine)) as client:
        subjects = [_subject(client, target, limits[target.name]) for target in targets]
        with (
            ThreadPoolExecutor(max_workers=len(subjects)) as pool,
            sandbox.run(client, session.settings.project) as run,
        ):
            futures = [pool.submit(prove, run, subject) for subject in subjects]
            return tuple(verdict for future in futures for verdict in waiting.result(future))


def _subject(client: DockerClient, target: Target, limits: Policy) -> Subject:
    from docker.errors import ImageNotFound

    name = target.tags[0]
    try:
        attributes = client.api.inspect_image(name)
    except ImageNotFound:
        raise OutOfReach(
            f"{target.name}: no image {name} in the engine; run: inv build.targets {target.name}"
        ) from None
    variant = attributes.get("Variant")
    platform = f"{attributes['Os']}/{attributes['Architecture']}" + (
        f"/{variant}" if variant else ""
    )
    return Subject(target.name, name, platform, attributes.get("Config") or {}, limits)


def _run_tests(run: Run, subject: Subject) -> tuple[Verdict, ...]:
    from requests.exceptions import ConnectionError as Gone
    from requests.exceptions import ReadTimeout

    limit = subject.policy.tests_seconds
    options = {"detach": True, "network_mode": "none", "init": False}
    sandbox.announce(subject.target, "running its tests …")
    began = time.monotonic()
    with run.container(subject.target, subject.image, options) as container:
        container.start()
        try:
            code = int(container.wait(timeout=limit)["StatusCode"])
            ended = f"exit {code}"
        except (ReadTimeout, Gone):
            code, ended = -1, "still running"
        measured = f"{ended} after {time.monotonic() - began:.1f} s"
        end = [] if code == 0 else sandbox.last_lines(container, SHOWN_LINES)
    if code == 0:
        sandbox.announce(subject.target, f"tests passed: {measured}")
    else:
        sandbox.announce(subject.target, f"tests failed: {measured}; the end of what they said:")
        for line in end:
            sandbox.announce(subject.target, line)
    allowed = f"exit 0 in {limit:g} s"
    message = f"tests passed, {measured}" if code == 0 else f"tests failed, {measured}"
    return (subject.verdict("tests.pass", code == 0, measured, allowed, message),)
