"""What a build leaves behind: tests, source maps, repositories, caches, development packages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.core import untrusted
from tasks.core.images.contents import shown
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.untrusted import Malformed

MAX_BYTES = 2**20
#: What npm writes of all packages that it installed.
_LOCK = "node_modules/.package-lock.json"
MAX_LOCK_BYTES = 16 * 2**20
# They are looked for in paths with a leading slash, which is quicker than `(^|/)`.
_TEST = re.compile(r"/(?:__tests__|__mocks__)/|\.(?:test|spec)\.[cm]?[jt]sx?$")
_MAP = re.compile(r"\.(?:js|mjs|cjs|css)\.map$")
#: A folder, or the file that stands for one in a submodule and a second work tree.
_REPOSITORY = re.compile(r"/\.(?:(?:git|hg|svn)/|git$)")
_ENVIRONMENT = re.compile(r"/\.env(?:\.[^/]+)?$")
_EXAMPLE = re.compile(r"\.(?:example|sample|template|dist)$")
_CACHE = re.compile(r"/(?:_cacache/|\.cache/(?:pip|yarn|pnpm)/.|node_modules/\.(?:cache|vite)/)")
#: The same at places that systems give them.
_SYSTEM_CACHE = re.compile(
    r"/(?:var/lib/apt/lists/[^/]+_|var/cache/(?:apt/archives/[^/]+\.deb|apk/.)|"
    r"(?:root|home/[^/]+)/\.(?:npm|cache|yarn)/.)"
)


@dataclass(frozen=True)
class DevelopmentPackages:
    """The packages that a package.json names for development alone."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class NeededPackages:
    """The packages at the top of a node_modules that something needs beside development."""

    names: tuple[str, ...]


class PackageInspector:
    """Reads the package.json of applications, not those of packages, and npm's list of these."""

    def open(self, entry: FileEntry, head: bytes) -> _Package | _Lock | None:
        """A probe for a package.json outside of node_modules, and for what npm says of those."""
        if f"/{entry.path}".endswith(f"/{_LOCK}"):
            return _Lock() if entry.size_bytes <= MAX_LOCK_BYTES and head else None
        words = entry.path.split("/")
        own = words[-1] == "package.json" and "node_modules" not in words
        return _Package() if own and entry.size_bytes <= MAX_BYTES and head else None


class _Content:
    def __init__(self) -> None:
        self._content = b""

    def feed(self, piece: bytes) -> bool:
        self._content += piece
        return True


class _Package(_Content):
    def result(self) -> DevelopmentPackages | None:
        try:
            document = untrusted.mapping(untrusted.parse(self._content, "it"), "it")
            needed = {
                name
                for section in ("dependencies", "optionalDependencies", "peerDependencies")
                for name in untrusted.mapping(document.get(section) or {}, "it")
            }
            names = untrusted.mapping(document.get("devDependencies") or {}, "it")
        except Malformed:
            return None  # then it names none; whether it is sound is the application's business
        return DevelopmentPackages(tuple(sorted(names.keys() - needed)))


class _Lock(_Content):
    def result(self) -> NeededPackages | None:
        try:
            document = untrusted.mapping(untrusted.parse(self._content, "it"), "it")
            packages = untrusted.mapping(document.get("packages") or {}, "it")
        except Malformed:
            return None
        needed = (
            path.removeprefix("node_modules/")
            for path, entry in packages.items()
            if isinstance(entry, dict) and entry.get("dev") is not True
        )
        return NeededPackages(tuple(sorted(needed)))


def find(files: Mapping[str, FileEntry], application: tuple[str, ...]) -> Iterator[str]:
    """A line for each leftover; tests and source maps count in the ``application``'s folders."""
    folders = tuple(f"{folder.strip('/')}/" for folder in application)
    for path, entry in files.items():
        if entry.kind is not Kind.FILE:
            continue
        own = path.startswith(folders) and "/node_modules/" not in path
        what = _everywhere(path) or (_in_application(f"/{path}") if own else "")
        if what:
            yield f"{shown(path)} is {what}"
    yield from _development(files)


def _everywhere(path: str) -> str:
    whole = f"/{path}"
    if _SYSTEM_CACHE.match(whole) or _CACHE.search(whole):
        return "of a package cache"
    if _REPOSITORY.search(whole):
        return "of a repository"
    if _ENVIRONMENT.search(whole) and not _EXAMPLE.search(path) and "/node_modules/" not in path:
        return "a file of settings"
    return ""


def _in_application(path: str) -> str:
    if _TEST.search(path):
        return "a test"
    return "a source map" if _MAP.search(path) else ""


def _development(files: Mapping[str, FileEntry]) -> Iterator[str]:
    """A package that is for development and that another one needs too stays, as npm says."""
    for path, entry in files.items():
        named = entry.finding(DevelopmentPackages)
        if named is None:
            continue
        folder = path.removesuffix("package.json")
        lock = files.get(f"{folder}{_LOCK}")
        needed = lock.finding(NeededPackages) if lock else None
        kept = frozenset(needed.names if needed else ())
        for name in named.names:
            if name in kept:
                continue
            package = f"{folder}node_modules/{name}"
            if package in files:
                yield f"{shown(package)} is a development package"
