"""What the documentation lists is what there is."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from tasks.core.proofs.policy import Policy

DOCS = Path(__file__).parents[2] / "docs"


def test_every_key_of_the_policy_is_documented_with_its_default() -> None:
    lines = (DOCS / "verification.md").read_text().splitlines()
    rows = {
        line.split("|")[1].strip(): line.split("|")[2].strip() for line in lines if "| `" in line
    }
    for field in fields(Policy):
        default = getattr(Policy(), field.name)
        told = rows[f"`{field.name}`"].strip("`")
        assert told == _shown(default), field.name


def test_each_technique_says_what_why_what_it_brought_and_when_not() -> None:
    page = (DOCS / "optimization.md").read_text()
    sections = [part for part in page.split("\n## ")[1:] if not part.startswith("How it is")]
    assert len(sections) > 5
    for section in sections:
        title = section.splitlines()[0]
        for word in ("**What.**", "**Why.**", "**When not.**"):
            assert section.count(word) == 1, f"{title}: {word}"
        assert ("<!-- variants " in section) != ("**Measured here.**" in section), title


def _shown(default: object) -> str:
    if default is None:
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return f"[{', '.join(map(str, default))}]"
    return str(default)
