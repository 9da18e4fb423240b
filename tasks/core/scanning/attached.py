"""What is attached to an image in its registry: SBOM and provenance of each platform."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.core import process, untrusted
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.provision.registry import platform_name
from tasks.core.secrecy import masking
from tasks.core.session import Session
from tasks.core.untrusted import Malformed

SECONDS = 300
_TEMPLATE = (
    '{"manifest":{{json .Manifest}},"sbom":{{json .SBOM}},"provenance":{{json .Provenance}}}'
)
#: What generators call the whole, which is listed as a package too.
_WHOLE = "SPDXRef-DocumentRoot"
#: No image's name: buildx would take it for an option.
_NAME = re.compile(r"[A-Za-z0-9[][^\s]*")


@dataclass(frozen=True)
class Attached:
    """What is attached to one platform's image; an empty document is none.

    ``digest`` is the manifest's; ``platform`` is "" for an image that says none.
    """

    platform: str
    digest: str
    sbom: Mapping[str, Any] = field(default_factory=dict, repr=False)
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def packages(self) -> int:
        """How many packages the SBOM lists."""
        listed = self.sbom.get("packages")
        each = listed if isinstance(listed, list) else []
        return sum(isinstance(one, dict) and not _is_whole(one) for one in each)

    @property
    def materials(self) -> tuple[str, ...]:
        """What provenance says that it was made from, with version 0.2 or 1 of SLSA."""
        definition = self.provenance.get("buildDefinition")
        inner = definition.get("resolvedDependencies") if isinstance(definition, dict) else None
        listed = self.provenance.get("materials") or inner
        each = listed if isinstance(listed, list) else []
        return tuple(
            untrusted.shown(str(one.get("uri", "")), 200) for one in each if isinstance(one, dict)
        )


def argv(docker: str, reference: str) -> tuple[str, ...]:
    """Ask the registry what is attached to ``reference``, as JSON."""
    return (docker, "buildx", "imagetools", "inspect", reference, "--format", _TEMPLATE)


def read(session: Session, reference: str) -> tuple[Attached, ...]:
    """What is attached to the image ``reference`` in its registry, a platform each.

    Raises UsageError for what is no name, OutOfReach where no registry has it.
    """
    if not _NAME.fullmatch(reference):
        raise UsageError(f"{reference!r} is not the name of an image")
    done = process.read(
        argv(session.engine.docker, reference),
        env=session.environment,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode != 0:
        reason = untrusted.shown(masking.hide(process.plain(done.reason())))
        raise OutOfReach(f"{reference} cannot be read from its registry: {reason}")
    try:
        return parse(done.stdout)
    except Malformed as problem:
        told = untrusted.shown(str(problem))
        raise OutOfReach(f"{reference}: what is attached makes no sense: {told}") from None


def parse(content: str) -> tuple[Attached, ...]:
    """What buildx says of an image. Raises Malformed for what it would not say."""
    document = untrusted.mapping(untrusted.parse(content.encode(), "it"), "it")
    manifest = untrusted.mapping(document.get("manifest"), "manifest")
    boms = untrusted.mapping(document.get("sbom") or {}, "sbom")
    provenances = untrusted.mapping(document.get("provenance") or {}, "provenance")
    listed = dict(_listed(manifest)) or {"": untrusted.digest(manifest.get("digest"), "manifest")}
    return tuple(
        Attached(
            platform,
            digest,
            _one(boms, platform, "SPDX"),
            _one(provenances, platform, "SLSA"),
        )
        for platform, digest in listed.items()
    )


def _listed(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The platforms of an index; attestations are of an unknown one."""
    entries: Sequence[Any] = untrusted.sequence(manifest.get("manifests") or [], "manifests")
    for each in entries:
        entry = untrusted.mapping(each, "an entry of manifests")
        told = untrusted.mapping(entry.get("platform") or {}, "platform")
        platform = platform_name({key: str(value) for key, value in told.items()})
        if not platform.startswith("unknown"):
            yield untrusted.shown(platform, 80), untrusted.digest(entry.get("digest"), "a manifest")


def _one(found: Mapping[str, Any], platform: str, kind: str) -> Mapping[str, Any]:
    """The document of a platform; of an image for one alone it is not named."""
    entry = found if kind in found else found.get(platform) or {}
    return untrusted.mapping(untrusted.mapping(entry, kind).get(kind) or {}, kind)


def _is_whole(package: Mapping[str, Any]) -> bool:
    return str(package.get("SPDXID", "")).startswith(_WHOLE)
