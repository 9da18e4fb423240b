"""What is started and asked: an image, its container's port, and the answers that come back."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core import process, untrusted
from tasks.core.containers import sandbox
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Verdict

if TYPE_CHECKING:
    from docker.models.containers import Container

ANSWER_LIMIT_BYTES = 64 * 1024
ANSWER_SECONDS = 5.0
#: Engines whose published ports are on this machine's loopback address.
LOCAL = ("unix://", "npipe://")
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
    def exposed(self) -> tuple[int, ...]:
        """The TCP ports that the image exposes."""
        names = [_TCP_PORT.fullmatch(str(name)) for name in self.config.get("ExposedPorts") or ()]
        return tuple(int(found[1]) for found in names if found)

    @property
    def port(self) -> int | None:
        """The port of the policy, else the only TCP port that the image exposes."""
        if self.policy.port:
            return self.policy.port
        return self.exposed[0] if len(self.exposed) == 1 else None

    @property
    def asked(self) -> str | None:
        """The path that is asked again and again: the cheapest that there is."""
        return self.policy.health or self.policy.page

    @property
    def answer_seconds(self) -> float:
        """How long one answer may take."""
        return ANSWER_SECONDS * self.slowness

    def judge(self, proof: Proof, problems: Sequence[str], passed: str, allowed: str) -> Verdict:
        """`Proof.judge` on this subject."""
        return proof.judge(self.target, self.platform, problems, passed, allowed)

    def decide(
        self, proof: Proof, passed: bool, measured: str, allowed: str, message: str
    ) -> Verdict:
        """`Proof.decide` on this subject."""
        return proof.decide(self.target, self.platform, passed, measured, allowed, message)

    def skip(self, proof: Proof, reason: str, measured: str = "-") -> Verdict:
        """`Proof.skip` on this subject."""
        return proof.skip(self.target, self.platform, reason, measured)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status 0 and the reason as body when there was none, or not all of it."""

    status: int
    body: bytes

    def __str__(self) -> str:
        if self.status:
            return f"HTTP {self.status}"
        return untrusted.shown(self.body.decode(errors="replace"), 200)


def fetch(port: int, path: str, seconds: float = ANSWER_SECONDS) -> Answer:
    """GET ``path`` on the loopback address; never raises for an answer that does not come.

    ``seconds`` is how long nothing may arrive.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return received(connection.getresponse(), seconds)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, reason(error))
    finally:
        connection.close()


def received(response: http.client.HTTPResponse, seconds: float) -> Answer:
    """The answer as far as it is looked at; one that is cut or has no end in time is none."""
    body, until = b"", time.monotonic() + seconds
    while piece := response.read1(ANSWER_LIMIT_BYTES - len(body)):
        body += piece
        if time.monotonic() > until:
            return Answer(0, f"HTTP {response.status}, but no end after {seconds:g} s".encode())
        if len(body) == ANSWER_LIMIT_BYTES:
            return Answer(response.status, body)
    if response.length:
        missing = f"HTTP {response.status}, but {response.length} bytes of the answer are missing"
        return Answer(0, missing.encode())
    return Answer(response.status, body)


def reason(error: Exception) -> bytes:
    """Why no answer came, as the body of one."""
    return f"{type(error).__name__}: {error}".encode(errors="replace")


def published(container: Container, port: int | None) -> int | None:
    """This machine's number for a port of the container."""
    container.reload()
    bindings = container.ports.get(f"{port}/tcp") or []
    return int(bindings[0]["HostPort"]) if bindings else None


def runs(container: Container) -> bool:
    """Whether it runs now."""
    container.reload()
    return bool(container.attrs["State"]["Running"])


def last_line(container: Container) -> str:
    """The last line that it logged, fit to be shown."""
    lines = sandbox.last_lines(container, 20)
    return process.plain(lines[-1].strip())[:200] if lines else "it logged nothing"
