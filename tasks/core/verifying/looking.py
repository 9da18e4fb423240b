"""Look into an image: every byte of it, once, and prove what needs no start; see `crew`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core import daemon
from tasks.core.endpoint import Engine
from tasks.core.images import contents, contentstore, imagefiles
from tasks.core.images.contents import Contents
from tasks.core.images.entries import Inspector
from tasks.core.proofs import budget, filesystem, platforms, secrets, supply_chain, users
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.supply_chain import Expected
from tasks.core.proofs.verdicts import Verdict
from tasks.core.secrecy.secretscan import SecretInspector

INSPECTORS: Mapping[str, Sequence[Inspector]] = {
    "platforms": platforms.INSPECTORS,
    "filesystem": filesystem.INSPECTORS,
    "identity": users.INSPECTORS,
    "supply-chain": supply_chain.INSPECTORS,
}


@dataclass(frozen=True)
class Job:
    """What to look into, and what is asked of it: an image of ``engine``, or an ``archive``.

    ``promised`` are the platforms it has to hold, () for those that it lists; ``secrets`` the
    values that must not be in it, by a name that may be shown; ``bases`` what it is built on.
    """

    target: str
    reference: str
    engine: Engine | None
    archive: Path | None
    policy: Policy
    families: tuple[str, ...]
    promised: tuple[str, ...] = ()
    expected: Expected = field(default_factory=Expected)
    bases: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Held:
    """One platform that an image holds, and its config."""

    platform: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Looked:
    """What was found: the platforms that are there, and the verdicts on what is in them."""

    held: tuple[Held, ...]
    verdicts: tuple[Verdict, ...]


def look(job: Job) -> Looked:
    """Read the image once and prove what can be proven without starting it."""
    secret = SecretInspector(job.secrets)
    wanted = [each for family in job.families for each in INSPECTORS.get(family, ())]
    once = {type(each): each for each in wanted}
    inspectors = [*once.values(), *([secret] if "secrets" in job.families else [])]
    held = _read(job, inspectors)
    return Looked(
        tuple(Held(each.platform, _config(each)) for each in held),
        tuple(_proven(job, held, secret)),
    )


def _read(job: Job, inspectors: Sequence[Inspector]) -> tuple[Contents, ...]:
    """Every byte of the image: from the engine's own blobs, if we may, which spares the export."""
    if job.archive is not None:
        return contents.read(imagefiles.open_archive(job.archive), job.target, inspectors)
    assert job.engine is not None  # noqa: S101 - a job without an archive has an engine
    with closing(daemon.connect(job.engine)) as client:
        descriptor = (daemon.inspected(client, job.reference) or {}).get("Descriptor")
        store = contentstore.find(client, job.engine.host)
        if store is not None and descriptor:
            found = contents.read_stored(store, descriptor, job.target, inspectors)
            if found is not None:
                return found
        return contents.read(client.api.get_image(job.reference), job.target, inspectors)


def _proven(job: Job, held: Sequence[Contents], secret: SecretInspector) -> Iterator[Verdict]:
    today = datetime.datetime.now(datetime.UTC).date()
    if "platforms" in job.families:
        here = [each.platform for each in held]
        listed = [name for name in held[0].listed if name in here] or here
        yield from platforms.prove(job.target, held, job.promised or tuple(listed))
    for each in held:
        if "identity" in job.families:
            yield from users.prove(job.target, each)
        if "filesystem" in job.families:
            yield from filesystem.prove(job.target, each, job.policy)
        if "secrets" in job.families:
            yield from secrets.prove(job.target, each, secret, job.secrets)
        if "supply-chain" in job.families:
            known = supply_chain.prove(job.target, each, job.policy, job.expected, today, job.bases)
            yield from known
        if "budget" in job.families:
            yield from budget.prove(job.target, each, job.policy)


def _config(held: Contents) -> Mapping[str, Any]:
    section = held.config.get("config")
    return section if isinstance(section, Mapping) else {}
