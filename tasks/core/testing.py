"""Run the tests of services: their testing images, each started once, side by side."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tasks.core import choosing, daemon, process, waiting
from tasks.core.bake.definitions import TESTING, Target
from tasks.core.containers import sandbox
from tasks.core.containers.sandbox import Run
from tasks.core.proofs.passing import PASS
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Verdict
from tasks.core.session import Session
from tasks.core.verifying import policyfile

SHOWN_LINES = 40


def run(
    session: Session, patterns: Sequence[str] = (), jobs: int | None = None
) -> tuple[Verdict, ...]:
    """Start every testing image, whose command runs the service's tests, and wait for its end.

    Whatever ends this, no container of it is left.
    """
    targets = choosing.targets(session, patterns, lambda one: one.stage == TESTING, TESTING)
    if session.dry:
        for target in targets:
            process.note(f"dry run: {target.tags[0]} would be started")
        return ()
    limits = {one.name: policyfile.for_target(session.config, one.name) for one in targets}
    with contextlib.closing(daemon.connect(session.engine)) as client:
        choosing.demand_built(client, targets)
        with (
            ThreadPoolExecutor(jobs or len(targets)) as pool,
            sandbox.run(client, session.settings.project) as current,
        ):
            platform = session.engine.native_platform
            futures = [
                pool.submit(_run, current, one, limits[one.name], platform) for one in targets
            ]
            return tuple(waiting.result(future) for future in futures)


def _run(run: Run, target: Target, policy: Policy, platform: str) -> Verdict:
    from requests.exceptions import ConnectionError as Gone
    from requests.exceptions import ReadTimeout

    limit = policy.tests_seconds
    options = {"detach": True, "network_mode": "none", "init": False}
    sandbox.announce(target.name, "running its tests …")
    began = time.monotonic()
    with run.container(target.name, target.tags[0], options) as container:
        container.start()
        try:
            code = int(container.wait(timeout=limit)["StatusCode"])
            ended = f"exit {code}"
        except (ReadTimeout, Gone):
            code, ended = -1, "still running"
        measured = f"{ended} after {time.monotonic() - began:.1f} s"
        end = [] if code == 0 else sandbox.last_lines(container, SHOWN_LINES)
    if code == 0:
        sandbox.announce(target.name, f"tests passed: {measured}")
    else:
        sandbox.announce(target.name, f"tests failed: {measured}; the end of what they said:")
        for line in end:
            sandbox.announce(target.name, line)
    allowed = f"exit 0 in {limit:g} s"
    message = f"tests passed, {measured}" if code == 0 else f"tests failed, {measured}"
    return PASS.decide(target.name, platform, code == 0, measured, allowed, message)
