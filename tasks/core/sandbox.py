"""Containers that Slipway starts: as restricted as production, labelled, and always removed."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core import process
from tasks.core.errors import Interrupted
from tasks.core.overlay import PROJECT_LABEL
from tasks.core.policy import Policy

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

RUN_LABEL = "dev.slipway.run"
TARGET_LABEL = "dev.slipway.target"


@dataclass(frozen=True)
class Run:
    """One run of a task that starts containers; its id is the label they are found by."""

    client: DockerClient
    project: str
    id: str
    _ending: threading.Event = field(default_factory=threading.Event)

    def labels(self, target: str) -> dict[str, str]:
        """What every container of this run carries."""
        return {PROJECT_LABEL: self.project, RUN_LABEL: self.id, TARGET_LABEL: target}

    @contextmanager
    def container(self, target: str, image: str, options: Mapping[str, Any]) -> Iterator[Container]:
        """A container that was created, not started; removed with its volumes at the end."""
        if self._ending.is_set():
            raise Interrupted("interrupted")
        made = self.client.containers.create(image, labels=self.labels(target), **options)
        try:
            yield made
        finally:
            remove(made)

    def end(self) -> None:
        """Start nothing more, and remove what there is: threads that wait for it then end too."""
        self._ending.set()
        mine: dict[str, Any] = {"label": f"{RUN_LABEL}={self.id}"}
        for left in self.client.containers.list(all=True, filters=mine, ignore_removed=True):
            remove(left)


@contextmanager
def run(client: DockerClient, project: str) -> Iterator[Run]:
    """A run; whatever happens inside, no container of it is left."""
    current = Run(client, project, secrets.token_hex(6))
    try:
        yield current
    finally:
        current.end()


def remove(container: Container) -> None:
    """Remove a container with its anonymous volumes; one that is gone already is fine."""
    from docker.errors import APIError, NotFound

    try:
        container.remove(force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != 409:  # another thread is removing it at this very moment
            raise


def restricted(policy: Policy, port: int | None) -> dict[str, Any]:
    """Options of the Docker SDK for a container as production should run it.

    Read-only root, no capabilities, no new privileges, limits on memory and processes; the port is
    published on the loopback address at a number that the engine finds free.
    """
    return {
        "detach": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": dict.fromkeys(policy.writable, "rw,noexec,nosuid,size=64m,mode=1777"),
        "environment": list(policy.environment),
        "mem_limit": f"{policy.memory_mib}m",
        "pids_limit": policy.pids,
        "ports": {f"{port}/tcp": ("127.0.0.1", None)} if port else {},
    }


def patient(config: Mapping[str, Any], factor: int) -> dict[str, Any] | None:
    """The health check of an image with ``factor`` times its timeout; None without one.

    Its own limits are meant for the processor it was built for: under emulation the check would
    be ended before it could answer. Durations are nanoseconds; 0 means the engine's 30 s.
    """
    check = config.get("Healthcheck")
    if not isinstance(check, Mapping) or not check.get("Test"):
        return None
    names = {"Interval": "interval", "StartPeriod": "start_period", "Retries": "retries"}
    kept = {ours: check[theirs] for theirs, ours in names.items() if check.get(theirs)}
    return {"test": check["Test"], **kept, "timeout": (check.get("Timeout") or 30 * 10**9) * factor}


def uids(container: Container, engine_host: str) -> dict[int, tuple[int, ...]]:
    """Real, effective, saved and file-system uid of every process in a container, by pid.

    The kernel's own record: /proc of this machine where the engine runs on it, else what the
    engine's ``top`` reads from the same record on its machine. Nothing when it has ended.
    """
    from docker.errors import APIError

    if engine_host.startswith("unix://"):
        found = dict(_uids_from_proc(str(container.id)))
        if found:
            return found
    try:
        top = container.top(ps_args="-eo pid,ruid,euid,suid,fuid")
    except APIError as error:
        if error.status_code == 409:  # not running
            return {}
        raise
    rows = top["Processes"] or []
    return {int(row[0]): tuple(int(word) for word in row[1:5]) for row in rows}


def _uids_from_proc(container_id: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Pid and uids of each process in the container's control group: exec'd ones are in it too.

    Finds nothing where the containers run on another machine, as with Docker Desktop.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if container_id in (folder / "cgroup").read_text():
                status = (folder / "status").read_text(errors="replace")
                yield int(folder.name), inner_uids(status, (folder / "uid_map").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked


def inner_uids(status: str, uid_map: str) -> tuple[int, ...]:
    """The four uids of a /proc/<pid>/status as the process itself sees them.

    With a rootless engine, or remapped users, root in the container is another uid out here.
    ``uid_map`` has lines of: first uid inside, first uid outside, how many.
    """
    line = next(line for line in status.splitlines() if line.startswith("Uid:"))
    ranges = [tuple(int(word) for word in row.split()) for row in uid_map.splitlines() if row]

    def inside(uid: int) -> int:
        for inner, outer, count in ranges:
            if outer <= uid < outer + count:
                return inner + uid - outer
        return uid

    return tuple(inside(int(word)) for word in line.split()[1:5])


def last_lines(container: Container, count: int) -> list[str]:
    """The last lines it logged, without what could steer the terminal they are shown on."""
    text = container.logs(tail=count).decode(errors="replace")
    return [process.plain(line) for line in text.strip().splitlines()]


def announce(target: str, message: str) -> None:
    """One line of progress about a target."""
    process.note(f"  {target}: {message}")
