"""Make look-alikes: root file systems side by side, then one image a platform, then the index."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.process import Completed
from tasks.core.provision import (
    apt,
    assemble,
    layers,
    machine,
    nodejs,
    oci,
    registry,
    rootfs,
    tools,
    trees,
)
from tasks.core.provision import home as homes
from tasks.core.provision.home import Home
from tasks.core.provision.layers import Entry
from tasks.core.provision.recipes import Recipe
from tasks.core.provision.references import Reference
from tasks.core.provision.rootfs import Rootfs

#: For each image: its root file system as a tar file, and its layers in the registry.
ROOM_BYTES = 600 * 2**20
OVERLAYS = Path(__file__).with_name("overlays")


@dataclass(frozen=True)
class Job:
    """One platform of one look-alike."""

    reference: Reference
    recipe: Recipe
    platform: str


@dataclass(frozen=True)
class Image:
    """What a job's image is put together from: the suite that served, and its layers' tar files."""

    job: Job
    suite: str
    tars: tuple[Path, ...]


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
    homes.need_room(home, ROOM_BYTES * len(jobs))
    machine.install(rootfs.missing_programs([job.recipe for job in jobs]))
    archive = machine.archive()
    with homes.workspace(home, "bases") as work, homes.usable(home.root):
        shop = Workshop(home, engine, location, archive, work, _midnight())
        ordered = sorted(jobs, key=lambda job: -len(job.recipe.packages))  # the longest first
        suites = _rootfs(shop, ordered)
        _push(shop, [_image(shop, job, suites.get(_key(job), "")) for job in ordered])
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
    pending = {_key(job): job for job in jobs if not job.recipe.unpacked}
    downloads = _downloads(shop, jobs)
    made: dict[str, str] = {}
    reason = ""
    for attempt in range(max(len(rootfs.releases(job.recipe, shop.archive)) for job in jobs)):
        todo = tuple(_tries(shop, pending, attempt))
        commands = [rootfs.command(one, shop.archive, shop.native) for one in todo]
        if not downloads and not commands:
            break
        done = _together(shop, [*downloads, *commands])
        _check_downloads(done[: len(downloads)])
        for one, result in zip(todo, done[len(downloads) :], strict=True):
            if result.returncode == 0:
                made[one.target.stem] = one.release.suite
                del pending[one.target.stem]
            else:
                reason = _first_error(result)
                process.note(_not_from(one))
        downloads = []
    for job in pending.values():
        raise OutOfReach(_cannot_be_made(shop, job, reason))
    return made


def _tries(shop: Workshop, pending: Mapping[str, Job], attempt: int) -> Iterator[Rootfs]:
    """What is still to be made, from the suite whose turn it is."""
    for key, job in pending.items():
        releases = rootfs.releases(job.recipe, shop.archive)
        if attempt < len(releases):
            target = shop.work / f"{key}.tar"
            rootfs.configuration(target).write_text(rootfs.apt_lines(shop.archive))
            yield Rootfs(job.recipe, job.platform, releases[attempt], target)


def _downloads(shop: Workshop, jobs: Iterable[Job]) -> list[tuple[str, ...]]:
    """Commands that bring the Node.js binaries which are not here yet."""
    platforms = {
        nodejs.wheel_platform(job.platform, shop.native) for job in jobs if job.recipe.has_node
    }
    commands = (nodejs.download(shop.home, platform) for platform in sorted(platforms))
    return [command for command in commands if command is not None]


def _check_downloads(done: Iterable[Completed]) -> None:
    for result in done:
        if result.returncode != 0:
            raise OutOfReach(
                "the Node.js binaries cannot be downloaded from the package index that pip is "
                f"configured with: {result.reason()}"
            )


def _together(shop: Workshop, commands: Sequence[Sequence[str]]) -> tuple[Completed, ...]:
    environment = {
        "TMPDIR": str(shop.work),
        "SOURCE_DATE_EPOCH": str(shop.epoch),
        "PATH": f"{os.environ.get('PATH', '')}:{machine.SYSTEM_PATH}",
    }
    return process.together(commands, at_once=os.cpu_count() or 1, env=environment)


def _image(shop: Workshop, job: Job, suite: str) -> Image:
    """The layers of one job as tar files, in the order in which they lie on each other."""
    name = f"{job.reference.repository.replace('/', '-')}-{_tag(job)}"
    base, overlay = shop.work / f"{_key(job)}.tar", []
    if job.recipe.unpacked:
        base = shop.work / f"{name}.rootfs.tar"
        suite = _unpacked(shop, job, base)
    if job.recipe.family != "distroless":
        overlay = [shop.work / f"{name}.overlay.tar"]
        layers.write(overlay[0], _overlay(shop, job, suite), shop.epoch)
    node = [_node(shop, job)] if job.recipe.has_node else []
    return Image(job, suite, (base, *node, *overlay))


def _tag(job: Job) -> str:
    return assemble.platform_tag(job.reference.tag, job.platform)


def _overlay(shop: Workshop, job: Job, suite: str) -> Iterator[Entry]:
    """What lies over the packages: the entrypoint, the configuration, apt's sources."""
    if not job.recipe.unpacked:
        yield from rootfs.system_overlay(shop.archive, suite)
        yield from layers.overlay(OVERLAYS / "system")
    for entry in layers.overlay(OVERLAYS / job.recipe.family):
        yield trees.owned(job.recipe, entry)


def _node(shop: Workshop, job: Job) -> Path:
    """The layer of Node.js: one file for all images of a platform, so that they share the layer."""
    whole = job.recipe.family == "node"
    name = f"{'node' if whole else 'nodejs'}-{job.platform.replace('/', '-')}.tar"
    target = shop.work / name
    if not target.exists():
        found: Iterable[Entry]
        if whole:
            found = nodejs.entries(shop.home, job.platform, shop.native, "usr/local")
        else:
            found = (nodejs.program(shop.home, job.platform, shop.native, "nodejs/bin/node"),)
        layers.write(target, found, shop.epoch)
    return target


def _unpacked(shop: Workshop, job: Job, target: Path) -> str:
    """Write a root file system of single packages to ``target``. Returns the suite that served."""
    reason = ""
    for release in rootfs.releases(job.recipe, shop.archive):
        made = Rootfs(job.recipe, job.platform, release, target)
        try:
            with homes.workspace(shop.home, "bases") as work:
                layers.write(target, trees.entries(made, work), shop.epoch)
        except OutOfReach as problem:
            reason = str(problem)
            process.note(_not_from(made))
        else:
            return release.suite
    raise OutOfReach(_cannot_be_made(shop, job, reason))


def _first_error(result: Completed) -> str:
    """The first thing that went wrong: what follows is mmdebstrap on its way out."""
    errors = [line for line in result.stderr.splitlines() if line.startswith("E: ")]
    return errors[0].removeprefix("E: ") if errors else result.reason()


def _not_from(made: Rootfs) -> str:
    return f"slipway: {made.release.name} cannot serve {made.platform} right now, trying on"


def _cannot_be_made(shop: Workshop, job: Job, reason: str) -> str:
    return (
        f"no look-alike of {job.reference.text} for {job.platform}: the packages cannot be had "
        f"from {shop.archive.uri} right now: {reason}"
    )


def _push(shop: Workshop, images: Sequence[Image]) -> None:
    """Compress each layer once, however many images have it, and push them side by side."""
    process.note("slipway: packing the look-alikes …")
    tars = dict.fromkeys(tar for image in images for tar in image.tars)
    packed = {tar: oci.compress(tar) for tar in tars}
    commands = [_written(shop, image, [packed[tar] for tar in image.tars]) for image in images]
    for result in process.together(
        commands, at_once=os.cpu_count() or 1, env=shop.engine.environment
    ):
        if result.returncode != 0:
            raise OutOfReach(f"a look-alike could not be pushed: {result.reason()}")


def _written(shop: Workshop, image: Image, packed: Sequence[oci.Layer]) -> tuple[str, ...]:
    """Write one image to disk. Returns the command that pushes it."""
    job = image.job
    repository = job.reference.repository
    layout = shop.work / f"{repository.replace('/', '-')}-{_tag(job)}.layout"
    created = datetime.datetime.fromtimestamp(shop.epoch, datetime.UTC)
    oci.write(
        layout,
        packed,
        platform=job.platform,
        config=assemble.configuration(job.reference, job.recipe, job.platform, image.suite),
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    crane = tools.crane(shop.home)
    return assemble.push(crane, layout, f"{shop.registry}/{repository}:{_tag(job)}")


def _join(shop: Workshop, reference: Reference) -> None:
    """Make the tag that people use from every platform that the registry has by now."""
    image = f"{shop.registry}/{reference.repository}"
    tags = (assemble.platform_tag(reference.tag, platform) for platform in apt.ARCHITECTURES)
    there = [t for t in tags if registry.stored(shop.registry, reference.repository, t)]
    parts = [f"{image}:{tag}" for tag in there]
    environment = assemble.environment(shop.engine.host, shop.engine.environment)
    command = assemble.index(f"{image}:{reference.tag}", parts)
    process.read((shop.engine.docker, *command), env=environment, timeout=60)
    for name in _names(shop.engine, reference, f"{image}:{reference.tag}"):
        _renew(shop.engine, name)


def _names(engine: Engine, reference: Reference, image: str) -> tuple[str, ...]:
    """What the engine may know the look-alike as: builds leave such names behind in it."""
    mirrored = engine.kind == "embedded" and reference.served_by_mirror
    return (reference.text, image) if mirrored else (image,)


def _renew(engine: Engine, name: str) -> None:
    """Builds prefer what the engine holds under a name: without the platforms added since."""
    held = (engine.docker, "image", "inspect", "--format={{.Id}}", name)
    if process.read(held, env=engine.environment, timeout=60, check=False).returncode == 0:
        pull = (engine.docker, "pull", "--quiet", name)
        process.read(pull, env=engine.environment, timeout=300)
