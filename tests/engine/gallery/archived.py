"""Exhibits that no builder makes: archives put together byte by byte, which are never started."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.engine.gallery import fakes
from tests.engine.gallery.exhibit import LABELS
from tests.unit import archives, layers
from tests.unit.archives import MANIFEST, Layout

_AMD64 = {"os": "linux", "architecture": "amd64"}
_ACCOUNTS = layers.layer(
    layers.file("etc/passwd", b"root:x:0:0::/root:/usr/sbin/nologin\n"),
)
_STATEMENT = "application/vnd.in-toto+json"
#: Bytes of the sparse file, and of what is stored of it.
_APPARENT, _PIECE = 2**30, 4096


@dataclass(frozen=True)
class Archived:
    """An archive with the ``flaw``, which ``proof`` must catch; see `exhibit.Exhibit`."""

    name: str
    flaw: str
    proof: str | None
    make: Callable[[], bytes]
    also: tuple[str, ...] = ()


def _image(*filling: bytes) -> tuple[Layout, dict[str, Any]]:
    """A layout with one sound image, and the descriptor of its manifest."""
    layout = Layout()
    about = {"User": "65532:65532", "Labels": dict(LABELS), "Entrypoint": ["/server"]}
    stack = (_ACCOUNTS, *filling)
    document = layout.manifest(layers=stack, settings=archives.config(stack, config=about))
    return layout, {**layout.add(archives.encoded(document), MANIFEST), "platform": _AMD64}


def _sparse() -> bytes:
    """A file of 1 GiB of which one block is stored, as tar writes it: pax sparse 1.0."""
    listed = f"1\n{_APPARENT - _PIECE}\n{_PIECE}\n".encode().ljust(512, b"\0")
    told = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "data/sparse",
        "GNU.sparse.realsize": str(_APPARENT),
    }
    stored = listed + fakes.BULK[:_PIECE]
    member = layers.file("data/GNUSparseFile.0/sparse", stored, pax_headers=told)
    layout, descriptor = _image(layers.layer(member, format_=tarfile.PAX_FORMAT))
    return archives.tar(layout.files([descriptor]))


def _other_platform() -> bytes:
    layout, descriptor = _image()
    arm = {"os": "linux", "architecture": "arm64"}
    return archives.tar(layout.files([{**descriptor, "platform": arm}]))


def _foreign_provenance() -> bytes:
    """Provenance that hangs on this image, and is about another one."""
    layout, descriptor = _image()
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "app", "digest": {"sha256": "0" * 64}}],
        "predicate": {"builder": {"id": ""}, "buildType": "x", "materials": []},
    }
    kind = {"in-toto.io/predicate-type": statement["predicateType"]}
    attested = layout.add(json.dumps(statement).encode(), _STATEMENT, annotations=kind)
    none = archives.config((), architecture="unknown", os="unknown")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.add(archives.encoded(none), archives.CONFIG),
        "layers": [attested],
    }
    return archives.tar(layout.files([descriptor, _attestation(layout, manifest, descriptor)]))


def _attestation(
    layout: Layout, manifest: Mapping[str, Any], about: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        **layout.add(archives.encoded(manifest), MANIFEST),
        "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": about["digest"],
        },
    }


ARCHIVES = (
    Archived("sparse", "a sparse file of 1 GiB", None, _sparse),
    Archived(
        "other-platform",
        "an index that says another platform than the image's config",
        "platforms.config",
        _other_platform,
        ("platforms.index",),
    ),
    Archived(
        "foreign-provenance",
        "provenance that is about another image",
        "supply-chain.provenance",
        _foreign_provenance,
    ),
)
