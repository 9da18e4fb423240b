"""The catalogue of proofs, as text, JSON, or the page docs/proofs.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from tasks.core.proofs.catalogue import Proof
from tasks.core.render import markdown, tables

FORMATS = ("text", "json", "markdown")
#: What a family is about, and what it starts or reads.
FAMILIES: Mapping[str, str] = {
    "runtime": "The image is started: read-only, without capabilities, without new privileges, "
    "with limits on memory and processes. What it does then is watched from outside until it "
    "has stopped. Every container is removed, whatever happens.",
    "identity": "Who the processes are, by the kernel's record of the container that the runtime "
    "proofs start; and who the image says they are, by its config and its accounts.",
    "platforms": "The index, the configs and the head of every ELF file are read, for all "
    "platforms; nothing is started but where a proof says so.",
    "filesystem": "The files of all layers are put together as a container would see them; "
    "nothing is started.",
    "secrets": "Every byte of every layer is searched, and every text about the image; nothing is "
    "started.",
    "supply-chain": "What the image says about its origin, in labels, annotations and "
    "attestations, is compared with the build, and with what its running program reports.",
    "budget": "Sizes are added up from the layers. Start-up and memory are measured on the "
    "container that the runtime proofs start.",
    "structure": "The tests of a container-structure-test file. Files and metadata are read from "
    "the layers; a container is started for each command.",
    "tests": "A service's own tests, which its testing image runs when it is started.",
    "policy": "What `invoke.yaml` demands is looked at, not an image.",
}
INTRODUCTION = """# Proofs

<!-- Made by: inv verify.list --format markdown --output docs/proofs.md -->

What Slipway proves of images by itself. The tasks are `inv verify.production`, `inv verify.image`
and the others of `inv --list verify`. What a target has to keep to, which proofs apply to it and
what is accepted for a while, says `invoke.yaml`. How the outcome is written, and which exit code
follows, is in [formats.md](formats.md).

A failure has the severity that stands here; `--severity` sets from which one on the task fails."""


def render(proofs: Sequence[Proof], format_: str) -> str:
    """One row a proof; JSON also has why it matters and how it is observed; Markdown is a page."""
    if format_ == "json":
        return tables.document(
            {"proofs": [{"family": proof.family, **asdict(proof)} for proof in proofs]}
        )
    if format_ == "markdown":
        return "\n\n".join([INTRODUCTION, _overview(proofs), *_sections(proofs)])
    rows = [(proof.id, proof.severity.value, proof.title) for proof in proofs]
    return tables.table(("proof", "severity", "what it proves"), rows)


def _families(proofs: Sequence[Proof]) -> dict[str, list[Proof]]:
    found: dict[str, list[Proof]] = {}
    for proof in proofs:
        found.setdefault(proof.family, []).append(proof)
    return found


def _overview(proofs: Sequence[Proof]) -> str:
    rows = [
        (f"[{family}](#{family})", str(len(members)), _gravest(members))
        for family, members in _families(proofs).items()
    ]
    return markdown.table(("family", "proofs", "severities"), rows)


def _gravest(proofs: Sequence[Proof]) -> str:
    there = sorted({proof.severity for proof in proofs}, key=lambda one: -one.rank)
    return ", ".join(there)


def _sections(proofs: Sequence[Proof]) -> Iterator[str]:
    for family, members in _families(proofs).items():
        yield f"## {family}"
        if family in FAMILIES:
            yield FAMILIES[family]
        for proof in members:
            yield f"### {proof.id}"
            yield f"**{markdown.prose(proof.title)}** (severity: {proof.severity})"
            yield f"- Why: {markdown.prose(proof.reason)}\n- How: {markdown.prose(proof.observed)}"
