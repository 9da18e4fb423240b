"""Attestations in an archive: statements sound, hostile, of any size, as BuildKit writes them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tasks.core.images import attestations, blobs, contents
from tasks.core.images.attestations import Material, Statement
from tasks.core.proofs import supply_chain
from tests.unit import attested
from tests.unit.archives import encoded, pieces
from tests.unit.attested import BASE, SLSA1, SPDX, material, provenance, sbom, statement

DATA = Path(__file__).parents[1] / "data"


def read(*statements: attested.Attached) -> tuple[Statement, ...]:
    return attestations.about(attested.image(*statements))


def test_what_provenance_says() -> None:
    git = {"uri": "https://example.com/x.git", "digest": {"sha1": "1" * 40}}
    pinned = {**material(), "uri": f"pkg:docker/a/b/node@22?digest={BASE}&platform=linux%2Famd64"}
    held = attested.image(provenance(material(), git, pinned))
    [found] = attestations.about(held)
    assert found.subjects == (held.digest,)
    assert found.materials == attestations.materials(held)
    assert found.materials == (
        Material("node:22-bookworm-slim", BASE, "linux/amd64", by_digest=False),
        Material("a/b/node:22", BASE, "linux/amd64", by_digest=True),
    )


def test_what_buildkit_really_attaches() -> None:
    archive = pieces((DATA / "image-attested.tar").read_bytes())
    held = contents.read(archive, "attested", supply_chain.INSPECTORS)
    assert sorted(each.platform for each in held) == ["linux/amd64", "linux/arm64"]
    for each in held:
        listed, built = attestations.about(each)
        assert (listed.predicate_type, listed.packages) == (SPDX, 1)
        assert built.predicate_type == attested.SLSA02
        assert listed.subjects == built.subjects == (each.digest,)
        [generator] = built.materials
        assert (generator.name, generator.platform) == ("slipway-a4:generator", "")


def test_names_in_package_urls_are_escaped() -> None:
    [found] = read(provenance(material("localhost%3A5000/library/node@22")))
    assert found.materials[0].name == "localhost:5000/library/node:22"


def test_an_sbom_larger_than_what_is_kept_of_an_archive() -> None:
    large = sbom(*map(str, range(160_000)))
    assert len(encoded(large)) > blobs.MAX_JSON_BYTES
    [found] = read(large)
    assert (found.predicate_type, found.packages, found.damage) == (SPDX, 160_000, "")


def test_files_of_layers_are_no_attestations() -> None:
    from tests.unit.layers import file, layer

    inside = layer(file("x.json", encoded(provenance())))
    held = attested.image(layers=[inside])
    assert attestations.about(held) == ()
    assert held.files["x.json"].found == ()


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v9"},
        {"_type": 7},
        {"subject": {}},
        {"subject": ["in-toto.io"]},
        {"subject": [{"digest": {"sha1": "1"}}]},
        {"predicate": {"materials": {}}},
        {"predicate": {"materials": [{}] * 101}},
        {"predicate": {"materials": [{"uri": 1}]}},
        {"predicate": {"materials": [{"uri": "pkg:docker/a", "digest": {"sha256": "\u001b[2J"}}]}},
    ],
)
def test_statements_that_make_no_sense(change: dict[str, Any]) -> None:
    about_it = {"name": "in-toto.io", "digest": {"sha256": "1" * 64}}
    made = {**provenance(material()), "subject": [about_it], **change}
    [found] = read(encoded(made))
    assert found.damage
    assert found.damage.isprintable()
    assert found.predicate_type == attested.SLSA02


@pytest.mark.parametrize(
    "content",
    [
        b'{"_type":"https://in-toto.io/Statement/v1"',
        b'{"_type":"https://in-toto.io/Statement/v1"}}',
        b'{"_type":"https://in-toto.io/Statement/v1","x":' + b"[" * 100_000,
        b'{"_type":"https://in-toto.io/Statement/v1","x":"' + b"a" * 2_000_000 + b'"}',
        b'{"_type":"https://in-toto.io/Statement/v1","subject":[],"subject":[]}',
    ],
)
def test_documents_that_demand_too_much(content: bytes) -> None:
    [found] = read(content)
    assert found.damage


def test_memory_stays_bounded() -> None:
    bulk = {"files": ["x" * 100] * 200_000}
    content = encoded(statement(SPDX, bulk, subject="1" * 64))
    held = attested.image(content)  # whatever the first reading keeps for good
    tracemalloc.start()
    probe = attestations.StatementInspector().open(_document(), content[:4096])
    assert probe is not None
    for start in range(0, len(content), 2**18):
        probe.feed(content[start : start + 2**18])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not attestations.about(held)[0].damage
    assert peak < 4 * 2**20


def test_provenance_is_believed_only_if_it_is_about_the_image() -> None:
    held = attested.image(provenance(material(), subject="0" * 64))
    assert attestations.materials(held) is None
    assert attestations.materials(attested.image(statement(SLSA1, {}))) == ()


def _document() -> Any:
    from tasks.core.images.entries import FileEntry, Kind

    return FileEntry("", Kind.OTHER, 0, 0, 0, 0)
