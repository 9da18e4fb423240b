"""Proofs on a running container: it starts restricted, turns healthy, answers, stops in time."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core import sandbox
from tasks.core.policy import Policy
from tasks.core.sandbox import Run
from tasks.core.verdicts import Status, Verdict

if TYPE_CHECKING:
    from docker.models.containers import Container

ANSWER_LIMIT_BYTES = 64 * 1024
ANSWER_SECONDS = 5.0
GRACEFUL_EXITS = (0, 143)  # 143: ended by SIGTERM itself (128 + 15)
VERSION_LABEL = "org.opencontainers.image.version"
REVISION_LABEL = "org.opencontainers.image.revision"
VERSION_PROOF = "supply-chain.version"
COMMIT_PROOF = "supply-chain.commit"
REPORTED_PROOF = "platforms.reported"
#: What programs call the architecture they run on: Node.js, the kernel, Go.
ARCHITECTURES = {
    "linux/386": ("ia32", "i686", "386"),
    "linux/amd64": ("x64", "x86_64", "amd64"),
    "linux/arm/v6": ("arm", "armv6l"),
    "linux/arm/v7": ("arm", "armv7l"),
    "linux/arm64": ("arm64", "aarch64"),
    "linux/loong64": ("loong64", "loongarch64"),
    "linux/ppc64le": ("ppc64", "ppc64le"),
    "linux/riscv64": ("riscv64",),
    "linux/s390x": ("s390x",),
}
#: Engines whose published ports are on this machine's loopback address.
LOCAL = ("unix://", "npipe://")
#: How long a container without health check and port is watched before it counts as running.
OBSERVED_SECONDS = 1.0
_TCP_PORT = re.compile(r"([0-9]{1,5})/tcp")


@dataclass(frozen=True)
class Subject:
    """What is proven: an image that is in the engine, under the name of its target.

    ``one_of_many``: of an image with several platforms, the one to start.
    """

    target: str
    image: str
    platform: str
    config: Mapping[str, Any]
    policy: Policy
    one_of_many: bool = False
    #: How many times as long as on its own machine everything may take: emulation is slow.
    slowness: int = 1

    @property
    def label(self) -> str:
        """What it is called in progress lines."""
        return f"{self.target} {self.platform}" if self.one_of_many else self.target

    @property
    def port(self) -> int | None:
        """The port of the policy, else the only TCP port that the image exposes."""
        if self.policy.port:
            return self.policy.port
        exposed = [_TCP_PORT.fullmatch(name) for name in self.config.get("ExposedPorts") or ()]
        numbers = [int(found[1]) for found in exposed if found]
        return numbers[0] if len(numbers) == 1 else None

    def verdict(
        self, proof: str, passed: bool | None, measured: str, allowed: str, message: str
    ) -> Verdict:
        """A verdict on this subject; ``passed`` None means skipped."""
        status = Status.SKIPPED if passed is None else Status.PASSED if passed else Status.FAILED
        return Verdict(self.target, self.platform, proof, status, measured, allowed, message)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status 0 and the reason as body when there was none."""

    status: int
    body: bytes


def prove(run: Run, subject: Subject, engine_host: str) -> tuple[Verdict, ...]:
    """Start the image restricted and prove it; the container is gone when this returns."""
    from docker.errors import APIError, ImageNotFound

    options = sandbox.restricted(subject.policy, subject.port)
    if subject.one_of_many:
        options["platform"] = subject.platform
    if subject.slowness > 1:
        options["healthcheck"] = sandbox.patient(subject.config, subject.slowness)
    with contextlib.ExitStack() as stack:
        try:
            container = stack.enter_context(run.container(subject.target, subject.image, options))
            began = time.time()
            container.start()
        except ImageNotFound:
            raise
        except APIError as error:  # also for an image without a command
            reason = str(error.explanation).splitlines()[0]
            message = f"does not start: {reason}"
            return (subject.verdict("runtime.starts", False, reason, "starts", message),)
        return tuple(_all(subject, container, began, engine_host))


def _all(
    subject: Subject, container: Container, began: float, engine_host: str
) -> Iterator[Verdict]:
    ready = _healthy(subject, container, began)
    yield ready
    if ready.status is Status.FAILED:
        return
    sandbox.announce(subject.label, ready.message)
    if not engine_host.startswith(LOCAL):
        reason = "the engine is on another machine: its ports are not asked from here"
        yield subject.verdict("runtime.answers", None, "-", "-", reason)
    else:
        yield from _answers(subject, container)
    yield _no_root(subject, sandbox.uids(container, engine_host))
    yield _stops(subject, container)


def _healthy(subject: Subject, container: Container, began: float) -> Verdict:
    """The image's own health check says yes within the limit; seen by the engine's events."""
    limit = subject.policy.healthy_seconds
    test = (subject.config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    if test[0] == "NONE":
        return _started(subject, container, began)
    state = _wait_for_health(container, began, until=began + limit)
    took = time.time() - began
    measured = f"{state} after {took:.1f} s"
    if state == "healthy":
        return subject.verdict("runtime.healthy", True, measured, f"{limit:g} s", measured)
    message = f"{measured}: {_last_line(container)}"
    return subject.verdict("runtime.healthy", False, measured, f"healthy in {limit:g} s", message)


def _started(subject: Subject, container: Container, began: float) -> Verdict:
    """Without a health check: it must not end by itself, and gets time to answer on its port."""
    limit = subject.policy.healthy_seconds
    port, path = _published(container, subject.port), subject.policy.health or subject.policy.page
    if port is not None and path:
        while time.time() < began + limit and _runs(container) and not fetch(port, path).status:
            time.sleep(0.1)
        ended = not _runs(container)
    else:
        until = time.time() + OBSERVED_SECONDS
        ended = _wait_for_health(container, began, until).startswith("exited")
    if ended:
        measured = f"exited with {container.attrs['State']['ExitCode']}"
        message = f"{measured}: {_last_line(container)}"
        return subject.verdict("runtime.starts", False, measured, "keeps running", message)
    reason = "the image has no health check"
    return subject.verdict("runtime.healthy", None, "-", f"{limit:g} s", reason)


def _runs(container: Container) -> bool:
    container.reload()
    return bool(container.attrs["State"]["Running"])


def _wait_for_health(container: Container, since: float, until: float) -> str:
    """Wait for "healthy" or the end of the container; times in seconds since 1970."""
    client = container.client
    assert client is not None  # noqa: S101 - set by the SDK on every container it returns
    events = client.api.events(
        since=int(since) - 1,
        until=math.ceil(until),
        filters={"container": container.id, "event": ["health_status", "die"]},
        decode=True,
    )
    with contextlib.closing(events):
        for event in events:
            action = str(event.get("Action", ""))
            if action == "die":
                container.reload()
                code = event.get("Actor", {}).get("Attributes", {}).get("exitCode", "?")
                return f"exited with {code}"
            if action == "health_status: healthy":
                return "healthy"
    return "not healthy"


def _answers(subject: Subject, container: Container) -> Iterator[Verdict]:
    port = _published(container, subject.port)
    if port is None:
        yield subject.verdict("runtime.answers", None, "-", "-", "no port: set one in the policy")
        return
    yield from _answers_health(subject, port)
    if subject.policy.page:
        answer = fetch(port, subject.policy.page)
        message = f"GET {subject.policy.page}: {_status(answer)}"
        passed = 200 <= answer.status < 400
        yield subject.verdict("runtime.page", passed, _status(answer), "HTTP 200 to 399", message)


def _answers_health(subject: Subject, port: int) -> Iterator[Verdict]:
    health = subject.policy.health
    if not health:
        reason = "no health path: set one in the policy"
        for proof in ("runtime.health-path", VERSION_PROOF, COMMIT_PROOF):
            yield subject.verdict(proof, None, "-", "-", reason)
        return
    answer = fetch(port, health)
    message = f"GET {health}: {_status(answer)}"
    passed = answer.status == 200
    yield subject.verdict("runtime.health-path", passed, _status(answer), "HTTP 200", message)
    yield from _identity(subject, answer)


def _identity(subject: Subject, answer: Answer) -> Iterator[Verdict]:
    """What runs says that it is what was built: version and commit of the build's labels."""
    labels = subject.config.get("Labels") or {}
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    for proof, key, label in (
        (VERSION_PROOF, "version", VERSION_LABEL),
        (COMMIT_PROOF, "commit", REVISION_LABEL),
    ):
        expected = labels.get(label)
        if expected is None:
            yield subject.verdict(proof, None, "-", "-", f"the image has no label {label}")
            continue
        found = said.get(key) if isinstance(said, dict) else None
        same = found == expected
        message = f"{key} {str(found)[:20]}" if same else f"{key} is {found}, not {expected}"
        yield subject.verdict(proof, found == expected, str(found), str(expected), message)
    if isinstance(said, dict) and "arch" in said:
        yield _reported(subject, str(said["arch"]))


def _reported(subject: Subject, arch: str) -> Verdict:
    """The architecture that the program itself finds itself on, by anybody's name for it."""
    names = ARCHITECTURES.get(subject.platform)
    if names is None:
        reason = f"what programs call {subject.platform} is not known"
        return subject.verdict(REPORTED_PROOF, None, arch, "-", reason)
    passed = arch in names
    message = f"runs on {arch}" if passed else f"runs on {arch}, not on {subject.platform}"
    return subject.verdict(REPORTED_PROOF, passed, arch, " or ".join(names), message)


def _no_root(subject: Subject, uids: Mapping[int, tuple[int, ...]]) -> Verdict:
    """No process has 0 among its real, effective, saved and file-system uid."""
    roots = [pid for pid, ids in uids.items() if 0 in ids]
    seen = sorted({uid for ids in uids.values() for uid in ids})
    measured = f"{len(uids)} processes, uids {', '.join(map(str, seen))}"
    if not uids:
        return subject.verdict("identity.uids", False, measured, "no uid 0", "no process was seen")
    message = f"{len(roots)} of {len(uids)} processes run as root" if roots else measured
    return subject.verdict("identity.uids", not roots, measured, "no uid 0", message)


def _stops(subject: Subject, container: Container) -> Verdict:
    """The stop signal of the image leads to a clean exit within the limit."""
    limit = subject.policy.stop_seconds
    if not _runs(container):
        ended = f"ended by itself with {container.attrs['State']['ExitCode']}"
        return subject.verdict("runtime.stops", False, ended, "runs until it is stopped", ended)
    began = time.monotonic()
    container.stop(timeout=math.ceil(limit))
    took = time.monotonic() - began
    code = int(container.wait(timeout=limit + 30)["StatusCode"])
    measured = f"exit {code} after {took:.1f} s"
    allowed = f"exit 0 or 143 in {limit:g} s"
    passed = code in GRACEFUL_EXITS and took <= limit
    message = f"stopped with {measured}" if passed else f"not graceful: {measured}"
    return subject.verdict("runtime.stops", passed, measured, allowed, message)


def fetch(port: int, path: str) -> Answer:
    """GET ``path`` on the loopback address; never raises for an answer that does not come."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return Answer(response.status, response.read(ANSWER_LIMIT_BYTES))
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, f"{type(error).__name__}: {error}".encode())
    finally:
        connection.close()


def _published(container: Container, port: int | None) -> int | None:
    container.reload()
    bindings = container.ports.get(f"{port}/tcp") or []
    return int(bindings[0]["HostPort"]) if bindings else None


def _status(answer: Answer) -> str:
    return f"HTTP {answer.status}" if answer.status else answer.body.decode(errors="replace")


def _last_line(container: Container) -> str:
    lines = sandbox.last_lines(container, 20)
    return lines[-1].strip()[:200] if lines else "it logged nothing"
