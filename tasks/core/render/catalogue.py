"""The catalogue of proofs, as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tasks.core.proofs.catalogue import Proof
from tasks.core.render import tables

FORMATS = ("text", "json", "markdown")


def render(proofs: Sequence[Proof], format_: str) -> str:
    """One row a proof; JSON also has why it matters and how it is observed."""
    if format_ == "json":
        return tables.document({"proofs": [asdict(proof) for proof in proofs]})
    rows = [(proof.id, proof.severity.value, proof.title) for proof in proofs]
    return tables.table(
        ("proof", "severity", "what it proves"), rows, markdown=format_ == "markdown"
    )
