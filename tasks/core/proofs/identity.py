"""Proofs on who the processes of a container are, by the kernel's record of every one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.core.containers.processes import Process
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.subject import Subject
from tasks.core.proofs.verdicts import Severity, Verdict

#: Programs that have no business as a container's first process.
SHELLS = ("sh", "bash", "ash", "dash", "zsh", "ksh", "mksh", "csh", "tcsh", "fish", "pwsh")
PACKAGE_MANAGERS = (
    *("npm", "npx", "yarn", "pnpm", "pnpx", "corepack", "bun", "bunx"),
    *("npm-cli.js", "npx-cli.js", "yarn.js", "yarn.cjs", "pnpm.js", "pnpm.cjs", "corepack.js"),
)
#: In the name of the emulator, which stands before a foreign program.
_EMULATORS = ("qemu-", "-binfmt-")
#: seccomp's mode in which a filter decides on each system call.
_FILTERED = 2
_SEEN = (
    "Read from the kernel's record (/proc) of every process, many times from the start to the end; "
    "where the engine is on another machine, through a helper container in the same PID namespace."
)

UIDS = Proof(
    "identity.uids",
    "No process is root",
    Severity.CRITICAL,
    "Root in a container is one flaw of the kernel or the runtime away from root outside.",
    f"{_SEEN} Neither the real, effective, saved nor file-system uid may be 0, at any time. Where "
    "no helper can be had, the engine's `top` tells.",
)
CAPABILITIES = Proof(
    "identity.capabilities",
    "No process has a capability",
    Severity.HIGH,
    "Each is a part of what root may do.",
    f"{_SEEN} The effective and the permitted set are empty.",
)
SECCOMP = Proof(
    "identity.seccomp",
    "Every process has its system calls filtered",
    Severity.MEDIUM,
    "Most ways out of a container begin with a system call that no server needs.",
    f"{_SEEN} Seccomp is in mode 2.",
)
NO_NEW_PRIVILEGES = Proof(
    "identity.no-new-privileges",
    "No process can gain privileges",
    Severity.MEDIUM,
    "A forgotten setuid program cannot be of use to anybody then.",
    f"{_SEEN} NoNewPrivs is 1.",
)
INIT = Proof(
    "identity.init",
    "The first process is neither a shell nor a package manager",
    Severity.MEDIUM,
    "They do not pass the stop signal on, and stay in memory for nothing.",
    "The command line of process 1 once it is ready.",
)
PROOFS = (UIDS, CAPABILITIES, SECCOMP, NO_NEW_PRIVILEGES, INIT)


def prove(
    subject: Subject, seen: Sequence[Process], now: Sequence[Process], filters: bool
) -> Iterator[Verdict]:
    """The verdicts on the processes ``seen`` at any time, of which those of ``now`` are left.

    ``filters`` tells whether the engine can filter system calls at all.
    """
    yield _uids(subject, seen, now)
    with_rights = [one for one in seen if one.capabilities is not None and not one.zombie]
    reason = "the engine's list of processes does not have it" if seen else "no process was seen"
    for proof, allowed, wrong in (
        (CAPABILITIES, "none", _capabilities),
        (SECCOMP, "filtered", _seccomp),
        (NO_NEW_PRIVILEGES, "set", _privileges),
    ):
        if proof is SECCOMP and not filters:
            yield subject.skip(proof, "the engine has no seccomp")
        elif not with_rights:
            yield subject.skip(proof, reason)
        else:
            problems = dict.fromkeys(filter(None, map(wrong, with_rights)))
            good = f"{len({one.pid for one in with_rights})} processes seen"
            yield subject.judge(proof, list(problems), good, allowed)


def _uids(subject: Subject, seen: Sequence[Process], now: Sequence[Process]) -> Verdict:
    if not seen:
        return subject.decide(UIDS, False, "-", "no uid 0", "no process was seen")
    roots = {(one.name, one.uids): one for one in reversed(seen) if 0 in one.uids}
    problems = [
        f"{one.label} has the uids {' '.join(map(str, uids))}"
        for (_, uids), one in reversed(roots.items())  # the first of each name
    ]
    uids = sorted({uid for one in seen for uid in one.uids})
    good = f"{len(now)} processes, uids {', '.join(map(str, uids))}"
    return subject.judge(UIDS, problems, good, "no uid 0")


def _capabilities(one: Process) -> str:
    effective, permitted = one.capabilities or (0, 0)
    if not effective | permitted:
        return ""
    return f"{one.label} has the capabilities {effective:x}, permitted {permitted:x}"


def _seccomp(one: Process) -> str:
    return "" if one.seccomp == _FILTERED else f"{one.label} has seccomp in mode {one.seccomp}"


def _privileges(one: Process) -> str:
    return "" if one.no_new_privileges else f"{one.label} may gain privileges"


def prove_init(subject: Subject, words: Sequence[str]) -> Verdict:
    """The verdict on the first process's command line; () where it could not be read."""
    words = [word.rpartition("/")[2] for word in words[:4]]
    if words and any(part in words[0] for part in _EMULATORS):
        words = words[1:]
    if words[:1] == ["busybox"]:  # it is what its first argument says
        words = words[1:] or words
    if not words:
        return subject.skip(INIT, "the command line of the first process cannot be read")
    name = words[0].removeprefix("-")
    managers = [word for word in words[:3] if word in PACKAGE_MANAGERS]
    problems = [f"{name} is the first process"] if name in SHELLS else []
    if name in PACKAGE_MANAGERS or (managers and name in ("node", "bun")):
        problems.append(f"{managers[0]} is the first process")
    return subject.judge(INIT, problems, name, "the server or a small init")
