"""Proofs on what is in images, started or not: their platforms, file systems and secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tasks.core import contents, daemon, imagefiles, overlay, process, targetchecks
from tasks.core.contents import Contents
from tasks.core.definitions import Target
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.proofs import filesystem, platforms, secrets
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.filesystem import Demands
from tasks.core.secretscan import SecretInspector
from tasks.core.session import Session
from tasks.core.verdicts import Verdict

#: A build's secret that is larger is a bundle of something, not a value.
MAX_SECRET_BYTES = 64 * 1024
#: An image of somebody else's: nothing is known of what it should do without.
FOREIGN = Demands(shell_allowed=True, package_manager_allowed=True)
CATALOGUE: tuple[Proof, ...] = (
    *platforms.PROOFS,
    *filesystem.PROOFS,
    *secrets.PROOFS.values(),
)


def of_secrets(session: Session, patterns: Sequence[str] = ()) -> tuple[Verdict, ...]:
    """Search the images of all targets, or of those that match ``patterns``, for secrets.

    The values of the builds' own secrets and of settings that look secret are searched for as they
    are. Targets without an image are left out with a notice; OutOfReach when none has one.
    """
    targets = session.everything().narrowed(patterns).targets.values()
    values = secret_values(session, targets)
    inspector = SecretInspector(values)

    def prove(name: str, held: Contents) -> tuple[Verdict, ...]:
        return secrets.prove(name, held, inspector, values)

    found: list[Verdict] = []
    with closing(daemon.connect(session.engine)) as client:
        there = [one for one in targets if one.tags and daemon.has_image(client, one.tags[0])]
        for target in targets:
            if target not in there:
                process.note(f"{target.name}: not built, so nothing is proven of it")
        if not there:
            names = ",".join(target.name for target in targets)
            raise OutOfReach(f"no image to search; build them first: inv build.targets {names}")
        for target in there:
            process.note(f"searching {target.name} …")
            chunks = client.api.get_image(target.tags[0])
            found += _each(target.name, chunks, (inspector,), prove)
    return tuple(found)


def of_image(session: Session, reference: str) -> tuple[Verdict, ...]:
    """Every proof on what is in an image of the engine, whoever built it; it is not started."""
    with closing(daemon.connect(session.engine)) as client:
        if not daemon.has_image(client, reference):
            raise OutOfReach(f"no image {reference} in the engine; run: docker pull {reference}")
        process.note(f"looking into {reference} …")
        return _whole(reference, client.api.get_image(reference), session.settings.secrets)


def of_archive(session: Session, name: str) -> tuple[Verdict, ...]:
    """The same for a docker archive, an OCI archive or an OCI folder; needs no engine."""
    path = Path(name)
    if not path.exists():
        raise UsageError(f"--archive {path}: no such file or folder")
    process.note(f"looking into {path.name} …")
    return _whole(path.name, imagefiles.open_archive(path), session.settings.secrets)


def secret_values(session: Session, targets: Iterable[Target]) -> dict[str, str]:
    """The values that must not be in any image, by a name that may be shown.

    Settings whose name says so, and the builds' secrets: a variable's value, a file's content (the
    search knows logins in it by themselves). Certificate authorities are public.
    """
    values = {f"setting {e.name}": e.value for e in session.settings.entries.values() if e.secret}
    environment = process.merged(session.environment)
    files = {overlay.NPMRC_SECRET: session.settings["NPMRC"]}
    for target in targets:
        for secret in target.secrets:
            name = secret.get("id", "")
            variable, file = targetchecks.secret_place(secret, environment)
            if variable:
                values[f"build secret {name}"] = environment.get(variable, "")
            elif name != overlay.CA_SECRET:
                files[name] = file
    for name, path in files.items():
        if path:
            values |= _of_file(name, session.root / path)
    return {name: value for name, value in values.items() if value}


def _of_file(name: str, path: Path) -> Mapping[str, str]:
    with path.open("rb") as file:
        content = file.read(MAX_SECRET_BYTES + 1)
    if len(content) > MAX_SECRET_BYTES:
        return {}
    return {f"build secret {name}": content.decode("utf-8", "replace").strip()}


def _whole(name: str, chunks: Iterable[bytes], settings: Sequence[str]) -> tuple[Verdict, ...]:
    values = {f"setting {number}": value for number, value in enumerate(settings, 1)}
    inspector = SecretInspector(values)
    inspectors = (*platforms.INSPECTORS, *filesystem.INSPECTORS, inspector)
    held = contents.read(chunks, name, inspectors)
    listed = held[0].listed or tuple(each.platform for each in held)
    here = tuple(each.platform for each in held)
    found = [*platforms.prove(name, held, tuple(p for p in listed if p in here))]
    for each in held:
        found += filesystem.prove(name, each, FOREIGN)
        found += secrets.prove(name, each, inspector, values)
    return tuple(found)


def _each(
    name: str,
    chunks: Iterable[bytes],
    inspectors: Sequence[SecretInspector],
    prove: Callable[[str, Contents], tuple[Verdict, ...]],
) -> list[Verdict]:
    held = contents.read(chunks, name, inspectors)
    return [verdict for each in held for verdict in prove(name, each)]
