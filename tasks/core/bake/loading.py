"""An OCI layout -> the engine, without what the engine holds already."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core import process
from tasks.core.bake import layouts
from tasks.core.bake.exporting import Exported, named
from tasks.core.errors import BuildFailed, OutOfReach
from tasks.core.images import imagefiles
from tasks.core.untrusted import Malformed

if TYPE_CHECKING:
    from docker import DockerClient

LOAD_SECONDS = 1800
#: What is said before something is tried once more, see `is_race`.
RACE = "the engine lost a layer while it unpacked the image"
_RACE = re.compile(r"failed to prepare extraction snapshot .*: parent snapshot \S+ does not exist")


def load(client: DockerClient, exported: Exported, tags: Sequence[str]) -> bool:
    """Take an image into the engine under ``tags``. Needs the containerd image store.

    The blobs of the image before it are left out, if the engine says that it holds that one whole;
    should the new one not be whole then, all is sent. Returns whether it had to be tried again.
    Raises OutOfReach with the engine's words when it refuses.
    """
    client.api.timeout = LOAD_SECONDS  # it says nothing while it unpacks
    held = _held(client, exported.layout)
    problem = _refusal(client, exported, held)
    again = is_race(problem)
    if again:
        process.note(f"{RACE}: loading {exported.target} once more …")
        problem = _refusal(client, exported, held)
    if held and (problem or not _is_whole(client, exported.digest)):
        again = True
        process.note(f"loading {exported.target} once more, with all of its layers …")
        problem = _refusal(client, exported, ())
    if problem:
        raise OutOfReach(f"{exported.target}: the engine does not take the image: {problem}")
    for tag in tags:
        client.api.tag(exported.digest, *named(tag))
    return again


def is_race(said: str) -> bool:
    """Whether an engine says that it lost a layer while it unpacked an image.

    The containerd image store does that now and then, and not twice (moby/buildkit#6521).
    """
    return _RACE.search(said) is not None


def _held(client: DockerClient, layout: Path) -> Collection[str]:
    """The blobs of the image before, if the engine has every one of them; else none."""
    try:
        told = layouts.top(layout, layouts.BEFORE)
        blobs = layouts.blobs(layout, told)
    except (OSError, Malformed):
        return ()  # there is none, or it cannot be told what it was
    before = [digest for digest, _ in layouts.entries(told, layouts.BEFORE)]
    return blobs if before and all(_is_whole(client, digest) for digest in before) else ()


def _is_whole(client: DockerClient, digest: str) -> bool:
    """Whether the engine says that it holds every blob of an image (since API version 1.48)."""
    api: Any = client.api
    answer = api._get(api._url("/images/{0}/json", digest), params={"manifests": "1"})
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return False
    manifests = api._result(answer, json=True).get("Manifests") or []
    return bool(manifests) and all(one.get("Available") is True for one in manifests)


def _refusal(client: DockerClient, exported: Exported, held: Collection[str]) -> str:
    """Why the engine does not take an image without the blobs ``held``; "" if it did."""
    layout = exported.layout
    try:
        wanted = layouts.blobs(layout, layouts.top(layout))
        paths = [layouts.sound(layout, digest) for digest in wanted if digest not in held]
    except (OSError, Malformed) as error:
        raise BuildFailed(
            f"{exported.target}: what the build wrote is damaged, build again: {error}"
        ) from None
    # Outside of that: the SDK's errors are OSErrors too, and say nothing of the layout.
    stream = imagefiles.as_archive(layout, (layout / "oci-layout", layout / layouts.TOP, *paths))
    said = list(client.api.load_image(stream, quiet=True))
    lines = (line for line in said if isinstance(line, dict))
    return next((str(line["error"]) for line in lines if line.get("error")), "")
