"""What is demanded of a target; every key of an entry of ``slipway.policy`` in ``invoke.yaml``."""

from __future__ import annotations

import datetime
from dataclasses import dataclass


@dataclass(frozen=True)
class Accepted:
    """An exception: findings of ``proof`` that match the glob ``match`` pass up to ``expires``.

    Both are globs; ``expires`` is the last day that it counts on.
    """

    proof: str
    match: str
    reason: str
    expires: datetime.date


@dataclass(frozen=True)
class Policy:
    """How a target is started, and the limits it has to keep."""

    #: TCP port it answers on; None: the one port that the image exposes.
    port: int | None = None
    #: Path that answers 200 with JSON when all is well; None: not asked for.
    health: str | None = None
    #: Path that a visitor asks for; must answer below 400.
    page: str | None = "/"
    #: Paths that may be written to (memory); everything else is read-only. Volumes always may.
    writable: tuple[str, ...] = ("/tmp",)  # noqa: S108 - a path inside the container
    #: Variables for the container's environment, "NAME=value".
    environment: tuple[str, ...] = ()
    #: Seconds until it must be healthy.
    healthy_seconds: float = 30.0
    #: Seconds until it must have stopped after its stop signal.
    stop_seconds: float = 10.0
    #: Seconds that its tests may take (testing stages).
    tests_seconds: float = 600.0
    #: Memory it may use, in MiB.
    memory_mib: int = 512
    #: Processes and threads it may have.
    pids: int = 256
    #: TCP ports that may listen beside ``port``.
    other_ports: tuple[int, ...] = ()
    #: Seconds that it is watched after it is ready; it must keep running.
    observe_seconds: float = 1.0
    #: Requests that it must survive, 16 at a time; 0: none are sent.
    burst_requests: int = 100
    #: The application's folders; (): the working directory and what web servers usually serve.
    application: tuple[str, ...] = ()
    #: Uids that files may belong to although /etc/passwd does not know them.
    owners: tuple[int, ...] = ()
    #: Whether the setuid programs that distributions bring along (su, mount …) may be there.
    system_setuid_allowed: bool = True
    #: Whether a shell may be in the image.
    shell_allowed: bool = True
    #: Whether a package manager may be in the image.
    package_manager_allowed: bool = True
    #: Whether each base has to be named by its digest.
    pinned_bases: bool = False
    #: Whether provenance has to be attached.
    provenance: bool = False
    #: Whether an SBOM has to be attached.
    sbom: bool = False
    #: What is pulled, in MiB; for this and all other budgets None means no limit.
    max_compressed_mib: float | None = None
    #: What the layers hold, in MiB.
    max_unpacked_mib: float | None = None
    #: Number of layers.
    max_layers: int | None = None
    #: What later layers replaced or removed, in MiB.
    max_wasted_mib: float | None = None
    #: Seconds until it is ready.
    max_startup_seconds: float | None = None
    #: Memory when nobody asks for anything, in MiB.
    max_idle_mib: float | None = None
    #: Source file that `compare.builds` changes, from the context; None: one is looked for.
    source_file: str | None = None
    #: Text in it, on one line and there once, that it changes; None: a remark is added at the end.
    source_text: str | None = None
    #: File of the dependencies that it changes, from the context; None: one is looked for.
    dependency_file: str | None = None
    #: How much more than in `sizes.lock.json` may be pulled, in percent of it.
    max_growth_percent: float | None = None
    #: The same in MiB.
    max_growth_mib: float | None = None
    #: What may be pulled, in bytes, whatever the lock says.
    max_bytes: int | None = None
    #: Proofs that apply, by id or glob.
    proofs: tuple[str, ...] = ("*",)
    #: Proofs that do not, by id or glob.
    skip: tuple[str, ...] = ()
    #: Findings that are accepted for a while; those of all entries that match a target add up.
    exceptions: tuple[Accepted, ...] = ()
