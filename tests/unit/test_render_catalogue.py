"""The catalogue of proofs: the page in docs is what the code says, and says all of it."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.core.render import catalogue
from tasks.core.verifying.catalogue import CATALOGUE

PAGE = Path(__file__).parents[2] / "docs/proofs.md"


def test_the_page_is_what_the_catalogue_says() -> None:
    """If not: inv verify.list --format markdown --output docs/proofs.md."""
    assert PAGE.read_text(encoding="utf-8") == catalogue.render(CATALOGUE, "markdown") + "\n"


def test_every_family_says_what_it_starts_or_reads() -> None:
    assert {proof.family for proof in CATALOGUE} <= set(catalogue.FAMILIES)


def test_every_proof_is_told_in_full() -> None:
    page = catalogue.render(CATALOGUE, "markdown")
    for proof in CATALOGUE:
        assert page.count(f"\n### {proof.id}\n") == 1
        assert proof.title
        assert proof.reason.endswith((".", "?", "!"))
        assert proof.observed.endswith((".", "?", "!"))


def test_json_has_all_fields() -> None:
    first = json.loads(catalogue.render(CATALOGUE, "json"))["proofs"][0]
    assert set(first) == {"family", "id", "title", "severity", "reason", "observed"}


def test_text_has_a_row_each() -> None:
    lines = catalogue.render(CATALOGUE, "text").splitlines()
    assert len(lines) == len(CATALOGUE) + 2
