"""One image of the gallery: what is wrong with it, and the Dockerfile and policy that it has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PORT = 8080
_IMAGE = "org.opencontainers.image"
VERSION = "1.2.3"
REVISION = "5f0c1ad2b6e94e7f8a3d1c2b4a5968778695a4b3"
#: What is right: exhibits change single labels, None takes one away.
LABELS: Mapping[str, str] = {
    f"{_IMAGE}.title": "gallery",
    f"{_IMAGE}.version": VERSION,
    f"{_IMAGE}.revision": REVISION,
    f"{_IMAGE}.created": "2026-01-02T03:04:05Z",
}
#: What is demanded of every exhibit; each may change some of it.
POLICY: Mapping[str, Any] = {
    "port": PORT,
    "health": "/health",
    "healthy_seconds": 20,
    "burst_requests": 50,
}
#: Whole seconds: hadolint, that these are also given to, reads no others.
_OFTEN = "--interval=10s --start-interval=1s --start-period=20s --timeout=5s"


@dataclass(frozen=True)
class Exhibit:
    """An image with the ``flaw``, which ``proof`` must catch; a sound one has no ``proof``.

    ``also`` are proofs, by id or glob, that fail because of the same flaw. ``words`` are the flaws
    of server.c. ``lines`` stand in the Dockerfile before USER. ``target`` has more keys of the
    bake target, ``told`` those that Slipway reads instead of what was built with.
    """

    name: str
    flaw: str
    proof: str | None = None
    also: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    base: str = "scratch"
    user: str | None = "65532:65532"
    entrypoint: tuple[str, ...] = ("/server",)
    health: tuple[str, ...] | None = ("/server", "health", str(PORT))
    port: int | None = PORT
    labels: Mapping[str, str | None] = field(default_factory=dict)
    reported: tuple[str, str] = (VERSION, REVISION)
    policy: Mapping[str, Any] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.proof is None


def dockerfile(exhibit: Exhibit) -> str:
    """The whole Dockerfile of an exhibit."""
    labels = {key: value for key, value in {**LABELS, **exhibit.labels}.items() if value}
    version, commit = exhibit.reported
    check = f"{_OFTEN} CMD {json.dumps(exhibit.health)}" if exhibit.health else "NONE"
    lines = [
        f"FROM {exhibit.base}",
        *(f"LABEL {key}={json.dumps(value)}" for key, value in labels.items()),
        *(["COPY passwd group /etc/"] if exhibit.base == "scratch" else []),
        "COPY server /server",
        *exhibit.lines,
        f"ENV VERSION={version} COMMIT={commit}",
        *([f"EXPOSE {exhibit.port}"] if exhibit.port else []),
        *([f"USER {exhibit.user}"] if exhibit.user else []),
        f"HEALTHCHECK {check}",
        f"ENTRYPOINT {json.dumps(exhibit.entrypoint)}",
        *([f"CMD {json.dumps(exhibit.words)}"] if exhibit.words else []),
    ]
    return "\n".join(lines) + "\n"


def build_file(exhibits: Sequence[Exhibit], project: str) -> str:
    """The bake file that all images are built by."""
    own = {"attest": ["type=provenance,disabled=true"], "output": ["type=docker"]}
    targets = {each.name: {**_target(each, project), **own, **each.target} for each in exhibits}
    return _bake_file(targets)


def told_file(exhibits: Sequence[Exhibit], project: str) -> str:
    """The bake file that Slipway reads: what the images are meant to be."""
    right = {f"{_IMAGE}.version": VERSION, f"{_IMAGE}.revision": REVISION}
    found = {}
    for each in exhibits:
        target = {**_target(each, project), **each.target, **each.told}
        found[each.name] = {**target, "labels": {**target["labels"], **right}}
    return _bake_file(found)


def invoke_yaml(exhibits: Sequence[Exhibit]) -> str:
    """The policy of all exhibits; JSON is YAML."""
    changes = {each.name: dict(each.policy) for each in exhibits if each.policy}
    return json.dumps({"slipway": {"policy": {"*": dict(POLICY), **changes}}}, indent=1)


def reference(name: str, project: str) -> str:
    """What an exhibit's image is called in the engine."""
    return f"{project}:{name}"


def _target(exhibit: Exhibit, project: str) -> dict[str, Any]:
    return {
        "context": "context",
        "dockerfile": f"../dockerfiles/{exhibit.name}.Dockerfile",
        "tags": [reference(exhibit.name, project)],
        "labels": {"dev.slipway.project": project},
    }


def _bake_file(targets: Mapping[str, Mapping[str, Any]]) -> str:
    group = {"default": {"targets": list(targets)}}
    return json.dumps({"group": group, "target": targets}, indent=1)
