"""Which base images targets need, wherever their Dockerfiles stand."""

from __future__ import annotations

from pathlib import Path

from tasks.core.bake import definitions, needs
from tasks.core.provision.bases import BaseNeed


def test_needs_add_up_over_targets_and_platforms(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM --platform=$BUILDPLATFORM node:22 AS a\nFROM a\n")
    document = {
        "target": {
            "file": {"platforms": ["linux/arm64"]},
            "inline": {"dockerfile-inline": "FROM node:22\n", "platforms": ["linux/arm/v7"]},
            "plain": {"dockerfile-inline": "FROM nginx:1\n"},
            "far": {"context": "https://example.org/x.git"},
            "given": {"dockerfile-inline": "FROM base\n", "contexts": {"base": "target:plain"}},
        }
    }
    found = needs.of(definitions.parse(tmp_path, document), "linux/amd64")
    assert found == (
        BaseNeed("nginx:1", ("linux/amd64",)),
        BaseNeed("node:22", ("linux/amd64", "linux/arm/v7")),
    )
