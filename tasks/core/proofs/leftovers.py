"""What a build leaves behind: tests, source maps, repositories, caches, development packages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.core import untrusted
from tasks.core.contents import shown
from tasks.core.entries import FileEntry, Kind
from tasks.core.untrusted import Malformed

MAX_BYTES = 2**20
_TEST = re.compile(r"(^|/)(__tests__|__mocks__)/|\.(test|spec)\.[cm]?[jt]sx?$")
_MAP = re.compile(r"\.(js|mjs|cjs|css)\.map$")
#: A folder, or the file that stands for one in a submodule and a second work tree.
_REPOSITORY = re.compile(r"(^|/)\.((git|hg|svn)/|git$)")
_ENVIRONMENT = re.compile(r"(^|/)\.env(\.[^/]+)?$")
_EXAMPLE = re.compile(r"\.(example|sample|template|dist)$")
_CACHE = re.compile(
    r"^var/lib/apt/lists/[^/]+_|^var/cache/(apt/archives/[^/]+\.deb|apk/.)|"
    r"(^|/)_cacache/|^(root|home/[^/]+)/\.(npm|cache|yarn)/.|(^|/)\.cache/(pip|yarn|pnpm)/.|"
    r"(^|/)node_modules/\.(cache|vite)/"
)


@dataclass(frozen=True)
class DevelopmentPackages:
    """The packages that a package.json names for development alone."""

    names: tuple[str, ...]


class PackageInspector:
    """Reads the package.json of applications, not those of packages."""

    def open(self, entry: FileEntry, head: bytes) -> _Package | None:
        """A probe for a package.json outside of node_modules."""
        words = entry.path.split("/")
        own = words[-1] == "package.json" and "node_modules" not in words
        return _Package() if own and entry.size_bytes <= MAX_BYTES and head else None


class _Package:
    def __init__(self) -> None:
        self._content = b""

    def feed(self, piece: bytes) -> bool:
        self._content += piece
        return True

    def result(self) -> DevelopmentPackages | None:
        try:
            document = untrusted.mapping(untrusted.parse(self._content, "it"), "it")
            needed = untrusted.mapping(document.get("dependencies") or {}, "it")
            names = untrusted.mapping(document.get("devDependencies") or {}, "it")
        except Malformed:
            return None  # then it names none; whether it is sound is the application's business
        return DevelopmentPackages(tuple(sorted(names.keys() - needed.keys())))


def find(files: Mapping[str, FileEntry], application: tuple[str, ...]) -> Iterator[str]:
    """A line for each leftover; tests and source maps count in the ``application``'s folders."""
    folders = tuple(f"{folder.strip('/')}/" for folder in application)
    for path, entry in files.items():
        if entry.kind is not Kind.FILE:
            continue
        own = path.startswith(folders) and "/node_modules/" not in path
        what = _everywhere(path) or (_in_application(path) if own else "")
        if what:
            yield f"{shown(path)} is {what}"
    yield from _development(files)


def _everywhere(path: str) -> str:
    if _CACHE.search(path):
        return "of a package cache"
    if _REPOSITORY.search(path):
        return "of a repository"
    if _ENVIRONMENT.search(path) and not _EXAMPLE.search(path) and "/node_modules/" not in path:
        return "a file of settings"
    return ""


def _in_application(path: str) -> str:
    if _TEST.search(path):
        return "a test"
    return "a source map" if _MAP.search(path) else ""


def _development(files: Mapping[str, FileEntry]) -> Iterator[str]:
    for path, entry in files.items():
        named = entry.finding(DevelopmentPackages)
        folder = path.removesuffix("package.json")
        for name in named.names if named else ():
            package = f"{folder}node_modules/{name}"
            if package in files:
                yield f"{shown(package)} is a development package"
