"""Proofs on where an image comes from: what it says, what it is built on, what is attached."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tasks.core.proofs import supply_chain
from tasks.core.proofs.labels import Expected
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Status, Verdict
from tests.unit import attested, layers
from tests.unit.attested import BASE, OTHER, SLSA1, material, provenance, sbom, statement
from tests.unit.layers import Member, file, layer, link

TODAY = date(2026, 11, 24)
COMMIT = "5a9fb06b80c5951ee9175a9fb06b80c5951ee917"
LABELS = {
    "title": "app",
    "version": "1.2.3",
    "revision": COMMIT,
    "created": "2026-11-20T10:11:12Z",
}
FOREIGN = Expected()
EXPECTED = Expected(version="1.2.3", revision=COMMIT)
DEFAULTS, STRICT = Policy(), Policy(pinned_bases=True, provenance=True, sbom=True)


def verdict(
    name: str,
    *statements: attested.Attached,
    policy: Policy = DEFAULTS,
    expected: Expected = EXPECTED,
    today: date = TODAY,
    bases: tuple[str, ...] = (),
    labels: dict[str, str] | None = None,
    notes: dict[str, str] | None = None,
    members: tuple[Member, ...] = (file("app", b"1"),),
    **config: Any,
) -> Verdict:
    said = {f"org.opencontainers.image.{k}": v for k, v in (labels or LABELS).items()}
    annotations = {f"org.opencontainers.image.{k}": v for k, v in (notes or {}).items()}
    held = attested.image(
        *statements,
        layers=[layer(*members)],
        annotations=annotations,
        config={"Labels": said, **config},
    )
    found = supply_chain.prove("web", held, policy, expected, today, bases)
    assert [each.proof for each in found] == [proof.id for proof in supply_chain.PROOFS]
    return {each.proof: each for each in found}[f"supply-chain.{name}"]


def failure(name: str, *statements: attested.Attached, **options: Any) -> str:
    found = verdict(name, *statements, **options)
    assert found.status is Status.FAILED
    assert found.findings
    return found.message


def status(name: str, *statements: attested.Attached, **options: Any) -> Status:
    return verdict(name, *statements, **options).status


class TestLabels:
    def test_a_sound_image(self) -> None:
        assert verdict("annotations").message == "well-formed: created, revision, title, version"

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("title", " ", "not a title"),
            ("version", "", "empty, which is not a version"),
            ("version", "1 2", "not a version"),
            ("revision", "unknown", "unknown, which is not a revision"),
            ("created", "2026-11-20", "not a date as RFC 3339 has it"),
            ("created", "2026-11-20T10:11:12", "not a date"),
            ("created", "2026-02-31T10:11:12Z", "not a date"),
            ("created", "2026-11-27T00:00:00Z", "in the future"),
            ("source", "somewhere", "not an address"),
            ("licenses", "MIT; see there", "not an SPDX expression"),
            ("base.digest", "sha256:12", "not a digest"),
            ("base.name", "", "not an image's name"),
        ],
    )
    def test_what_is_malformed(self, key: str, value: str, message: str) -> None:
        assert message in failure("annotations", labels={**LABELS, key: value})
        assert message in failure("annotations", labels={key: value}, expected=FOREIGN)

    @pytest.mark.parametrize(
        "created",
        [
            *("1970-01-01T00:00:00Z", "2026-11-25T03:00:00+14:00", "2026-11-20 10:11:12.5-02:00"),
            "2026-11-20t10:11:12z",
        ],
    )
    def test_dates_that_are_fine(self, created: str) -> None:
        assert status("annotations", labels={**LABELS, "created": created}) is Status.PASSED

    def test_a_build_may_be_given_any_date(self) -> None:
        later = {**LABELS, "created": "2100-01-01T00:00:00Z"}
        given = Expected(epoch_seconds=4_102_444_800)
        assert status("annotations", labels=later, expected=given) is Status.PASSED
        assert status("annotations", labels=later) is Status.FAILED

    def test_what_is_missing_in_images_of_ones_own(self) -> None:
        only = {"title": "app"}
        assert (
            "org.opencontainers.image.created is missing"
            in verdict("annotations", labels=only).findings
        )
        assert status("annotations", labels=only, expected=FOREIGN) is Status.PASSED
        found = verdict("annotations", expected=FOREIGN, labels={"x": "y"}, Labels={"a": "b"})
        assert found.status is Status.SKIPPED

    def test_annotations_of_the_manifest_count_and_have_to_agree(self) -> None:
        assert status("annotations", labels={"title": "app"}, notes=LABELS) is Status.PASSED
        both = failure("annotations", notes={"version": "2.0.0"})
        assert both == "org.opencontainers.image.version is 2.0.0, and as a label 1.2.3"

    @pytest.mark.parametrize("name", ["version-label", "revision"])
    def test_right_and_not_known(self, name: str) -> None:
        assert status(name) is Status.PASSED
        assert status(name, expected=FOREIGN) is Status.SKIPPED

    def test_wrong_and_missing(self) -> None:
        wrong = failure("version-label", labels={**LABELS, "version": "1.2.4"})
        assert wrong == "version is 1.2.4, not 1.2.3: built of another state"
        assert "is missing; it should be 1.2.3" in failure("version-label", labels={"title": "a"})
        assert failure("revision", labels={**LABELS, "revision": "f" * 40})

    @pytest.mark.parametrize(("said", "same"), [(COMMIT[:12], True), (COMMIT[:6], False)])
    def test_short_commits(self, said: str, same: bool) -> None:
        found = verdict("revision", labels={**LABELS, "revision": said})
        assert found.status is (Status.PASSED if same else Status.FAILED)

    def test_labels_that_are_no_texts(self) -> None:
        assert status("annotations", expected=FOREIGN, Labels=["x"]) is Status.SKIPPED
        assert status("annotations", expected=FOREIGN, Labels={"a": 1}) is Status.SKIPPED


#: What an image says of its base, in full.
BOTH = {
    **LABELS,
    "base.name": "registry.example/library/node:22-bookworm-slim",
    "base.digest": BASE,
}


class TestBase:
    def test_what_provenance_names(self) -> None:
        for name in ("base-name", "base-digest"):
            assert status(name, provenance(material()), labels=BOTH) is Status.PASSED

    def test_a_base_that_the_build_does_not_know(self) -> None:
        other = provenance(material("node@20", OTHER), material("alpine@3.22", OTHER))
        assert "provenance names node:20, alpine:3.22" in failure("base-name", other, labels=BOTH)
        assert "provenance names" in failure("base-digest", other, labels=BOTH)
        assert "provenance names no image" in failure("base-name", provenance(), labels=BOTH)

    def test_the_digest_is_that_of_the_base_and_of_no_other_image(self) -> None:
        both = provenance(material(digest=OTHER), material("alpine@3.22", BASE))
        assert failure("base-digest", both, labels=BOTH)

    def test_the_dockerfile(self) -> None:
        base = f"node:22-bookworm-slim@{BASE}"
        for name in ("base-name", "base-digest"):
            assert status(name, labels=BOTH, expected=Expected(base=base)) is Status.PASSED
            assert status(name, labels=BOTH, bases=("alpine:3", base)) is Status.PASSED
        assert "the Dockerfile builds on node:22" in failure(
            "base-name", labels=BOTH, bases=("node:22",)
        )
        other = Expected(base=f"node:20@{OTHER}")
        assert "the Dockerfile builds on node:20" in failure(
            "base-name", labels=BOTH, expected=other
        )
        assert "the Dockerfile asks for sha256:000000000000" in failure(
            "base-digest", labels=BOTH, expected=other
        )

    def test_nothing_to_compare_with(self) -> None:
        found = verdict("base-digest", labels=BOTH)
        assert (found.status, found.measured) == (Status.SKIPPED, "sha256:bbbbbbbbbbbb")
        assert status("base-name", labels=BOTH) is Status.SKIPPED

    def test_the_same_bytes_by_another_name(self) -> None:
        folder = {**material(), "uri": "pkg:oci/x?digest=1"}
        for name in ("base-name", "base-digest"):
            assert status(name, provenance(folder), labels=BOTH) is Status.PASSED

    def test_provenance_alone_says_it_too(self) -> None:
        found = verdict("base-digest", provenance(material()), policy=STRICT)
        assert found.message == "provenance names node:22-bookworm-slim@sha256:bbbbbbbbbbbb"
        generator = {**material("scanner@1"), "uri": "pkg:docker/scanner@1"}
        for scratch in (provenance(), provenance(generator)):
            assert verdict("base-name", scratch).message == "provenance names no base"

    def test_silence_fails_only_where_the_policy_asks(self) -> None:
        for name in ("base-name", "base-digest"):
            assert status(name) is Status.SKIPPED
            assert "wants bases pinned" in failure(name, policy=STRICT, bases=("node:22",))
            assert "wants bases pinned" in failure(name, policy=STRICT, expected=FOREIGN)

    def test_provenance_of_another_image_proves_nothing(self) -> None:
        foreign = provenance(material(), subject=OTHER)
        assert status("base-name", foreign) is Status.SKIPPED

    def test_pinned(self) -> None:
        pinned = (f"node:22@{BASE}", f"docker-image://alpine@{BASE}", "scratch")
        assert verdict("pinned", policy=STRICT, bases=pinned).message == "2 bases, all by digest"
        loose = (f"node:22@{BASE}", "alpine:3.22")
        assert failure("pinned", policy=STRICT, bases=loose) == (
            "alpine:3.22 is named by a tag, not by its digest"
        )
        assert status("pinned", bases=loose) is Status.SKIPPED
        assert status("pinned", policy=STRICT, bases=()) is Status.SKIPPED

    def test_a_look_alike_is_not_what_is_pinned(self) -> None:
        name = (f"node:22@{BASE}",)
        said = verdict(
            "pinned", policy=STRICT, bases=name, Labels={"dev.slipway.lookalike": "true"}
        )
        assert said.status is Status.FAILED
        assert said.message.startswith("a look-alike stood in for its base")

    def test_provenance_has_to_name_what_is_pinned(self) -> None:
        """The lock moved on, or was not kept to, and the image says nothing of its base."""
        pinned = (f"node:22-bookworm-slim@{OTHER}",)
        built = provenance(material())
        assert failure("base-digest", built, bases=pinned) == (
            "node:22-bookworm-slim@sha256:000000000000 is asked for, provenance names "
            "node:22-bookworm-slim@sha256:bbbbbbbbbbbb"
        )
        right = (f"node:22-bookworm-slim@{BASE}",)
        assert status("base-digest", built, bases=right) is Status.PASSED

    def test_an_image_of_ones_own_from_scratch_has_no_base_to_name(self) -> None:
        for name in ("base-name", "base-digest", "pinned"):
            assert status(name, policy=STRICT, bases=("scratch",)) is Status.SKIPPED


def release(**fields: str) -> Member:
    text = "\n".join(["# about", "", *(f'{name}="{value}"' for name, value in fields.items())])
    return file("usr/lib/os-release", text.encode())


def node(path: str, version: str) -> Member:
    inside = f"x/release/v{version}/node-v{version}-headers.tar.gz\0".encode()
    return file(path, b"\x7fELF" + bytes(300_000) + inside + bytes(300_000), 0o755)


class TestLifecycle:
    ETC = link("etc/os-release", "../usr/lib/os-release")

    def prove(self, *members: Member, **options: Any) -> Verdict:
        return verdict("lifecycle", members=(file("app", b"1"), *members), **options)

    @pytest.mark.parametrize(
        ("fields", "status", "text"),
        [
            ({"ID": "debian", "VERSION_ID": "12"}, "passed", "is supported until 2028-06-30"),
            ({"ID": "debian", "VERSION_ID": "11"}, "failed", "Debian 11 ended on 2026-08-31"),
            ({"ID": "debian", "VERSION_ID": "9"}, "failed", "Debian 9 ended before 10"),
            ({"ID": "debian", "VERSION_ID": "20"}, "skipped", "not in the table of 2026-08-22"),
            ({"ID": "debian", "PRETTY_NAME": "trixie/sid"}, "skipped", "no version"),
            ({"ID": "ubuntu", "VERSION_ID": "25.04"}, "failed", "Ubuntu 25.04 ended on"),
            ({"ID": "ubuntu", "VERSION_ID": "24.04"}, "passed", "until 2029-05-31"),
            ({"ID": "alpine", "VERSION_ID": "3.21.3"}, "failed", "3.21 ended on 2026-11-01"),
            ({"ID": "alpine", "VERSION_ID": "3.22.1"}, "passed", "Alpine 3.22"),
            ({"ID": "alpine", "VERSION_ID": "3.25.0_alpha1"}, "skipped", "no release"),
            ({"ID": "debian", "VERSION_ID": "\x1b[2J"}, "skipped", "\\x1b[2J is no release"),
            ({"ID": "fedora", "PRETTY_NAME": "Fedora 40"}, "skipped", "Fedora 40 is not in"),
            ({"NAME": "x"}, "skipped", "is not in the table"),
        ],
    )
    def test_systems(self, fields: dict[str, str], status: str, text: str) -> None:
        found = self.prove(release(**fields), self.ETC)
        assert (found.status.value, text in found.message) == (status, True), found.message

    def test_the_last_day_counts(self) -> None:
        last = release(ID="debian", VERSION_ID="11")
        assert self.prove(last, today=date(2026, 8, 31)).status is Status.PASSED
        assert self.prove(last, today=date(2026, 9, 1)).status is Status.FAILED

    def test_distroless_is_frozen_before_its_debian_ends(self) -> None:
        title = {"ID": "debian", "VERSION_ID": "12", "PRETTY_NAME": "Distroless"}
        in_june = date(2026, 6, 1)
        assert self.prove(release(**title), today=in_june).status is Status.PASSED
        found = self.prove(release(**title), node("nodejs/bin/node", "22.1.0"), today=in_june)
        assert found.findings == ("distroless Node.js on Debian 12 ended on 2026-01-31",)

    def test_distroless_by_its_name(self) -> None:
        named = Expected(base="distroless/nodejs22-debian12:nonroot")
        own = release(ID="debian", VERSION_ID="12")
        assert "on Debian 12 ended" in self.prove(own, expected=named).message
        look_alike = {"dev.slipway.lookalike": "true"}
        bases = ("node:22", named.base or "")
        assert self.prove(own, bases=bases, Labels=look_alike).status is Status.FAILED
        current = ("distroless/nodejs22-debian13:nonroot",)
        assert self.prove(own, bases=current).status is Status.PASSED

    @pytest.mark.parametrize(
        ("version", "status"), [("22.11.0", "passed"), ("20.20.2", "failed"), ("99.0.0", "skipped")]
    )
    def test_node_by_what_is_inside(self, version: str, status: str) -> None:
        found = self.prove(node("usr/local/bin/node", version))
        assert found.status.value == status
        assert "/usr/local/bin/node: Node.js" in found.message

    def test_one_that_ended_fails_whatever_else_is_there(self) -> None:
        system = release(ID="debian", VERSION_ID="12")
        found = self.prove(system, self.ETC, node("opt/node", "18.0.0"))
        assert found.findings == ("/opt/node: Node.js 18 ended on 2025-04-30",)

    def test_what_a_distribution_built_is_its_own_business(self) -> None:
        own = file("usr/bin/node", b"\x7fELF no address", 0o755)
        script = file("app/node", b"#!/bin/sh node-v10.0.0-headers.tar", 0o755)
        assert self.prove(own, script).status is Status.SKIPPED

    def test_nginx_of_the_project(self) -> None:
        assert "nginx 1.28 ended on 2026-04-14" in self.prove(Env=["NGINX_VERSION=1.28.0"]).message
        assert self.prove(Env=["NGINX_VERSION=1.30.2", 7]).status is Status.PASSED

    def test_look_alikes_ship_nowhere(self) -> None:
        label = {"dev.slipway.lookalike": "true"}
        old = self.prove(node("usr/local/bin/node", "20.11.0"), Labels=label)
        assert (old.status, "look-alike" in old.message) == (Status.SKIPPED, True)
        assert self.prove(node("usr/bin/node", "22.1.0"), Labels=label).status is Status.PASSED

    def test_nothing_that_is_known(self) -> None:
        assert self.prove().message == "no system and no runtime that is known here"


class TestAttached:
    @pytest.mark.parametrize("name", ["provenance", "sbom"])
    def test_none(self, name: str) -> None:
        assert status(name) is Status.SKIPPED
        assert failure(name, policy=STRICT) == "none attached"

    def test_both(self) -> None:
        attached = (provenance(material()), sbom("libc", "zlib"))
        assert verdict("provenance", *attached, policy=STRICT).message == (
            "https://slsa.dev/provenance/v0.2, 1 images"
        )
        assert verdict("sbom", *attached, policy=STRICT).message == (
            "https://spdx.dev/Document, 2 packages"
        )

    def test_slsa_1(self) -> None:
        new = statement(SLSA1, {"buildDefinition": {"resolvedDependencies": [material()]}})
        assert "v1, 1 images" in verdict("provenance", new, policy=STRICT).message

    def test_about_another_image(self) -> None:
        assert "is about sha256:000000000000, not about sha256:" in failure(
            "provenance", provenance(subject=OTHER)
        )
        assert "https://spdx.dev/Document is about" in failure("sbom", sbom("a", subject=OTHER))

    def test_an_unknown_kind(self) -> None:
        other = statement("https://example.com/review", {})
        assert status("provenance", other) is Status.SKIPPED
        assert "only https://example.com/review" in failure("provenance", other, policy=STRICT)

    def test_an_sbom_of_nothing(self) -> None:
        assert failure("sbom", sbom(), policy=STRICT) == "it lists no package"
        assert status("sbom", sbom()) is Status.PASSED

    @pytest.mark.parametrize("policy", [Policy(), STRICT])
    def test_damage(self, policy: Policy) -> None:
        broken = b'{"_type":"https://in-toto.io/Statement/v0.1","predicateType":'
        assert "cannot be read" in failure("provenance", broken, policy=policy)


def test_images_of_older_engines_have_no_manifest() -> None:
    held = layers.image(layer(file("app", b"1")), inspectors=supply_chain.INSPECTORS)
    found = supply_chain.prove("web", held, Policy(), FOREIGN, TODAY)
    assert {each.status for each in found} == {Status.SKIPPED}
