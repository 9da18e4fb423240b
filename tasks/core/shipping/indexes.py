"""Prove an image of several platforms by its name, wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tasks.core import daemon, process
from tasks.core.bake import definitions, exporting, runnable
from tasks.core.bake.definitions import Target
from tasks.core.errors import OutOfReach
from tasks.core.images import contents
from tasks.core.proofs.supply_chain import Expected
from tasks.core.proofs.verdicts import Verdict
from tasks.core.provision import references
from tasks.core.provision.registry import platform_names
from tasks.core.secrecy import secretvalues
from tasks.core.session import Session
from tasks.core.shipping import pushing
from tasks.core.verifying import catalogue, policyfile, proving, verification
from tasks.core.verifying.proving import Case

if TYPE_CHECKING:
    from docker import DockerClient


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
            if owner is None:
                secrets = secretvalues.of_settings(session)
                one = Case(
                    reference,
                    reference,
                    verification.FOREIGN,
                    promised=wanted or listed,
                    secrets=secrets,
                )
            else:
                # Which version a tag is of, and so its commit, is for its own name alone to say.
                known = verification.case(session, owner, reference)
                expected = known.expected if _is_tag(reference, owner) else Expected()
                one = replace(known, promised=wanted or listed, expected=expected)
            runnable.ensure(session.engine, one.promised)
            return proving.prove(session, [one], proving.EVERYTHING)


def _owner(session: Session, reference: str) -> Target | None:
    """The bake target whose policy holds for an image of this name.

    The one with this very tag; else, for another version or registry, the one of several platforms
    whose repository has the same last name.
    """
    if not definitions.has_bake_file(session.root, session.files):
        return None
    known = session.everything().targets
    policyfile.check(session.config, known, catalogue.IDS)
    targets = known.values()
    tagged = [one for one in targets if _is_tag(reference, one)]
    called = [
        one
        for one in targets
        if one.platforms and _last_name(reference) in map(_last_name, one.tags)
    ]
    if tagged:
        return tagged[0]
    return called[0] if len(called) == 1 else None


def _is_tag(reference: str, target: Target) -> bool:
    return exporting.named(reference) in map(exporting.named, target.tags)


def _last_name(reference: str) -> str:
    return references.parse(reference).path.rpartition("/")[2]


@contextmanager
def _at_hand(
    client: DockerClient, reference: str, wanted: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Have the image in the engine; yields the platforms that it lists. Pulled ones go again."""
    from docker.errors import ImageNotFound

    if daemon.has_image(client, reference):
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
