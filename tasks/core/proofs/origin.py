"""Proofs on what an image was built on: its base, by name and digest, as the build knows it.

Builds name nothing by themselves: what the image says of its base is compared with the provenance
attached to it, and with the Dockerfile where it is known. Names are compared without their host: a
mirror has the same images, and whether they are the same is the digest's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.core import untrusted
from tasks.core.bake.stages import SCRATCH
from tasks.core.images import attestations
from tasks.core.images.attestations import Material
from tasks.core.images.contents import Contents
from tasks.core.images.sizes import LOOKALIKE_LABEL
from tasks.core.proofs import labels
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.labels import BASE_DIGEST, BASE_NAME, PREFIX, Expected
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Severity, Verdict
from tasks.core.provision import references
from tasks.core.render import tables

#: How a bake file names an image as a context.
_CONTEXT = "docker-image://"
_SEEN = (
    "What the image says is compared with the provenance that is attached to it and with the "
    "Dockerfile, where they are known."
)
NAME = Proof(
    "supply-chain.base-name",
    "The image says what it is built on, and it is so",
    Severity.LOW,
    "When a base has a hole, one has to know which images are built on it.",
    f"{_SEEN} The name's host is left out: mirrors differ in it.",
)
DIGEST = Proof(
    "supply-chain.base-digest",
    "The image says the digest of its base, and it is so",
    Severity.MEDIUM,
    "A tag moves: only the digest tells whether a repaired base is already in.",
    _SEEN,
)
PINNED = Proof(
    "supply-chain.pinned",
    "Every base is named by its digest",
    Severity.MEDIUM,
    "What a tag leads to tomorrow is in nobody's review.",
    "The names in the Dockerfile and in the bake file's contexts, with the digests that "
    "bases.lock.json gives them, if the policy asks for it. A look-alike is not what is pinned.",
)
PROOFS = (NAME, DIGEST, PINNED)
_NAME, _DIGEST = f"{PREFIX}{BASE_NAME}", f"{PREFIX}{BASE_DIGEST}"
_ALLOWED = "as the build says"
_ALONE = "there is nothing of the build to compare it with"
_SILENT = "neither the image nor provenance says what it is built on"


def prove(
    target: str, contents: Contents, policy: Policy, expected: Expected, bases: Sequence[str]
) -> tuple[Verdict, ...]:
    """The verdicts on one platform; ``contents`` were read with a StatementInspector.

    ``bases`` are all images that the build takes something from; () if there are none, or none is
    known.
    """
    outside = [base.removeprefix(_CONTEXT) for base in bases if base.lower() != SCRATCH]
    demanded = policy.pinned_bases and not (expected.own and not outside)
    known = _Known(
        labels.stated(contents).get(BASE_NAME),
        labels.stated(contents).get(BASE_DIGEST),
        attestations.materials(contents),
        (expected.base,) if expected.base else tuple(outside),
    )
    return (
        _name(target, contents, known, demanded=demanded),
        _digest(target, contents, known, demanded=demanded),
        _pinned(target, contents, outside, demanded=policy.pinned_bases),
    )


@dataclass(frozen=True)
class _Known:
    """What is known of the base: as the image says, from provenance, from the Dockerfile.

    ``materials`` is None without provenance; ``asked`` are names that the base is among.
    """

    name: str | None
    digest: str | None
    materials: tuple[Material, ...] | None
    asked: tuple[str, ...]

    @property
    def bases(self) -> tuple[Material, ...] | None:
        """The materials without those that only made an attestation."""
        if self.materials is None:
            return None
        return tuple(each for each in self.materials if each.platform)


def _name(target: str, contents: Contents, known: _Known, *, demanded: bool) -> Verdict:
    if known.name is None:
        found = known.bases
        names = None if found is None else [each.name for each in found]
        return _unsaid(NAME, target, contents, names, demanded=demanded)
    shown = untrusted.shown(known.name, 120)
    problems = []
    if known.asked and not any(_same(known.name, each) for each in known.asked):
        names = [untrusted.shown(each, 120) for each in known.asked]
        problems.append(f"{_NAME} is {shown}, the Dockerfile builds on {', '.join(names)}")
    if known.materials is not None and not _right(known):
        names = [each.name for each in known.materials] or ["no image"]
        problems.append(f"{_NAME} is {shown}, provenance names {', '.join(names)}")
    if not known.asked and known.materials is None:
        return NAME.skip(target, contents.platform, f"says {shown}; {_ALONE}", shown)
    return NAME.judge(target, contents.platform, problems, f"built on {shown}", _ALLOWED)


def _digest(target: str, contents: Contents, known: _Known, *, demanded: bool) -> Verdict:
    if known.digest is None:
        found = known.bases
        names = None if found is None else [_full(each) for each in found]
        problems = list(_others(known))
        if problems:
            return DIGEST.judge(target, contents.platform, problems, "", _ALLOWED)
        return _unsaid(DIGEST, target, contents, names, demanded=demanded)
    shown = tables.short_digest(untrusted.shown(known.digest, 120))
    base = [each for each in known.asked if known.name and _same(known.name, each)]
    asked = {references.parse(each).digest for each in base or known.asked} - {""}
    problems = []
    if asked and known.digest not in asked:
        names = sorted(map(tables.short_digest, asked))
        problems.append(f"{_DIGEST} is {shown}, the Dockerfile asks for {', '.join(names)}")
    if known.materials is not None and known.digest not in _digests(known):
        names = [_full(each) for each in known.materials] or ["no image"]
        problems.append(f"{_DIGEST} is {shown}, provenance names {', '.join(names)}")
    if not asked and known.materials is None:
        return DIGEST.skip(target, contents.platform, f"says {shown}; {_ALONE}", shown)
    return DIGEST.judge(target, contents.platform, problems, f"built on {shown}", _ALLOWED)


def _unsaid(
    proof: Proof, target: str, contents: Contents, names: Sequence[str] | None, *, demanded: bool
) -> Verdict:
    """The image says nothing: then its provenance may, by the ``names`` of all that it names."""
    if names is not None:
        said = ", ".join(names) or "no base"
        return proof.judge(target, contents.platform, (), f"provenance names {said}", "-")
    if demanded:
        problems = [f"{_SILENT}, and the policy wants bases pinned"]
        return proof.judge(target, contents.platform, problems, "", "a label or provenance")
    return proof.skip(target, contents.platform, _SILENT)


def _pinned(target: str, contents: Contents, bases: Sequence[str], *, demanded: bool) -> Verdict:
    if not demanded:
        return PINNED.skip(target, contents.platform, "the policy does not ask for it")
    if not bases:
        return PINNED.skip(target, contents.platform, "no base from outside is known")
    problems = [
        f"{untrusted.shown(name, 120)} is named by a tag, not by its digest"
        for name in bases
        if not references.parse(name).digest.startswith("sha256:")
    ]
    if labels.of_config(contents).get(LOOKALIKE_LABEL) == "true":
        problems.append("a look-alike stood in for its base, whatever digest is asked for")
    good = f"{len(bases)} bases, all by digest"
    return PINNED.judge(target, contents.platform, problems, good, "all by digest")


def _others(known: _Known) -> Iterator[str]:
    """The bases that are asked for by digest and that provenance does not name."""
    if known.bases is None:
        return
    names = ", ".join(_full(each) for each in known.bases) or "no image"
    there = {each.digest for each in known.bases}
    for asked in known.asked:
        digest = references.parse(asked).digest
        if digest and digest not in there:
            shown = f"{asked.partition('@')[0]}@{tables.short_digest(digest)}"
            yield f"{untrusted.shown(shown, 120)} is asked for, provenance names {names}"


def _right(known: _Known) -> bool:
    """Whether provenance names the base: by its name, or the same bytes by another name."""
    found = known.materials or ()
    return any(_same(known.name or "", each.name) or each.digest == known.digest for each in found)


def _digests(known: _Known) -> set[str]:
    """The digests that provenance gives to the base; of all images if none has its name."""
    found = known.materials or ()
    named = {each.digest for each in found if known.name and _same(known.name, each.name)}
    return named or {each.digest for each in found}


def _same(one: str, other: str) -> bool:
    """Whether two names are of one image, wherever it is had from."""
    first, second = (references.parse(each.removeprefix(_CONTEXT)) for each in (one, other))
    paths = {each.path.removeprefix("library/") for each in (first, second)}
    tagged = not first.tag or not second.tag or first.tag == second.tag
    return len(paths) == 1 and tagged


def _full(material: Material) -> str:
    return f"{material.name}@{tables.short_digest(material.digest)}"
