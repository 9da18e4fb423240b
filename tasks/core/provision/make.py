"""Make look-alikes: root file systems side by side, then one image a platform, then the index."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core import process
from tasks.core.engine import Engine
from tasks.core.errors import OutOfReach
from tasks.core.provision import (
    apt,
    assemble,
    layers,
    machine,
    nodejs,
    registry,
    rootfs,
)
from tasks.core.provision import home as homes
from tasks.core.provision.home import Home
from tasks.core.provision.layers import Entry
from tasks.core.provision.recipes import Recipe
from tasks.core.provision.references import Reference
from tasks.core.provision.rootfs import Rootfs

OVERLAYS = Path(__file__).with_name("overlays")


@dataclass(frozen=True)
class Job:
    """One platform of one look-alike."""

    reference: Reference
    recipe: Recipe
    platform: str


@dataclass(frozen=True)
class Workshop:
    """What the steps of one run share."""

    home: Home
    engine: Engine
    registry: str
    archive: apt.Archive
    work: Path
    epoch: int

    @property
    def native(self) -> str:
        """The machine's own platform, whose programs run without emulation."""
        return apt.native_platform()


def make(engine: Engine, location: str, jobs: Sequence[Job]) -> None:
    """Make every job's image and push it to the registry at ``location``.

    Call it under the lock. Raises OutOfReach, naming the platform, when packages cannot be had.
    """
    home = homes.current()
    homes.sweep(home, "bases")
    machine.install(rootfs.missing_programs([job.recipe for job in jobs]))
    archive = machine.archive()
    with homes.workspace(home, "bases") as work, homes.usable(home.root):
        shop = Workshop(home, engine, location, archive, work, _midnight())
        suites = _rootfs(shop, jobs)
        contexts = [_context(shop, job, suites[_key(job)]) for job in jobs]
        _push(shop, jobs, contexts)
    for reference in dict.fromkeys(job.reference for job in jobs):
        _join(shop, reference)


def _midnight() -> int:
    """The date of everything made today, so that making it again changes no digest needlessly."""
    today = datetime.datetime.now(datetime.UTC).date()
    return int(datetime.datetime.combine(today, datetime.time(), datetime.UTC).timestamp())


def _key(job: Job) -> str:
    """Jobs of one key share a root file system."""
    parts = (job.recipe.family, job.recipe.flavour, job.recipe.suites[0], job.platform)
    return "-".join(parts).replace("/", "-")


def _rootfs(shop: Workshop, jobs: Sequence[Job]) -> dict[str, str]:
    """Make the root file systems, and download Node.js beside it. Returns key -> suite used."""
    wanted = {_key(job): job for job in jobs if job.recipe.family != "distroless"}
    made = {_key(job): "" for job in jobs}
    downloads = _downloads(shop, jobs)
    while downloads or any(not made[key] for key in wanted):
        todo = [_next_try(shop, wanted[key], made) for key in wanted if not made[key]]
        commands = [rootfs.command(one, shop.archive, shop.native) for one in todo]
        done = _together(shop, [*downloads, *commands])
        _check(done[: len(downloads)])
        for one, result in zip(todo, done[len(downloads) :], strict=True):
            key = one.target.stem
            if result.returncode == 0:
                made[key] = one.suite
            else:
                _give_up_or_note(shop, wanted[key], one, result.reason())
        downloads = []
    return made


