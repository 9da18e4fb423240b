"""The packages that an attached SBOM lists: a statement of an archive -> packages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tasks.core import untrusted
from tasks.core.images.attestations import SPDX
from tasks.core.images.contents import Contents
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.images.packages import MAX_PACKAGES, MAX_TEXT, Package
from tasks.core.untrusted import Malformed

#: A larger one is not read: what package managers noted is taken then.
MAX_BILL_BYTES = 64 * 2**20
_MARK = b"in-toto.io"
#: What generators call the whole, which is listed as a package too.
_WHOLE = "SPDXRef-DocumentRoot"
#: Kinds whose namespace is the distribution, and no part of the name.
_OF_SYSTEM = ("deb", "apk", "rpm")


@dataclass(frozen=True)
class Bill:
    """One SBOM: the digests of what it is about, and the packages that it lists."""

    subjects: tuple[str, ...]
    packages: tuple[Package, ...]


class BillInspector:
    """Reads the SBOMs among the documents of an archive."""

    def open(self, entry: FileEntry, head: bytes) -> _Reading | None:
        """A probe for a document that calls itself an in-toto statement."""
        document = not entry.path and entry.kind is Kind.OTHER
        return _Reading() if document and head[:1] == b"{" and _MARK in head else None


class _Reading:
    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._room_bytes = MAX_BILL_BYTES

    def feed(self, piece: bytes) -> bool:
        self._room_bytes -= len(piece)
        if self._room_bytes < 0:
            self._pieces.clear()
            return False
        self._pieces.append(piece)
        return True

    def result(self) -> Bill | None:
        try:
            return _bill(b"".join(self._pieces)) if self._pieces else None
        except Malformed:
            return None  # `verify.image` says what is wrong with it


def of(contents: Contents) -> tuple[Package, ...] | None:
    """The packages of the SBOMs about this image; None where none lists any."""
    found = [
        bill
        for document in contents.documents
        if document.name == "attestation"
        for bill in document.found
        if isinstance(bill, Bill) and contents.digest in bill.subjects
    ]
    packages = {one for bill in found for one in bill.packages}
    ordered = sorted(packages, key=lambda one: (one.kind, one.name, one.version))
    return tuple(ordered) or None


def weighed(packages: Iterable[Package], noted: Iterable[Package]) -> tuple[Package, ...]:
    """``packages`` with the bytes that package managers noted of the same ones."""
    sizes = {(one.kind, one.name, one.version): one.size_bytes for one in noted}
    return tuple(
        Package(one.kind, one.name, one.version, sizes.get((one.kind, one.name, one.version)))
        for one in packages
    )


def _bill(content: bytes) -> Bill | None:
    statement = untrusted.mapping(untrusted.parse(content, "it"), "it")
    kind = untrusted.text(statement.get("predicateType"), "predicateType")
    if kind != SPDX and not kind.startswith(f"{SPDX}/"):
        return None
    subjects = tuple(
        untrusted.digest(f"sha256:{digests.get('sha256')}", "subject")
        for each in untrusted.sequence(statement.get("subject"), "subject")
        for digests in (untrusted.mapping(untrusted.mapping(each, "subject").get("digest"), "it"),)
    )
    predicate = untrusted.mapping(statement.get("predicate"), "predicate")
    listed = untrusted.sequence(predicate.get("packages") or [], "packages")
    if len(listed) > MAX_PACKAGES:
        raise Malformed("it lists too many packages")
    found = (_package(untrusted.mapping(each, "a package")) for each in listed)
    return Bill(subjects, tuple(one for one in found if one is not None))


def _package(entry: Mapping[str, Any]) -> Package | None:
    """A package by its package URL; without one it cannot be told of which kind it is."""
    if str(entry.get("SPDXID", "")).startswith(_WHOLE):
        return None
    for url in _urls(entry):
        kind, _, rest = url.removeprefix("pkg:").partition("/")
        path, _, tail = rest.partition("@")
        version = entry.get("versionInfo") or unquote(tail.partition("?")[0])
        words = [unquote(word) for word in path.partition("?")[0].split("/") if word]
        if kind and words:
            name = words[-1] if kind in _OF_SYSTEM else "/".join(words)
            return Package(_short(kind), _short(name), _short(str(version)), None)
    return None


def _urls(entry: Mapping[str, Any]) -> Iterator[str]:
    for each in untrusted.sequence(entry.get("externalRefs") or [], "externalRefs"):
        reference = untrusted.mapping(each, "a reference")
        url = reference.get("referenceLocator")
        is_url = reference.get("referenceType") == "purl"
        if is_url and isinstance(url, str) and url.startswith("pkg:"):
            yield url


def _short(text: str) -> str:
    return untrusted.shown(text, MAX_TEXT)
