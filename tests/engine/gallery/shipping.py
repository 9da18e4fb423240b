"""Flaws in what an image says about itself, stands on and costs, and in what is accepted of it."""

from __future__ import annotations

from tests.engine.gallery.exhibit import REVISION, VERSION, Exhibit

_IMAGE = "org.opencontainers.image"
_ATTESTED = {"attest": ["type=provenance,mode=min"]}
_BULK = "COPY bulk /data/bulk"

SUPPLY_CHAIN = (
    Exhibit(
        "other-version",
        "what runs is another version than the image says",
        "supply-chain.version",
        reported=("9.9.9", REVISION),
    ),
    Exhibit(
        "other-commit",
        "what runs was built from another commit than the image says",
        "supply-chain.commit",
        reported=(VERSION, "0" * 40),
    ),
    Exhibit(
        "stale-revision",
        "it says that it was built from another commit than it was",
        "supply-chain.revision",
        labels={f"{_IMAGE}.revision": "0" * 40},
        reported=(VERSION, "0" * 40),
    ),
    Exhibit(
        "stale-version",
        "it says that it is an earlier version",
        "supply-chain.version-label",
        labels={f"{_IMAGE}.version": "1.2.2"},
        reported=("1.2.2", REVISION),
    ),
    Exhibit(
        "untitled",
        "it has no title",
        "supply-chain.annotations",
        labels={f"{_IMAGE}.title": None},
    ),
    Exhibit(
        "undated",
        "the day it was created on is no date",
        "supply-chain.annotations",
        labels={f"{_IMAGE}.created": "yesterday"},
    ),
    Exhibit(
        "from-the-future",
        "it says that it was created in the next century",
        "supply-chain.annotations",
        labels={f"{_IMAGE}.created": "2126-01-02T03:04:05Z"},
    ),
    Exhibit(
        "other-base",
        "it names a base that its provenance does not",
        "supply-chain.base-name",
        labels={f"{_IMAGE}.base.name": "debian:13"},
        target=_ATTESTED,
    ),
    Exhibit(
        "other-base-digest",
        "it says a digest of its base that its provenance does not",
        "supply-chain.base-digest",
        labels={f"{_IMAGE}.base.digest": f"sha256:{'0' * 64}"},
        target=_ATTESTED,
    ),
    Exhibit(
        "past-its-end",
        "a base whose end of life has come",
        "supply-chain.lifecycle",
        lines=(
            "COPY os-release-old /etc/os-release",
            "COPY debian-version-old /etc/debian_version",
        ),
    ),
    Exhibit(
        "floating-base",
        "a base by its tag where the policy wants a digest",
        "supply-chain.pinned",
        ("supply-chain.base-*",),
        base="gallery-base:1",
        target={"contexts": {"gallery-base:1": "target:scratch"}},
        told={"contexts": {}},
        policy={"pinned_bases": True},
    ),
    Exhibit(
        "no-provenance",
        "no provenance where the policy wants it",
        "supply-chain.provenance",
        policy={"provenance": True},
    ),
    Exhibit(
        "no-sbom",
        "no SBOM where the policy wants one",
        "supply-chain.sbom",
        policy={"sbom": True},
    ),
)

BUDGET = (
    Exhibit(
        "heavy-to-pull",
        "more to pull than the budget has",
        "budget.compressed",
        lines=(_BULK,),
        policy={"max_compressed_mib": 0.5},
    ),
    Exhibit(
        "heavy-on-disk",
        "more on the disk than the budget has",
        "budget.unpacked",
        lines=(_BULK,),
        policy={"max_unpacked_mib": 0.5},
    ),
    Exhibit(
        "many-layers",
        "more layers than the budget has",
        "budget.layers",
        lines=tuple(f"COPY page.html /srv/{number}.html" for number in range(4)),
        policy={"max_layers": 4},
    ),
    Exhibit(
        "written-twice",
        "a file that a later layer replaces",
        "budget.wasted",
        lines=(_BULK, "COPY bulk-again /data/bulk"),
        policy={"max_wasted_mib": 0.5},
    ),
    Exhibit(
        "slow-start",
        "slower to start than the budget has",
        "budget.startup",
        words=("late=1500",),
        policy={"max_startup_seconds": 1.0},
    ),
    Exhibit(
        "hungry",
        "more memory when idle than the budget has",
        "budget.memory",
        words=("hungry=64",),
        policy={"max_idle_mib": 32},
    ),
)

POLICY = (
    Exhibit(
        "expired-exception",
        "a setuid program that was accepted up to a day that is over",
        "filesystem.setuid",
        lines=("COPY --chmod=4755 server /usr/bin/helper",),
        policy={
            "exceptions": [
                {
                    "proof": "filesystem.setuid",
                    "match": "*",
                    "reason": "for this test",
                    "expires": "2026-01-01",
                }
            ]
        },
    ),
)
EXHIBITS = (*SUPPLY_CHAIN, *BUDGET, *POLICY)
