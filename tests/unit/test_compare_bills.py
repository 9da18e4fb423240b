"""SBOMs that are attached to images, as the source of the packages that are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks.core.comparing import bills, images
from tasks.core.comparing.files import Change
from tasks.core.comparing.images import NOTES, SBOMS, Comparison
from tasks.core.images.contents import Contents
from tests.unit import attested, compared
from tests.unit.layers import file, layer

ATTACHED = Path(__file__).parents[1] / "data" / "scans" / "attached.json"
STATUS = b"Package: zlib\nStatus: install ok installed\nVersion: 1.2\nInstalled-Size: 10\n\n"


def listed(**versions: str) -> list[Mapping[str, Any]]:
    return [
        {
            "SPDXID": f"SPDXRef-Package-{name}",
            "name": name,
            "versionInfo": version,
            "externalRefs": [
                {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a"},
                {
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:deb/debian/{name}@{version}?arch=amd64",
                },
            ],
        }
        for name, version in versions.items()
    ]


def image(packages: list[Mapping[str, Any]] | None, **more: Any) -> Contents:
    statements = (
        []
        if packages is None
        else [attested.statement(attested.SPDX, {"packages": packages}, **more)]
    )
    layers = (layer(file("var/lib/dpkg/status", STATUS)),)
    return attested.image(*statements, layers=layers, inspectors=images.INSPECTORS)


def compare(one: Contents, other: Contents) -> Comparison:
    return images.compare(one, other)


def test_both_have_one() -> None:
    found = compare(image(listed(zlib="1.2", curl="8")), image(listed(zlib="1.3", curl="8")))
    assert found.packages_from == SBOMS
    [change] = found.packages
    assert (change.kind, change.name, change.change) == ("deb", "zlib", Change.CHANGED)
    assert (change.before, change.after) == (("1.2",), ("1.3",))
    assert change.before_bytes == 10 * 1024  # dpkg says so of the same package
    assert change.after_bytes is None
    assert (found.before.packages, found.after.packages) == (2, 2)
    assert "(from attached SBOMs)" in compared.rendered(found)
    document = json.loads(compared.rendered(found, "json"))
    assert document["platforms"][0]["packages_from"] == SBOMS


def test_one_alone_is_not_compared_with_notes() -> None:
    found = compare(image(listed(curl="8")), image(None))
    assert (found.packages_from, found.packages) == (NOTES, ())
    assert any("attached to one image only" in each for each in found.remarks)


def test_none_is_as_it_was() -> None:
    found = compare(image(None), image(None))
    assert (found.packages_from, found.remarks) == (NOTES, ())


@pytest.mark.parametrize(
    "packages",
    [
        [],
        [{"SPDXID": "SPDXRef-DocumentRoot-x", "name": "x"}],
        [{"SPDXID": "SPDXRef-Package-x", "name": "x"}],
        [{"SPDXID": "x", "externalRefs": [{"referenceType": "purl", "referenceLocator": 7}]}],
    ],
)
def test_one_that_lists_nothing_is_none(packages: list[Mapping[str, Any]]) -> None:
    assert bills.of(image(packages)) is None


def test_one_about_another_image_is_none() -> None:
    assert bills.of(image(listed(curl="8"), subject="0" * 64)) is None


def test_names_as_package_managers_write_them() -> None:
    real = json.loads(ATTACHED.read_text())["sbom"]["linux/amd64"]["SPDX"]["packages"]
    scoped = {
        "SPDXID": "x",
        "versionInfo": "1.0.0",
        "externalRefs": [
            {"referenceType": "purl", "referenceLocator": "pkg:npm/%40scope/name@1.0.0"}
        ],
    }
    found = bills.of(image([*real, scoped]))
    assert found is not None
    assert {(one.kind, one.name) for one in found} == {
        ("deb", "adduser"),
        ("deb", "apt"),
        ("deb", "base-files"),
        ("npm", "@scope/name"),
    }


def test_what_is_damaged_is_none() -> None:
    broken = attested.image(
        b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": 3}',
        inspectors=images.INSPECTORS,
    )
    assert bills.of(broken) is None
