"""Containers that Slipway starts: as restricted as production, labelled, and always removed."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.core import process
from tasks.core.bake.overlay import PROJECT_LABEL
from tasks.core.containers import owners
from tasks.core.errors import Interrupted, OutOfReach
from tasks.core.proofs.policy import Policy

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

RUN_LABEL = "dev.slipway.run"
TARGET_LABEL = "dev.slipway.target"
#: How long the end of a run waits for an engine that went away: one that is restarted is back soon.
BACK_SECONDS = 10.0
POLL_SECONDS = 0.5
#: What folders in memory are mounted with.
MEMORY_OPTIONS = "noexec,nosuid,size=64m,mode=1777"


@dataclass(frozen=True)
class Run:
    """One run of a task that starts containers; its id is the label they are found by."""

    client: DockerClient
    project: str
    id: str
    owner: str = field(default_factory=owners.mine)
    _ending: threading.Event = field(default_factory=threading.Event)

    def labels(self, target: str) -> dict[str, str]:
        """What every container of this run carries."""
        return {
            PROJECT_LABEL: self.project,
            RUN_LABEL: self.id,
            TARGET_LABEL: target,
            owners.LABEL: self.owner,
        }

    @contextmanager
    def container(self, target: str, image: str, options: Mapping[str, Any]) -> Iterator[Container]:
        """A container that was created, not started; removed with its volumes at the end."""
        self._check()
        made = self.client.containers.create(image, labels=self.labels(target), **options)
        try:
            self._check()  # the end may have come while the engine made it
            yield made
        finally:
            remove(made)

    def end(self) -> None:
        """Start nothing more, and remove what there is: threads that wait for it then end too.

        Raises OutOfReach when the engine went away and is not back within BACK_SECONDS.
        """
        self._ending.set()
        try:
            self._clear()
        except KeyboardInterrupt:  # there is no second one, see `command.boundary`
            self._clear()
            raise

    def _check(self) -> None:
        if self._ending.is_set():
            raise Interrupted("interrupted")

    def _clear(self) -> None:
        from requests.exceptions import RequestException

        mine: dict[str, Any] = {"label": f"{RUN_LABEL}={self.id}"}
        until = time.monotonic() + BACK_SECONDS
        while True:
            try:
                for left in self.client.containers.list(
                    all=True, filters=mine, ignore_removed=True
                ):
                    remove(left)
                return
            except RequestException:
                if time.monotonic() > until:
                    raise OutOfReach(
                        "the engine does not answer any more (see: inv engine.status); containers "
                        "that it still holds are removed by the next run, or by: inv "
                        "clean.containers"
                    ) from None
            time.sleep(POLL_SECONDS)


@contextmanager
def run(client: DockerClient, project: str) -> Iterator[Run]:
    """A run; whatever happens inside, no container of it is left.

    What earlier ones left that were killed is removed first.
    """
    sweep(client, project)
    current = Run(client, project, secrets.token_hex(6))
    try:
        yield current
    finally:
        current.end()


def sweep(client: DockerClient, project: str) -> None:
    """Remove the project's containers whose process has ended without removing them."""
    labels = [f"{PROJECT_LABEL}={project}", RUN_LABEL, owners.LABEL]
    for entry in client.api.containers(all=True, filters={"label": labels}):
        if owners.is_gone(entry["Labels"][owners.LABEL]):
            left = client.containers.prepare_model(entry)
            remove(left)
            process.note(f"removed container {left.short_id}: the run that started it was killed")


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
        "tmpfs": dict.fromkeys(policy.writable, f"rw,{MEMORY_OPTIONS}"),
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


def last_lines(container: Container, count: int) -> list[str]:
    """The last lines it logged, without what could steer the terminal they are shown on."""
    text = container.logs(tail=count).decode(errors="replace")
    return [process.plain(line) for line in text.strip().splitlines()]


def announce(target: str, message: str) -> None:
    """One line of progress about a target."""
    process.note(f"  {target}: {message}")
