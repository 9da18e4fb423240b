"""What is attached to an image: in-toto statements on how it was built, and on what is in it.

They go by like every other document of an archive. An SBOM may be larger than what is kept of an
archive, so statements are read piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from tasks.core import untrusted
from tasks.core.images.contents import Contents
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.images.jsonscan import EACH, Scanner
from tasks.core.untrusted import Malformed

STATEMENTS = ("https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1")
PROVENANCE = ("https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1")
SPDX = "https://spdx.dev/Document"
#: How BuildKit names images among the materials of a build: of registries, and of OCI folders.
IMAGES = ("pkg:docker/", "pkg:oci/")
#: What one statement may name; an archive may hold many statements.
MAX_NAMED = 100
_MARK = b"in-toto.io"
_TYPE, _PREDICATE_TYPE, _SUBJECT = ("_type",), ("predicateType",), ("subject",)
_MATERIALS = (
    ("predicate", "materials"),
    ("predicate", "buildDefinition", "resolvedDependencies"),
)
_PACKAGES = ("predicate", "packages", EACH, "SPDXID")
#: What generators call the whole, which is listed as a package too.
_WHOLE = b'"SPDXRef-DocumentRoot'


@dataclass(frozen=True)
class Material:
    """An image that a build took something from; ``name`` as in a Dockerfile, without digest.

    ``by_digest``: the build asked for it by digest. ``platform`` is empty where none was asked for,
    as of the generator of an SBOM, which BuildKit names too.
    """

    name: str
    digest: str
    platform: str
    by_digest: bool


@dataclass(frozen=True)
class Statement:
    """One statement: what it is (``predicate_type``) and the digests of what it is about.

    ``materials`` are the images that provenance names, ``packages`` how many an SBOM lists.
    ``damage`` says why the rest is not known; it is empty for a statement that is sound.
    """

    predicate_type: str
    subjects: tuple[str, ...] = ()
    materials: tuple[Material, ...] = ()
    packages: int = 0
    damage: str = ""

    @property
    def is_sbom(self) -> bool:
        """Whether it lists what is in the image, in a way that is known here."""
        return self.predicate_type == SPDX or self.predicate_type.startswith(f"{SPDX}/")

    @property
    def is_provenance(self) -> bool:
        """Whether it says how the image was built, in a way that is known here."""
        return self.predicate_type in PROVENANCE


class StatementInspector:
    """Reads the documents of an archive that call themselves in-toto statements."""

    def open(self, entry: FileEntry, head: bytes) -> _Reading | None:
        """A probe for a document, not for a file of a layer."""
        document = not entry.path and entry.kind is Kind.OTHER
        return _Reading() if document and head[:1] == b"{" and _MARK in head else None


class _Reading:
    def __init__(self) -> None:
        kept = (_TYPE, _PREDICATE_TYPE, _SUBJECT, *_MATERIALS)
        self._scanner = Scanner(kept, {_PACKAGES: lambda text: not text.startswith(_WHOLE)})
        self._damage = ""

    def feed(self, piece: bytes) -> bool:
        try:
            self._scanner.feed(piece)
        except Malformed as problem:
            self._damage = str(problem)
        return not self._damage

    def result(self) -> Statement:
        kind = self._scanner.kept.get(_PREDICATE_TYPE)
        name = untrusted.shown(kind, 120) if isinstance(kind, str) else ""
        try:
            if self._damage:
                raise Malformed(self._damage)
            self._scanner.close()
            return _statement(self._scanner, name)
        except Malformed as problem:
            return Statement(name, damage=untrusted.shown(str(problem)))


def about(contents: Contents) -> tuple[Statement, ...]:
    """The statements attached to this platform's image, whatever they say they are about.

    ``contents`` were read with a StatementInspector.
    """
    return tuple(
        found
        for document in contents.documents
        if document.name == "attestation"
        for found in document.found
        if isinstance(found, Statement)
    )


def materials(contents: Contents) -> tuple[Material, ...] | None:
    """The images that the provenance of this image names; None where there is none to believe."""
    sound = [
        each
        for each in about(contents)
        if each.is_provenance and not each.damage and contents.digest in each.subjects
    ]
    if not sound:
        return None
    return tuple(dict.fromkeys(image for each in sound for image in each.materials))


def _statement(scanner: Scanner, predicate_type: str) -> Statement:
    kind = untrusted.text(scanner.kept.get(_TYPE), "_type")
    if kind not in STATEMENTS:
        raise Malformed(f"it is no in-toto statement of a known version: {kind[:80]!r}")
    named = [each for path in _MATERIALS for each in _images(scanner.kept.get(path))]
    return Statement(
        predicate_type,
        subjects=tuple(_subjects(scanner.kept.get(_SUBJECT))),
        materials=tuple(named),
        packages=scanner.counts[_PACKAGES],
    )


def _subjects(value: Any) -> Iterator[str]:
    for each in _few(value, "subject"):
        digests = untrusted.mapping(untrusted.mapping(each, "subject").get("digest"), "digest")
        yield untrusted.digest(f"sha256:{digests.get('sha256')}", "subject")


def _images(value: Any) -> Iterator[Material]:
    for each in _few([] if value is None else value, "materials"):
        fields = untrusted.mapping(each, "materials")
        uri = untrusted.text(fields.get("uri"), "uri of a material")
        if uri.startswith(IMAGES):
            digests = untrusted.mapping(fields.get("digest"), "digest of a material")
            digest = untrusted.digest(f"sha256:{digests.get('sha256')}", "a material")
            yield _image(uri.partition("/")[2], digest)


def _few(value: Any, where: str) -> Sequence[Any]:
    found = untrusted.sequence(value, where)
    if len(found) > MAX_NAMED:
        raise Malformed(f"{where}: more than {MAX_NAMED}")
    return found


def _image(uri: str, digest: str) -> Material:
    """An image by what follows the type in its package URL: ``path/name@tag?platform=…``."""
    place, _, query = uri.partition("?")
    path, _, tag = place.partition("@")
    name = untrusted.shown(unquote(f"{path}:{tag}" if tag else path), 200)
    asked = parse_qs(query)
    platform = untrusted.shown(asked.get("platform", [""])[0], 80)
    return Material(name, digest, platform, by_digest="digest" in asked)
