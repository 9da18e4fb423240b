"""Images of the engine: what is scanned, and the scanner's own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tasks.core import daemon, process
from tasks.core.comparing.places import Place
from tasks.core.errors import OutOfReach
from tasks.core.provision import reach, references
from tasks.core.session import Session

if TYPE_CHECKING:
    from docker import DockerClient

PULL_SECONDS = 900
_MEND = (
    "set TRIVY_IMAGE to an image of trivy that can be pulled, make its registry reachable (mirror, "
    "docker login), or put trivy on PATH"
)


def connected(session: Session) -> contextlib.closing[DockerClient]:
    """The engine's API, to be used in a ``with``."""
    return contextlib.closing(daemon.connect(session.engine))


def ensure(session: Session, client: DockerClient, image: str, mend: str = _MEND) -> None:
    """Have the scanner's ``image`` in the engine. Raises OutOfReach where no registry gives it.

    Its registry is asked first: the answer comes sooner than a pull gives up.
    """
    if daemon.has_image(client, image):
        return
    reference = references.parse(image)
    answer = reach.ask(session.engine, reference)
    if not answer.can_be_had:
        reach.forget()  # it may be some minutes old
        answer = reach.ask(session.engine, reference)
    if not answer.can_be_had:
        raise out_of_reach(image, answer.reason or "no registry in reach has it", mend)
    process.note(f"pulling the scanner {image} …")
    done = process.read(
        (session.engine.docker, "pull", "--quiet", image),
        env=session.environment,
        timeout=PULL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise out_of_reach(image, done.reason(), mend)


def out_of_reach(image: str, reason: str, mend: str = _MEND) -> OutOfReach:
    """The scanner's image cannot be had, in one line with the mend."""
    said = " ".join(process.plain(reason).split())[-200:]
    return OutOfReach(f"the scanner {image} cannot be had: {said}; {mend}")


def demand(client: DockerClient, place: Place) -> None:
    """Raise OutOfReach for an image that the engine does not have."""
    if daemon.has_image(client, place.reference):
        return
    mend = f"docker pull {place.name}"
    if place.reference != place.name:
        mend = f"inv build.targets {place.name}"
    raise OutOfReach(f"{place}: there is no such image in the engine; run: {mend}")
