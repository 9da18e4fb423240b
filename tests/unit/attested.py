"""Images with attestations, as BuildKit attaches them: a manifest of statements in the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.images import contents
from tasks.core.images.contents import Contents
from tasks.core.images.entries import Inspector
from tasks.core.proofs import supply_chain
from tests.unit import archives
from tests.unit.archives import INDEX, MANIFEST, Layout, encoded, pieces
from tests.unit.layers import file, layer

OTHER = f"sha256:{'0' * 64}"
BASE = f"sha256:{'b' * 64}"
SLSA02, SLSA1 = "https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1"
SPDX = "https://spdx.dev/Document"
IN_TOTO = "application/vnd.in-toto+json"

#: A statement of that kind about that digest, or its bytes.
Attached = Mapping[str, Any] | bytes


def statement(
    kind: str, predicate: Mapping[str, Any], subject: str = "", **more: Any
) -> dict[str, Any]:
    """A statement about ``subject``, empty for the image that it is attached to."""
    return {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": kind,
        "subject": [{"name": "pkg:docker/app", "digest": {"sha256": subject}}],
        "predicate": predicate,
        **more,
    }


def material(name: str = "node@22-bookworm-slim", digest: str = BASE) -> dict[str, Any]:
    uri = f"pkg:docker/{name}?platform=linux%2Famd64"
    return {"uri": uri, "digest": {"sha256": digest.removeprefix("sha256:")}}


def provenance(*materials: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return statement(SLSA02, {"materials": list(materials)}, **more)


def sbom(*packages: str, **more: Any) -> dict[str, Any]:
    whole = {"SPDXID": "SPDXRef-DocumentRoot-Directory-x", "name": "x"}
    listed = [{"SPDXID": f"SPDXRef-Package-{name}", "name": name} for name in packages]
    return statement(SPDX, {"packages": [whole, *listed]}, **more)


def image(
    *statements: Attached,
    layers: Sequence[bytes] = (layer(file("app", b"1")),),
    annotations: Mapping[str, Any] | None = None,
    inspectors: Sequence[Inspector] = supply_chain.INSPECTORS,
    **settings: Any,
) -> Contents:
    """An image with ``statements``; ``settings`` change its config."""
    layout = Layout()
    manifest = layout.manifest(layers=layers, settings=archives.config(layers, **settings))
    own = layout.add(
        encoded({**manifest, "annotations": annotations} if annotations else manifest), MANIFEST
    )
    own["platform"] = {"os": "linux", "architecture": "amd64"}
    listed = [own]
    if statements:
        stored = [layout.add(_about(each, own["digest"]), IN_TOTO) for each in statements]
        notes = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": own["digest"],
        }
        document = {**layout.manifest(layers=[]), "layers": stored}
        described = layout.add(encoded(document), MANIFEST, annotations=notes)
        nowhere = {"os": "unknown", "architecture": "unknown"}
        listed.append({**described, "platform": nowhere})
    top = layout.add(encoded({"manifests": listed}), INDEX)
    archive = archives.tar(layout.files([top]))
    [read] = contents.read(pieces(archive, 50_000), "app:1", inspectors)
    return read


def _about(statement: Attached, digest: str) -> bytes:
    if isinstance(statement, bytes):
        return statement
    subjects = [
        {**each, "digest": {"sha256": (each["digest"]["sha256"] or digest).removeprefix("sha256:")}}
        for each in statement["subject"]
    ]
    return encoded({**statement, "subject": subjects})
