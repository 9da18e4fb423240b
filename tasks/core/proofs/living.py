"""Proofs on a container that is left alone: it stays, listens where it should, and reaps."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks.core.containers.watching import Watch
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.subject import Subject
from tasks.core.proofs.verdicts import Severity, Verdict

if TYPE_CHECKING:
    from docker.models.containers import Container

MIB = 2**20
PACE_SECONDS = 0.25
#: Between two looks at what has ended: a parent needs a moment to take notice.
REAPING_SECONDS = 0.2

PORTS = Proof(
    "runtime.ports",
    "Listens on its own port only",
    Severity.HIGH,
    "A second port, a debugger's or a metrics server's, is a second way in.",
    "The kernel's tables of the container's network, TCP over IPv4 and IPv6, from the start to the "
    "end. Allowed are the policy's `port`, or else what the image exposes, and `other_ports`.",
)
STAYS = Proof(
    "runtime.stays",
    "Keeps running",
    Severity.HIGH,
    "Some servers get ready and then fail: at the first timer, at the first memory peak.",
    "Watched for the policy's `observe_seconds` after it is ready, and again after the burst: no "
    "end, no restart, no process killed for lack of memory, no health check that says no.",
)
ZOMBIES = Proof(
    "runtime.zombies",
    "Leaves no zombie process",
    Severity.MEDIUM,
    "Each takes a number of the process limit until none can be started any more.",
    "The kernel's record after the burst, twice 0.2 s apart: who is a zombie both times.",
)
MEMORY = Proof(
    "budget.memory",
    "Takes no more memory than allowed when idle",
    Severity.LOW,
    "It is paid for around the clock.",
    "The control group's use after the observation time, less the file cache it can give back.",
)
PROOFS = (PORTS, STAYS, ZOMBIES, MEMORY)


def observe(subject: Subject, container: Container) -> list[str]:
    """Watch it for the policy's time from now on; what went wrong, at once when it has."""
    container.reload()
    before = container.attrs["State"]
    until = time.monotonic() + subject.policy.observe_seconds
    while True:
        problems = trouble(container, before)
        left = until - time.monotonic()
        if problems or left <= 0:
            return problems
        time.sleep(min(PACE_SECONDS, left))


def trouble(container: Container, before: Mapping[str, Any]) -> list[str]:
    """What is wrong now; ``before`` is the state of when it was ready."""
    container.reload()
    return changes(before, container.attrs["State"])


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is wrong in a state, compared with an earlier one; as the engine's inspect has them."""
    found = []
    if now.get("OOMKilled"):
        found.append("a process was killed for lack of memory")
    if not now.get("Running"):
        found.append(f"exited with {now.get('ExitCode')}")
    elif now.get("StartedAt") != before.get("StartedAt"):
        found.append("was restarted")
    if (now.get("Health") or {}).get("Status") == "unhealthy":
        found.append("the engine's health check says unhealthy")
    return found


def prove_stays(subject: Subject, problems: list[str]) -> Verdict:
    """The verdict on what was observed."""
    seconds = f"{subject.policy.observe_seconds:g} s"
    return subject.judge(STAYS, problems, f"ran on for {seconds}", f"runs on for {seconds}")


def prove_ports(subject: Subject, listening: frozenset[int] | None) -> Verdict:
    """The verdict on the ports that ever listened; None where that could not be seen."""
    if listening is None:
        return subject.skip(PORTS, "what listens cannot be seen from here")
    own = (subject.policy.port,) if subject.policy.port else subject.exposed
    allowed = {*own, *subject.policy.other_ports}
    names = ", ".join(map(str, sorted(allowed))) or "none"
    problems = [f"port {port} listens" for port in sorted(listening - allowed)]
    good = f"port {', '.join(map(str, sorted(listening)))}" if listening else "no port listens"
    return subject.judge(PORTS, problems, good, names)


def prove_zombies(subject: Subject, watch: Watch) -> Verdict:
    """The verdict on who stays a zombie."""
    first = watch.fresh()
    if not first:
        return subject.skip(ZOMBIES, "no process can be seen any more")
    if any(one.zombie is None for one in first):
        return subject.skip(ZOMBIES, "the engine's list of processes has no zombies in it")
    time.sleep(REAPING_SECONDS)
    dead = {one.pid for one in first if one.zombie}
    problems = [one.label for one in watch.fresh() if one.zombie and one.pid in dead]
    return subject.judge(ZOMBIES, problems, f"none of {len(first)} processes", "none")


def idle_bytes(container: Container) -> int | None:
    """What it uses now, less the cache of files that nobody uses; None where nobody counts it."""
    stats = container.stats(stream=False, one_shot=True)
    return used_bytes(stats.get("memory_stats") or {}) if isinstance(stats, dict) else None


def used_bytes(memory: Mapping[str, Any]) -> int | None:
    """The same of the engine's statistics, whose names differ between control groups v2 and v1."""
    if "usage" not in memory:
        return None
    kinds = memory.get("stats") or {}
    cache = kinds.get("inactive_file", kinds.get("total_inactive_file", 0))
    return max(0, int(memory["usage"]) - int(cache))


def prove_memory(subject: Subject, used: int | None) -> Verdict:
    """The verdict on the memory ``used``, in bytes."""
    limit = subject.policy.max_idle_mib
    if used is None:
        return subject.skip(MEMORY, "the engine does not count memory")
    measured = f"{used / MIB:.1f} MiB"
    if subject.slowness > 1:
        return subject.skip(MEMORY, "the emulator's memory is in it", measured)
    if limit is None:
        return subject.skip(MEMORY, f"{measured}; the policy sets no limit", measured)
    passed = used <= limit * MIB
    message = f"{measured} when idle" + ("" if passed else f", allowed are {limit:g} MiB")
    return subject.decide(MEMORY, passed, measured, f"{limit:g} MiB", message)
