"""How large images are, and how much smaller than the baseline of the same service."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core import daemon, process
from tasks.core.bake.definitions import BASELINE, Definition, Target
from tasks.core.errors import Interrupted, OutOfReach
from tasks.core.images import archive, imagecache
from tasks.core.images.archive import Image
from tasks.core.render import tables
from tasks.core.session import Session

if TYPE_CHECKING:
    from docker import DockerClient

FORMATS = ("text", "markdown", "json")
HEADERS = ("target", "platform", "compressed", "unpacked", "layers", "reduction")
LOOKALIKE_LABEL = "dev.slipway.lookalike"
PATIENCE_SECONDS = 2.0
AT_ONCE = 2


@dataclass(frozen=True)
class ImageSize:
    """The sizes of one image for one platform.

    ``compressed_bytes`` is what is pulled; None where the engine does not know it. Reductions are
    in percent of the baseline of the same service and platform, None without one:
    ``reduction_percent`` of the compressed size, or of the unpacked one where that is all there is.
    """

    target: str
    service: str
    variant: str
    tag: str
    platform: str
    digest: str
    compressed_bytes: int | None
    unpacked_bytes: int
    layers: int
    reduction_percent: float | None
    unpacked_reduction_percent: float | None
    lookalike_bases: bool


@dataclass(frozen=True)
class _Found:
    """An image in the engine: its id, its name, and the bytes it takes up there."""

    id: str
    tag: str
    size_bytes: int


def measure(
    session: Session,
    definition: Definition,
    patterns: Sequence[str] = (),
    *,
    every: bool = False,
    platforms: Sequence[str] = (),
) -> tuple[ImageSize, ...]:
    """The sizes of what ships and of the baselines, smallest first, of all their platforms.

    ``patterns`` chooses targets by name instead, ``every`` takes all of them; ``platforms`` are the
    only ones that are told of. Raises OutOfReach if the engine has none of their images, or none
    for these platforms; a target that is missing is named on stderr.
    """
    chosen = choose(definition, patterns, every=every)
    services = {target.service for target in chosen.values()}
    compared = {
        name: target
        for name, target in definition.targets.items()
        if target.variant == BASELINE and target.service in services
    }
    with contextlib.closing(daemon.connect(session.engine)) as client:
        found = _find(client, {**compared, **chosen})
        if not found.keys() & chosen.keys():
            names = ",".join(sorted(chosen))
            raise OutOfReach(f"no image to measure; build them first: inv build.targets {names}")
        by_id = {image.id: image for image in found.values()}
        images = _measure(client, session.root, list(by_id.values()))
    measured = {name: images[image.id] for name, image in found.items()}
    rows = sorted(compare(chosen, compared, measured), key=_order)
    told = tuple(row for row in rows if not platforms or row.platform in platforms)
    if rows and not told:
        here = ", ".join(sorted({row.platform for row in rows}))
        raise OutOfReach(f"no image is there for {', '.join(platforms)}; they are for {here}")
    return told


def choose(
    definition: Definition, patterns: Sequence[str] = (), *, every: bool = False
) -> dict[str, Target]:
    """The targets to report: those named, or all, or else what ships and the baselines."""
    targets = definition.narrowed(patterns).targets
    if patterns or every:
        return dict(targets)
    shown = {n: t for n, t in targets.items() if t.released or t.variant == BASELINE}
    return shown or dict(targets)


def compare(
    chosen: Mapping[str, Target],
    compared: Mapping[str, Target],
    measured: Mapping[str, tuple[Image, ...]],
) -> Iterator[ImageSize]:
    """One row for each platform of each chosen target that was measured."""
    baselines = {
        (target.service, image.platform): image
        for name, target in sorted(compared.items(), reverse=True)
        for image in measured.get(name, ())
    }
    for name, target in chosen.items():
        for image in measured.get(name, ()):
            against = None if name in compared else baselines.get((target.service, image.platform))
            yield _row(target, image, against)


def render(sizes: Sequence[ImageSize], format_: str = "text") -> str:
    """The sizes as text, Markdown or JSON."""
    if format_ == "json":
        return tables.document({"images": [asdict(size) for size in sizes]})
    rows = [
        [
            size.target,
            size.platform,
            tables.mib(size.compressed_bytes),
            tables.mib(size.unpacked_bytes),
            size.layers,
            None if size.reduction_percent is None else f"{size.reduction_percent:.1f} %",
        ]
        for size in sizes
    ]
    markdown = format_ == "markdown"
    between = "\n\n" if markdown else "\n"
    return between.join([tables.table(HEADERS, rows, markdown=markdown), *_remarks(sizes)])


def summary(sizes: Sequence[ImageSize]) -> str:
    """The sizes in a few words."""
    reductions = [s.reduction_percent for s in sizes if s.reduction_percent is not None]
    if not reductions:
        return f"{len(sizes)} measured"
    return f"{len(sizes)} measured; at least {min(reductions):.1f} % smaller than the baseline"


def _remarks(sizes: Sequence[ImageSize]) -> list[str]:
    """What a reader has to know to take the numbers for what they are."""
    remarks = []
    unknown = any(size.compressed_bytes is None for size in sizes)
    if any(size.reduction_percent is not None for size in sizes):
        kind = "unpacked" if unknown else "compressed"
        remarks.append(f"Reduction: of the {kind} size, against the service's baseline image.")
    if unknown:
        remarks.append("Compressed: not known, this engine keeps layers unpacked.")
    if any(size.lookalike_bases for size in sizes):
        remarks.append(
            "Measured on look-alike base images: on the originals the images are smaller."
        )
    return remarks


def _row(target: Target, image: Image, against: Image | None) -> ImageSize:
    unpacked = _reduction(image.unpacked_bytes, against.unpacked_bytes if against else None)
    compressed = _reduction(image.compressed_bytes, against.compressed_bytes if against else None)
    return ImageSize(
        target=target.name,
        service=target.service,
        variant=target.variant,
        tag=target.tags[0],
        platform=image.platform,
        digest=image.digest,
        compressed_bytes=image.compressed_bytes,
        unpacked_bytes=image.unpacked_bytes,
        layers=len(image.layers),
        reduction_percent=unpacked if compressed is None else compressed,
        unpacked_reduction_percent=unpacked,
        lookalike_bases=image.labels.get(LOOKALIKE_LABEL) == "true",
    )


def _reduction(size_bytes: int | None, baseline_bytes: int | None) -> float | None:
    """How much smaller, in percent of the baseline, with one decimal; negative for larger."""
    if size_bytes is None or not baseline_bytes:
        return None
    return round(100 * (1 - size_bytes / baseline_bytes), 1)


def _order(size: ImageSize) -> tuple[int, str, str]:
    known = size.unpacked_bytes if size.compressed_bytes is None else size.compressed_bytes
    return known, size.target, size.platform


def _find(client: DockerClient, targets: Mapping[str, Target]) -> dict[str, _Found]:
    """The image of each target, by target; those that are not there are named on stderr."""
    from docker.errors import ImageNotFound

    tags = [tag for target in targets.values() for tag in target.tags[:1]]
    listed = client.api.images(filters={"reference": tags}) if tags else []
    taken = {image["Id"]: int(image["Size"]) for image in listed}
    found = {}
    for name, target in sorted(targets.items()):
        if not target.tags:
            process.note(f"{name}: has no tag, so its image cannot be found by name")
            continue
        try:
            image_id = str(client.api.inspect_image(target.tags[0])["Id"])
        except ImageNotFound:
            process.note(
                f"{name}: no image {target.tags[0]} in the engine; run: inv build.targets {name}"
            )
            continue
        found[name] = _Found(image_id, target.tags[0], taken.get(image_id, 0))
    return found


def _measure(
    client: DockerClient, root: Path, found: Sequence[_Found]
) -> dict[str, tuple[Image, ...]]:
    """The images by engine id, measured side by side or taken from the cache."""
    stop = threading.Event()
    message = "measuring images (once: what does not change is remembered) …"
    notice = threading.Timer(PATIENCE_SECONDS, process.note, [message])
    notice.daemon = True
    notice.start()
    try:
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            futures = [pool.submit(_measure_one, client, root, image, stop) for image in found]
            try:
                done = [future.result() for future in futures]
            except BaseException:
                stop.set()
                raise
        return {image.id: images for image, images in zip(found, done, strict=True)}
    finally:
        notice.cancel()


def _measure_one(
    client: DockerClient, root: Path, image: _Found, stop: threading.Event
) -> tuple[Image, ...]:
    known = imagecache.load(root, image.id, image.size_bytes, image.tag)
    if known is not None:
        return known
    chunks = client.api.get_image(image.id)
    images = archive.read(_until(stop, chunks), image.tag, image.id)
    imagecache.store(root, image.id, image.size_bytes, images)
    return images


def _until(stop: threading.Event, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if stop.is_set():
            raise Interrupted("interrupted")
        yield chunk
