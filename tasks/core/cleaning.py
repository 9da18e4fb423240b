"""Find and remove what Slipway made for one project; whatever else is there stays.

Images go by the project's label. Containers inherit the labels of their image, so for them the
label of a run is asked for too: a container that somebody started by hand from our image is theirs.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core import daemon, process
from tasks.core.bake.overlay import PROJECT_LABEL
from tasks.core.containers.sandbox import RUN_LABEL
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.render import output, tables
from tasks.core.session import Session

if TYPE_CHECKING:
    from docker import DockerClient

TIMEOUT_SECONDS = 300
#: What the engine says when somebody else was faster.
GONE = ("no such image", "no such container", "is already in progress")


@dataclass(frozen=True)
class Item:
    """One container or image, and what of it is shown. ``kept`` says why it is not removed."""

    kind: str
    id: str
    names: tuple[str, ...]
    detail: str
    created: int
    kept: str | None = None

    @property
    def short_id(self) -> str:
        """The id as the docker program shows it."""
        return self.id.removeprefix("sha256:")[:12]


def clean(session: Session, *, containers: bool, images: bool, yes: bool) -> None:
    """Remove the project's containers, its images, or both, after showing them and asking.

    Raises UsageError without a terminal to ask on, OutOfReach for what could not be removed.
    """
    with contextlib.closing(daemon.connect(session.engine)) as client:
        items = find(client, session.settings.project, containers=containers, images=images)
    doomed = [item for item in items if item.kept is None]
    tell = process.note if session.dry else output.emit
    if items:
        tell(render(items, int(time.time())))
    if not doomed:
        tell(f"Nothing to remove for project {session.settings.project}.")
        return
    commands = [remove_command(session.engine.docker, item) for item in doomed]
    if session.dry:
        for command in commands:
            process.would_run(command)
    elif yes or _agreed(len(doomed)):
        _remove(commands, session.engine.environment)
        output.emit(f"Removed: {_summary(doomed)}.")
    else:
        process.note("nothing was removed")


def find(client: DockerClient, project: str, *, containers: bool, images: bool) -> tuple[Item, ...]:
    """What the project left in the engine: first containers, then images, youngest first."""
    running = client.api.containers(all=True)
    found: list[Item] = []
    if containers:
        found += own_containers(running, project)
    if images:
        label = {"label": f"{PROJECT_LABEL}={project}"}
        leaving = frozenset(item.id for item in found)
        found += own_images(client.api.images(filters=label), running, leaving)
    return tuple(found)


def own_containers(listed: Sequence[Mapping[str, Any]], project: str) -> list[Item]:
    """The containers that a run of this project started, of all that the engine lists."""
    items = [
        Item("container", entry["Id"], _names(entry), entry["Status"], entry["Created"])
        for entry in listed
        if _labels(entry).get(PROJECT_LABEL) == project and RUN_LABEL in _labels(entry)
    ]
    return sorted(items, key=lambda item: -item.created)


def own_images(
    listed: Sequence[Mapping[str, Any]],
    containers: Sequence[Mapping[str, Any]],
    leaving: frozenset[str],
) -> list[Item]:
    """The images of ``listed``; one that a container needs is kept, unless that is ``leaving``."""
    users: dict[str, str] = {}
    for container in containers:
        if container["Id"] not in leaving:
            users[container["ImageID"]] = ", ".join(_names(container)) or container["Id"][:12]
    items = [
        Item(
            kind="image",
            id=entry["Id"],
            names=tuple(entry.get("RepoTags") or ()),
            detail=tables.mib(entry["Size"]) or "",
            created=entry["Created"],
            kept=f"used by container {users[entry['Id']]}" if entry["Id"] in users else None,
        )
        for entry in listed
    ]
    return sorted(items, key=lambda item: -item.created)


def remove_command(docker: str, item: Item) -> tuple[str, ...]:
    """The command that removes ``item``: an image by all of its tags, or by id if it has none."""
    if item.kind == "container":
        return (docker, "rm", "--force", "--volumes", item.id)
    return (docker, "image", "rm", *(item.names or (item.id,)))


def render(items: Sequence[Item], now: int) -> str:
    """What would go and what stays; ``now`` in seconds since 1970."""
    headers = ["what", "id", "name", "size or state", "age", ""]
    rows = [
        [
            item.kind,
            item.short_id,
            "\n".join(item.names) or None,
            item.detail,
            age(now - item.created),
            "remove" if item.kept is None else f"keep: {item.kept}",
        ]
        for item in items
    ]
    return tables.table(headers, rows)


def age(seconds: int) -> str:
    """How long ago, in the largest unit that fits."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on: add --yes to remove what is listed")
    sys.stderr.write(f"Remove {count} of them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _remove(commands: Sequence[tuple[str, ...]], environment: Mapping[str, str]) -> None:
    """Run all commands, whatever becomes of each; then report the first that failed for good."""
    done = [
        process.read(command, env=environment, check=False, timeout=TIMEOUT_SECONDS)
        for command in commands
    ]
    failed = [each for each in done if each.returncode != 0 and not is_gone(each.stderr)]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise OutOfReach(f"{process.shown(failed[0].argv)}: {failed[0].reason()}{more}")


def is_gone(stderr: str) -> bool:
    """Whether all that a removal had to complain about is that it was done already."""
    complaints = [line.lower() for line in stderr.splitlines() if "error" in line.lower()]
    return bool(complaints) and all(any(reason in line for reason in GONE) for line in complaints)


def _summary(items: Sequence[Item]) -> str:
    counts = {kind: sum(item.kind == kind for item in items) for kind in ("container", "image")}
    return " and ".join(
        f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items() if count
    )


def _names(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name.lstrip("/") for name in entry.get("Names") or ())


def _labels(entry: Mapping[str, Any]) -> Mapping[str, str]:
    return entry.get("Labels") or {}
