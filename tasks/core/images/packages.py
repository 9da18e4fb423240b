"""The packages that are in an image, by the notes that package managers leave in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tasks.core import untrusted
from tasks.core.images.contents import Contents
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.untrusted import Malformed

DEB, APK, NPM = "deb", "apk", "npm"
#: The whole of Debian's and Alpine's notes; one package.json; and how many packages are taken.
MAX_NOTES_BYTES = 32 * 2**20
MAX_MANIFEST_BYTES = 2**20
MAX_PACKAGES = 50_000
MAX_TEXT = 200
KIB = 2**10
_DPKG = re.compile(r"var/lib/dpkg/(status|status\.d/[^/]+)")
_APK = re.compile(r"(usr/)?lib/apk/db/installed")
_NPM = re.compile(r"(?:.*/)?node_modules/((?:@[^/]+/)?[^/@.][^/]*)/package\.json")
_FOLDER = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*(?=/)")
#: Words of a Status line that say that no file of the package is there.
_GONE = ("not-installed", "config-files")


@dataclass(frozen=True, slots=True)
class Package:
    """One package. ``size_bytes`` is what it takes up by its own account, None if it says nothing.

    For npm it is what its files take up, without packages inside of it.
    """

    kind: str
    name: str
    version: str
    size_bytes: int | None


@dataclass(frozen=True)
class Noted:
    """The packages that one file tells of; ``whole`` if it was read to its end."""

    packages: tuple[Package, ...]
    whole: bool


@dataclass(frozen=True)
class Installed:
    """What is installed, once each; ``unread`` names the notes that tell of more than is here."""

    packages: tuple[Package, ...]
    unread: tuple[str, ...]


class PackageInspector:
    """Reads the notes of dpkg, apk and npm."""

    def open(self, entry: FileEntry, head: bytes) -> _Stanzas | _Manifest | None:
        """A probe for a file that tells of packages."""
        if entry.kind is not Kind.FILE:
            return None
        if _DPKG.fullmatch(entry.path) and not entry.path.endswith(".md5sums"):
            return _Stanzas(DEB)
        if _APK.fullmatch(entry.path):
            return _Stanzas(APK)
        named = _NPM.fullmatch(entry.path)
        if named and entry.size_bytes <= MAX_MANIFEST_BYTES:
            return _Manifest(named[1])
        return None


class _Stanzas:
    """Paragraphs of fields, as dpkg and apk write them."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._content: list[bytes] = []
        self._room_bytes = MAX_NOTES_BYTES

    def feed(self, piece: bytes) -> bool:
        self._content.append(piece[: self._room_bytes])
        self._room_bytes -= len(self._content[-1])
        return self._room_bytes > 0

    def result(self) -> Noted:
        lines = b"".join(self._content).decode("utf-8", "replace").split("\n")
        parse = _debian if self._kind == DEB else _alpine
        found: list[Package] = []
        for fields in _paragraphs(lines):
            if len(found) == MAX_PACKAGES:
                return Noted(tuple(found), whole=False)
            found += parse(fields)
        return Noted(tuple(found), whole=self._room_bytes > 0)


class _Manifest:
    """A package.json in node_modules."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._content = b""

    def feed(self, piece: bytes) -> bool:
        self._content += piece
        return True

    def result(self) -> Noted | None:
        try:
            document = untrusted.mapping(untrusted.parse(self._content, "it"), "it")
            version = untrusted.text(document.get("version"), "version")
        except Malformed:
            return None  # a template or a test of the package; npm writes all that it installs
        name = document.get("name")
        name = name if isinstance(name, str) and name else self._folder
        return Noted((Package(NPM, _short(name), _short(version), None),), whole=True)


def installed(contents: Contents) -> Installed:
    """The packages of the file system that a container sees; read with `PackageInspector`."""
    found: dict[Package, None] = {}
    unread = []
    sizes = _folder_bytes(contents.files)
    for path, entry in contents.files.items():
        noted = entry.finding(Noted)
        if noted is None:
            continue
        if not noted.whole:
            unread.append(path)
        for one in noted.packages:
            if one.kind == NPM:
                size_bytes = sizes.get(path.removesuffix("/package.json"), 0)
                one = Package(NPM, one.name, one.version, size_bytes)
            found[one] = None
    ordered = sorted(found, key=lambda one: (one.kind, one.name, one.version))
    return Installed(tuple(ordered), tuple(unread))


def _folder_bytes(files: Mapping[str, FileEntry]) -> Mapping[str, int]:
    """The bytes below each package's folder, without those of packages inside of it."""
    found: dict[str, int] = {}
    for path, entry in files.items():
        if entry.kind is Kind.FILE and "node_modules/" in path:
            folder = _FOLDER.match(path)
            if folder:
                found[folder[0]] = found.get(folder[0], 0) + entry.size_bytes
    return found


def _paragraphs(lines: Iterable[str]) -> Iterator[Mapping[str, str]]:
    """Fields by name; a line that goes on from the one before it says nothing of use here."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif not line[0].isspace():
            name, colon, value = line.partition(":")
            if colon:
                fields.setdefault(name, value.strip())
    if fields:
        yield fields


def _debian(fields: Mapping[str, str]) -> Iterator[Package]:
    """The package of a paragraph of dpkg's; distroless images leave its status out."""
    name, version = fields.get("Package", ""), fields.get("Version", "")
    state = fields.get("Status", "").rpartition(" ")[2]
    if name and version and state not in _GONE:
        size = _count(fields.get("Installed-Size", ""))
        yield Package(DEB, _short(name), _short(version), None if size is None else size * KIB)


def _alpine(fields: Mapping[str, str]) -> Iterator[Package]:
    name, version = fields.get("P", ""), fields.get("V", "")
    if name and version:
        yield Package(APK, _short(name), _short(version), _count(fields.get("I", "")))


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _short(text: str) -> str:
    return untrusted.shown(text, MAX_TEXT)
