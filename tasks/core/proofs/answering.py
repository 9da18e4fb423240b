"""Proofs on what a running container answers: health, page, and who it says it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tasks.core import untrusted
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.subject import Answer, Subject, fetch
from tasks.core.proofs.verdicts import Severity, Verdict

VERSION_LABEL = "org.opencontainers.image.version"
REVISION_LABEL = "org.opencontainers.image.revision"
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
_ASKED = "Asked at the published port on the loopback address, once it is ready."

HEALTH_PATH = Proof(
    "runtime.health-path",
    "The health path answers 200",
    Severity.HIGH,
    "A health check inside the container can say yes while nobody outside gets an answer.",
    f"{_ASKED} The path is the policy's `health`.",
)
PAGE = Proof(
    "runtime.page",
    "The page answers",
    Severity.HIGH,
    "Healthy is not yet of use to a visitor.",
    f"{_ASKED} The path is the policy's `page`; any status from 200 to 399.",
)
VERSION = Proof(
    "supply-chain.version",
    "It runs as the version that it is labelled with",
    Severity.MEDIUM,
    "A stale layer or a wrong tag shows only in what the program itself says.",
    f"The health answer's `version` is compared with the label {VERSION_LABEL}.",
)
COMMIT = Proof(
    "supply-chain.commit",
    "It runs the commit that it is labelled with",
    Severity.MEDIUM,
    "Whoever looks for a fault has to know which source runs.",
    f"The health answer's `commit` is compared with the label {REVISION_LABEL}.",
)
REPORTED = Proof(
    "platforms.reported",
    "It finds itself on its own platform",
    Severity.HIGH,
    "A program of another architecture runs where emulation is set up, ten times slower.",
    "The health answer's `arch` is compared with the image's platform.",
)
PROOFS = (HEALTH_PATH, PAGE, VERSION, COMMIT, REPORTED)


def prove(subject: Subject, port: int) -> Iterator[Verdict]:
    """The verdicts on what comes from this machine's ``port``."""
    yield from _health(subject, port)
    if subject.policy.page:
        answer = fetch(port, subject.policy.page, subject.answer_seconds)
        message = f"GET {subject.policy.page}: {answer}"
        passed = 200 <= answer.status < 400
        yield subject.decide(PAGE, passed, str(answer), "HTTP 200 to 399", message)


def skip(subject: Subject, reason: str) -> Iterator[Verdict]:
    """The same where nobody can be asked, for ``reason``."""
    for proof in (HEALTH_PATH, PAGE, VERSION, COMMIT):
        yield subject.skip(proof, reason)


def _health(subject: Subject, port: int) -> Iterator[Verdict]:
    health = subject.policy.health
    if not health:
        for proof in (HEALTH_PATH, VERSION, COMMIT):
            yield subject.skip(proof, "no health path: set one in the policy")
        return
    answer = fetch(port, health, subject.answer_seconds)
    passed = answer.status == 200
    message = f"GET {health}: {answer}"
    yield subject.decide(HEALTH_PATH, passed, str(answer), "HTTP 200", message)
    yield from _itself(subject, answer)


def _itself(subject: Subject, answer: Answer) -> Iterator[Verdict]:
    """What runs says that it is what was built: version and commit of the build's labels."""
    labels = subject.config.get("Labels") or {}
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    for proof, key, label in (
        (VERSION, "version", VERSION_LABEL),
        (COMMIT, "commit", REVISION_LABEL),
    ):
        expected = labels.get(label)
        if expected is None:
            yield subject.skip(proof, f"the image has no label {label}")
            continue
        found = said.get(key) if isinstance(said, dict) else None
        shown, wanted = untrusted.shown(str(found), 60), untrusted.shown(str(expected), 60)
        same = found == expected
        message = f"{key} {shown[:20]}" if same else f"{key} is {shown}, not {wanted}"
        yield subject.decide(proof, same, shown, wanted, message)
    if isinstance(said, dict) and "arch" in said:
        yield reported(subject, str(said["arch"]))


def reported(subject: Subject, arch: str) -> Verdict:
    """The architecture that the program itself finds itself on, by anybody's name for it."""
    names = ARCHITECTURES.get(subject.platform)
    shown = untrusted.shown(arch, 60)
    if names is None:
        reason = f"what programs call {subject.platform} is not known"
        return subject.skip(REPORTED, reason, shown)
    passed = arch in names
    message = f"runs on {shown}" if passed else f"runs on {shown}, not on {subject.platform}"
    return subject.decide(REPORTED, passed, shown, " or ".join(names), message)
