"""Whether one commit gives one image: built twice from nothing, compared file by file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tasks.core import daemon, process
from tasks.core.bake.baking import Build, Built
from tasks.core.bake.builds import Wish, build
from tasks.core.comparing import files
from tasks.core.images import contents, imagefiles
from tasks.core.images.contents import Contents
from tasks.core.images.digesting import DigestInspector
from tasks.core.images.entries import FileEntry
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity, Verdict
from tasks.core.session import Session
from tasks.core.shipping.optimizing import GROUP

PROOF = Proof(
    "supply-chain.reproducible",
    "Two builds of one commit give one image",
    Severity.MEDIUM,
    "What anybody can build again, nobody can tamper with unseen.",
    "Built twice without cache; the digests of the manifests are compared, platform by platform.",
)


@dataclass(frozen=True)
class Difference:
    """One file, or document, that the two builds made differently; ``how`` says in what."""

    target: str
    platform: str
    layer: str
    path: str
    how: str


def verify(
    session: Session, patterns: Sequence[str] = ()
) -> tuple[tuple[Verdict, ...], tuple[Difference, ...]]:
    """Build the optimized images, or the targets ``patterns``, twice without cache; compare.

    Nothing of it goes into the engine. Download caches (`RUN --mount=type=cache`) stay: a build
    that depends on what is in them is not reproducible, and the second one finds them fuller.
    """
    with closing(daemon.connect(session.engine)) as client:
        daemon.demand_containerd_store(client)
    names = tuple(session.everything().narrowed(patterns).targets) if patterns else (GROUP,)
    with tempfile.TemporaryDirectory(prefix="slipway-") as name:
        made = []
        for number in ("first", "second"):
            process.note(f"the {number} of two builds without cache …")
            folder = Path(name) / number
            folder.mkdir()
            made.append(build(session, names, Wish(no_cache=True, as_layouts=True, keep=folder)))
        first, second = made
        if first is None or second is None:
            return (), ()
        return _judged(first, second)


def _judged(first: Build, second: Build) -> tuple[tuple[Verdict, ...], tuple[Difference, ...]]:
    verdicts: list[Verdict] = []
    found: list[Difference] = []
    for one, other in zip(first.targets, second.targets, strict=True):
        differing = [a.platform for a, b in zip(one.images, other.images, strict=True) if a != b]
        here = tuple(_differences(one, other)) if differing else ()
        found += here
        for image in one.images:
            mine = [each for each in here if each.platform == image.platform]
            words = [f"{each.path}: {each.how}" for each in mine]
            if image.platform in differing and not words:
                words = ["the manifests differ in nothing that can be named"]
            good = f"{image.digest} both times"
            verdicts.append(PROOF.judge(one.target, image.platform, words, good, "one digest"))
    return tuple(verdicts), tuple(found)


def _differences(one: Built, other: Built) -> Iterator[Difference]:
    pairs = zip(_opened(one), _opened(other), strict=True)
    for a, b in pairs:
        if a.digest != b.digest:
            yield from compare(one.target, a, b)


def _opened(built: Built) -> tuple[Contents, ...]:
    assert built.layout is not None  # noqa: S101 - it was built to be kept
    chunks = imagefiles.open_archive(built.layout)
    return contents.read(chunks, built.target, (DigestInspector(),))


def compare(target: str, a: Contents, b: Contents) -> Iterator[Difference]:
    """Everything that is not the same in two images, layer by layer."""

    def differs(layer: str, path: str, how: str) -> Difference:
        return Difference(target, a.platform, layer, path, how)

    if _without_layers(a.config) != _without_layers(b.config):
        keys = sorted(
            key
            for key in {*a.config, *b.config} - {"rootfs"}
            if a.config.get(key) != b.config.get(key)
        )
        yield differs("-", "(configuration)", f"differs in {', '.join(keys)}")
    if len(a.layers) != len(b.layers):
        yield differs("-", "(layers)", f"{len(a.layers)} and {len(b.layers)}")
    for number, (mine, theirs) in enumerate(zip(a.layers, b.layers, strict=False), 1):
        if mine.diff_id == theirs.diff_id:
            continue
        place = f"{number} of {len(a.layers)}"
        lines = list(_entries(mine.entries, theirs.entries))
        for path, how in lines:
            yield differs(place, path, how)
        if not lines:
            yield differs(place, "(layer)", "the same files in another order, or other headers")


def _entries(mine: Sequence[FileEntry], theirs: Sequence[FileEntry]) -> Iterator[tuple[str, str]]:
    here, there = _by_path(mine), _by_path(theirs)
    for path in sorted(here.keys() | there.keys()):
        one, other = here.get(path), there.get(path)
        if one is None or other is None:
            yield contents.shown(path), f"only in the {'second' if one is None else 'first'} build"
        elif one != other:
            yield contents.shown(path), ", ".join(_changes(one, other)) or "differs"


def _changes(one: FileEntry, other: FileEntry) -> Iterator[str]:
    words = {
        files.CONTENT: f"content ({one.size_bytes} and {other.size_bytes} bytes)",
        files.MODE: "permissions",
    }
    for aspect in files.aspects(one, other):
        yield words.get(aspect, aspect)
    if one.modified != other.modified:
        yield f"date ({one.modified} and {other.modified})"


def _by_path(entries: Sequence[FileEntry]) -> Mapping[str, FileEntry]:
    return {entry.path: entry for entry in entries}


def _without_layers(config: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in config.items() if key != "rootfs"}
