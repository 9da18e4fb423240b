"""Prove images of several platforms: what is in them, and each of them running."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tasks.core import (
    contents,
    daemon,
    definitions,
    exporting,
    policy,
    process,
    pushing,
    runnable,
    sandbox,
    waiting,
)
from tasks.core.contents import Contents
from tasks.core.definitions import Target
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.policy import Policy
from tasks.core.proofs import platforms, runtime
from tasks.core.proofs.runtime import Subject
from tasks.core.provision import references
from tasks.core.provision.registry import platform_names
from tasks.core.session import Session
from tasks.core.verdicts import Verdict

if TYPE_CHECKING:
    from docker import DockerClient

#: Containers of foreign platforms that run side by side: emulation takes a processor each.
AT_ONCE = 2
#: How much longer a foreign platform may take: what QEMU costs a program that starts, measured
#: with Node.js, is a factor of 5 to 10.
EMULATION_FACTOR = 10


@dataclass(frozen=True)
class Index:
    """An image of several platforms in the engine, under the name of its target."""

    target: str
    reference: str
    promised: tuple[str, ...]


def prove(session: Session, subjects: Sequence[Index]) -> tuple[Verdict, ...]:
    """Prove every platform of every subject: the files in it, and that it starts and answers.

    Whatever ends this, no container of it is left.
    """
    foreign = {name for one in subjects for name in one.promised}
    runnable.ensure(session.engine, sorted(foreign))
    with closing(daemon.connect(session.engine)) as client:
        found = [verdict for one in subjects for verdict in _prove(session, client, one)]
    return tuple(found)


def prove_any(
    session: Session, reference: str, wanted: tuple[str, ...] = ()
) -> tuple[Verdict, ...]:
    """Prove the image ``reference``, of whoever built it, in the engine or in its registry.

    ``wanted`` are the platforms that it has to hold; none: those of the bake target it is of, else
    all that it lists. What is pulled for this is removed again. Raises UsageError for what is
    no name, OutOfReach when nobody has the image.
    """
    owner = _owner(session, reference)
    if owner and not wanted:
        wanted = owner.platforms or session.settings.platforms
    with closing(daemon.connect(session.engine)) as client:
        if session.dry:
            process.note(f"dry run: {reference} would be started on each of its platforms")
            return ()
        daemon.demand_containerd_store(client)
        pushing.use_logins(client, session.environment)
        with _at_hand(client, reference, wanted) as listed:
            name = owner.name if owner else reference
            return prove(session, [Index(name, reference, wanted or listed)])


def _owner(session: Session, reference: str) -> Target | None:
    """The bake target whose policy holds for an image of this name.

    The one with this very tag; else, for another version or registry, the one of several platforms
    whose repository has the same last name.
    """
    if not definitions.has_bake_file(session.root, session.files):
        return None
    known = session.everything().targets
    policy.check(session.config, known)
    targets = known.values()
    tagged = [
        one for one in targets if exporting.named(reference) in map(exporting.named, one.tags)
    ]
    called = [
        one
        for one in targets
        if one.platforms and _last_name(reference) in map(_last_name, one.tags)
    ]
    if tagged:
        return tagged[0]
    return called[0] if len(called) == 1 else None


def _last_name(reference: str) -> str:
    return references.parse(reference).path.rpartition("/")[2]


@contextmanager
def _at_hand(
    client: DockerClient, reference: str, wanted: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Have the image in the engine; yields the platforms that it lists. Pulled ones go again."""
    from docker.errors import ImageNotFound

    if _is_here(client, reference):
        yield _listed(client, reference)
        return
    listed = _offered(client, reference)
    try:
        for platform in [name for name in wanted if name in listed] or listed:
            process.note(f"pulling {reference} for {platform} …")
            _pull(client, reference, platform)
        yield listed
    finally:
        with suppress(ImageNotFound):  # not even the first platform had arrived
            client.api.remove_image(reference)


def _is_here(client: DockerClient, reference: str) -> bool:
    from docker.errors import APIError, NullResource

    try:
        return daemon.has_image(client, reference)
    except (APIError, NullResource) as error:
        if isinstance(error, NullResource) or error.status_code == HTTPStatus.BAD_REQUEST:
            raise UsageError(f"{reference!r} is not the name of an image") from None
        raise


def _offered(client: DockerClient, reference: str) -> tuple[str, ...]:
    """The platforms that the registry has of an image. Raises OutOfReach when it has none."""
    from docker.errors import APIError

    try:
        described = client.api.inspect_distribution(reference)
    except APIError as error:
        raise _nobody_has(reference, error.explanation or error) from None
    return platform_names(described["Platforms"] or ())


def _pull(client: DockerClient, reference: str, platform: str) -> None:
    from docker.errors import APIError

    name, label = (reference, None) if "@" in reference else exporting.named(reference)
    try:
        for line in client.api.pull(name, label, platform=platform, stream=True, decode=True):
            if line.get("error"):
                raise _nobody_has(reference, line["error"])
    except APIError as error:
        raise _nobody_has(reference, error.explanation or error) from None


def _nobody_has(reference: str, why: object) -> OutOfReach:
    reason = process.plain(" ".join(str(why).split()))[:200]
    return OutOfReach(f"neither the engine nor a registry has {reference}: {reason}")


def _listed(client: DockerClient, reference: str) -> tuple[str, ...]:
    held = contents.read(client.api.get_image(reference), reference)
    return held[0].listed or tuple(each.platform for each in held)


def _prove(session: Session, client: DockerClient, index: Index) -> Iterator[Verdict]:
    process.note(f"proving {index.target} on {', '.join(index.promised)} …")
    chunks = client.api.get_image(index.reference)
    held = contents.read(chunks, index.target, platforms.INSPECTORS)
    yield from platforms.prove(index.target, held, index.promised)
    demanded = policy.for_target(session.config, index.target)
    native = session.engine.native_platform
    ready = [_subject(index, one, demanded, native) for one in held]
    with (
        ThreadPoolExecutor(AT_ONCE) as pool,
        sandbox.run(client, session.settings.project) as run,
    ):
        host = session.engine.host
        futures = [pool.submit(runtime.prove, run, one, host) for one in ready]
        for future in futures:
            yield from waiting.result(future)


def _subject(index: Index, held: Contents, demanded: Policy, native: str) -> Subject:
    slowness = EMULATION_FACTOR if held.platform != native else 1
    demanded = replace(
        demanded,
        healthy_seconds=demanded.healthy_seconds * slowness,
        stop_seconds=demanded.stop_seconds * slowness,
    )
    config = held.config.get("config")
    known = config if isinstance(config, Mapping) else {}
    return Subject(index.target, index.reference, held.platform, known, demanded, True, slowness)
