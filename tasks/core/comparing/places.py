"""What a person names -> an image that can be read: a target, an image of the engine, a file."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core import daemon, process
from tasks.core.bake import definitions
from tasks.core.errors import Interrupted, OutOfReach, UsageError
from tasks.core.images import contents, imagefiles
from tasks.core.images.contents import Contents
from tasks.core.images.entries import Inspector
from tasks.core.session import Session

if TYPE_CHECKING:
    from docker import DockerClient

ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz")
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Place:
    """Where an image is: ``name`` as it was given; ``reference`` in the engine, or a file."""

    name: str
    reference: str
    archive: Path | None = None

    def __str__(self) -> str:
        named = self.archive is not None or self.reference == self.name
        return self.name if named else f"{self.name} ({self.reference})"


def find(session: Session, name: str) -> Place:
    """The image that ``name`` means: an archive if there is a file, then a target, then an image.

    An image's name with its tag is never a target's. Raises UsageError for a file that is missing.
    """
    path = Path(name)
    if path.is_file() or (path / "index.json").is_file():
        return Place(name, path.name, path)
    if name.startswith((".", "/")) or name.endswith(ARCHIVE_ENDINGS):
        raise UsageError(f"{name}: no such archive, and no OCI folder")
    if not name or name != name.strip():
        raise UsageError(f"{name!r} names no image: expected a target, an image or an archive")
    if not set(name) & set(":/@") and definitions.has_bake_file(session.root, session.files):
        target = session.everything().targets.get(name)
        if target is not None and not target.tags:
            raise UsageError(f"target {name} has no tag to find its image by; name the image")
        if target is not None:
            return Place(name, target.tags[0])
    return Place(name, name)


def read(
    session: Session, places: Sequence[Place], inspectors: Sequence[Inspector]
) -> tuple[tuple[Contents, ...], ...]:
    """What is in each place, platform by platform; those that are one image are read once.

    Raises OutOfReach for an image that the engine does not have.
    """
    stop = threading.Event()
    notice = threading.Timer(PATIENCE_SECONDS, process.note, ["reading the images …"])
    notice.daemon = True
    with contextlib.ExitStack() as stack:
        client = None
        if any(place.archive is None for place in places):
            client = stack.enter_context(contextlib.closing(daemon.connect(session.engine)))
        keys = [_key(client, place) for place in places]
        once = dict(zip(keys, places, strict=True))
        stack.callback(notice.cancel)
        notice.start()
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=2))
        stack.callback(stop.set)  # before the pool waits for its threads
        jobs = {
            key: pool.submit(_read, client, key, place, inspectors, stop)
            for key, place in once.items()
        }
        done = {key: job.result() for key, job in jobs.items()}
    return tuple(done[key] for key in keys)


def _key(client: DockerClient | None, place: Place) -> str:
    """What tells whether two places are one image: the engine's id, or the file."""
    if place.archive is not None or client is None:
        return str(place.archive)
    if not daemon.has_image(client, place.reference):
        if place.reference != place.name:
            what = f"{place.name}: no image {place.reference} in the engine"
            raise OutOfReach(f"{what}; run: inv build.targets {place.name}")
        raise OutOfReach(
            f"{place.name}: neither a file nor a target nor an image of the engine; run: docker "
            f"pull {place.name}, or see the targets by: inv build.print"
        )
    return str(client.api.inspect_image(place.reference)["Id"])


def _read(
    client: DockerClient | None,
    key: str,
    place: Place,
    inspectors: Sequence[Inspector],
    stop: threading.Event,
) -> tuple[Contents, ...]:
    return contents.read(_until(stop, chunks(client, place, key)), place.name, inspectors)


def chunks(client: DockerClient | None, place: Place, key: str) -> Iterator[bytes]:
    """The archive of an image, piece by piece; ``key`` is what the engine knows it by."""
    if place.archive is not None or client is None:
        assert place.archive is not None  # noqa: S101 - only archives need no engine
        return imagefiles.open_archive(place.archive)
    found: Iterator[bytes] = client.api.get_image(key)
    return found


def _until(stop: threading.Event, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if stop.is_set():
            raise Interrupted("interrupted")
        yield chunk
