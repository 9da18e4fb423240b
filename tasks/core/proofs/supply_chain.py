"""Proofs on where an image comes from: what it says, what it is built on, what is attached to it.

All of them are on what is in the image; `labels` and `origin` hold the first two kinds.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence

from tasks.core import untrusted
from tasks.core.images import attestations, installed, lifecycle
from tasks.core.images.attestations import Statement, StatementInspector
from tasks.core.images.contents import Contents, shown
from tasks.core.images.installed import NodeInspector, SystemInspector
from tasks.core.images.lifecycle import Standing
from tasks.core.images.sizes import LOOKALIKE_LABEL
from tasks.core.proofs import labels, origin
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.labels import Expected as Expected
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Severity, Verdict
from tasks.core.render import tables

#: What has to look at the files while they go by, for `contents.read`.
INSPECTORS = (StatementInspector(), SystemInspector(), NodeInspector())
LIFECYCLE = Proof(
    "supply-chain.lifecycle",
    "System and runtime are still supported",
    Severity.HIGH,
    "What is past its end gets no repairs, however often it is built again.",
    f"os-release, the version inside of Node.js, NGINX_VERSION and the base's name, by a table of "
    f"{lifecycle.AS_OF}. A distribution's own nginx or Node.js is supported with it.",
)
PROVENANCE = Proof(
    "supply-chain.provenance",
    "Provenance is attached, and about this image",
    Severity.MEDIUM,
    "It says from what and how the image was built, to people who were not there.",
    "In-toto statements in the image's index: their subject is this platform's manifest, their "
    "kind one of SLSA's. Signatures are not looked at.",
)
SBOM = Proof(
    "supply-chain.sbom",
    "An SBOM is attached, and about this image",
    Severity.MEDIUM,
    "With it a new hole is looked up, without it every image is scanned again.",
    "In-toto statements in the image's index: their subject is this platform's manifest, their "
    "kind SPDX, and they list packages if the policy asks for an SBOM.",
)
PROOFS = (*labels.PROOFS, *origin.PROOFS, LIFECYCLE, PROVENANCE, SBOM)
#: How distroless names its images, and titles its systems.
_DISTROLESS = re.compile(r"(?P<node>nodejs[0-9]+-)?debian(?P<release>[0-9]+)")
_DISTROLESS_TITLE = "Distroless"
_DISTROLESS_NODE = "nodejs/bin/node"
_SYSTEMS = {"debian": lifecycle.DEBIAN, "ubuntu": lifecycle.UBUNTU, "alpine": lifecycle.ALPINE}


def prove(
    target: str,
    contents: Contents,
    policy: Policy,
    expected: Expected,
    today: datetime.date,
    bases: Sequence[str] = (),
) -> tuple[Verdict, ...]:
    """The verdicts on one platform; ``contents`` were read with INSPECTORS.

    ``expected`` is what the build was told, ``bases`` all images that it takes something from, as
    the Dockerfile and the bake file name them; () where none is known.
    """
    statements = attestations.about(contents)
    provenance = [each for each in statements if not each.is_sbom]
    boms = [each for each in statements if each.is_sbom]
    names = (labels.stated(contents).get(labels.BASE_NAME), expected.base, *bases)
    return (
        *labels.prove(target, contents, expected, today),
        *origin.prove(target, contents, policy, expected, bases),
        _lifecycle(target, contents, tuple(filter(None, names)), today),
        _attached(PROVENANCE, target, contents, provenance, demanded=policy.provenance),
        _attached(SBOM, target, contents, boms, demanded=policy.sbom),
    )


def _lifecycle(
    target: str, contents: Contents, names: Sequence[str], today: datetime.date
) -> Verdict:
    """What is inside of a look-alike is not what ships; what the original is called counts."""
    inside = [*_system(contents, today), *_runtimes(contents, today)]
    if labels.of_config(contents).get(LOOKALIKE_LABEL) == "true":
        inside = [
            Standing(each.supported or None, f"{each.text} (in a look-alike)") for each in inside
        ]
    found = tuple(dict.fromkeys([*_named(names, today), *inside]))
    problems = [each.text for each in found if each.supported is False]
    texts = "; ".join(each.text for each in found)
    if not any(each.supported is not None for each in found):
        reason = texts or "no system and no runtime that is known here"
        return LIFECYCLE.skip(target, contents.platform, reason)
    return LIFECYCLE.judge(target, contents.platform, problems, texts, "supported")


def _named(names: Sequence[str], today: datetime.date) -> Iterator[Standing]:
    """How distroless images stand: they stop being built before their Debian ends."""
    for name in names:
        found = _DISTROLESS.search(name) if "distroless" in name else None
        if found:
            product = lifecycle.DISTROLESS_NODE if found["node"] else lifecycle.DISTROLESS
            yield lifecycle.standing(product, found["release"], today)


def _system(contents: Contents, today: datetime.date) -> Iterator[Standing]:
    system = installed.system(contents)
    if system and system.title == _DISTROLESS_TITLE:
        node = _DISTROLESS_NODE in contents.files
        product = lifecycle.DISTROLESS_NODE if node else lifecycle.DISTROLESS
        yield lifecycle.standing(product, system.version, today)
    elif system and system.id in _SYSTEMS:
        yield lifecycle.standing(_SYSTEMS[system.id], system.version, today)
    elif system:
        name = untrusted.shown(system.title or system.id, 80)
        yield Standing(None, f"{name} is not in the table of {lifecycle.AS_OF}")


def _runtimes(contents: Contents, today: datetime.date) -> Iterator[Standing]:
    builds = installed.node_builds(contents)
    for path, version in sorted(builds.items()):
        standing = lifecycle.standing(lifecycle.NODE, version, today)
        yield Standing(standing.supported, f"{shown(path)}: {standing.text}")
    nginx = installed.variables(contents).get("NGINX_VERSION")
    if nginx:
        yield lifecycle.standing(lifecycle.NGINX, nginx, today)


def _attached(
    proof: Proof, target: str, contents: Contents, found: Sequence[Statement], *, demanded: bool
) -> Verdict:
    """The statements of one kind: whatever is attached has to be about this image."""
    known = [each for each in found if each.is_sbom or each.is_provenance]
    problems = [problem for each in found for problem in _problems(each, contents.digest)]
    if demanded and not known and not problems:
        others = ", ".join(sorted({each.predicate_type for each in found}))
        problems = [f"none attached{f', only {others}' if others else ''}"]
    if demanded and known and not problems and not any(map(_says_something, known)):
        problems = ["it lists no package"]
    if not known and not problems:
        reason = "none attached, and the policy does not ask for it"
        return proof.skip(target, contents.platform, reason)
    good = "; ".join(map(_described, known))
    return proof.judge(target, contents.platform, problems, good, "about this image")


def _problems(statement: Statement, digest: str) -> Iterator[str]:
    kind = statement.predicate_type or "an attestation"
    if statement.damage:
        yield f"{kind} cannot be read: {statement.damage}"
    elif digest not in statement.subjects:
        others = ", ".join(map(tables.short_digest, statement.subjects)) or "nothing"
        yield f"{kind} is about {others}, not about {tables.short_digest(digest)}"


def _says_something(statement: Statement) -> bool:
    return not statement.is_sbom or statement.packages > 0


def _described(statement: Statement) -> str:
    if statement.is_sbom:
        return f"{statement.predicate_type}, {statement.packages} packages"
    return f"{statement.predicate_type}, {len(statement.materials)} images"
