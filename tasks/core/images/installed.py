"""Which system and which runtime are in an image, by what is in its files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.core.images import filetree
from tasks.core.images.contents import Contents
from tasks.core.images.elf import MAGIC
from tasks.core.images.entries import FileEntry, Kind

#: The second is where the first leads to; minimal images have only one of them.
OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
MAX_BYTES = 64 * 2**10
_NODE_NAMES = ("node", "nodejs")
#: Where the project's own builds say that the headers for add-ons are; a distribution's build,
#: which the distribution supports, says nothing of the kind.
_NODE_VERSION = re.compile(rb"/node-v([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})-headers\.tar")
_OVERLAP_BYTES = 64


@dataclass(frozen=True)
class System:
    """What /etc/os-release says: ``id`` as in debian, ``version`` empty for a rolling release."""

    id: str
    version: str
    title: str


@dataclass(frozen=True)
class NodeBuild:
    """A build of Node.js by the project itself."""

    version: str


class SystemInspector:
    """Reads os-release."""

    def open(self, entry: FileEntry, head: bytes) -> _Release | None:
        """A probe for the file, whichever of its two names it has."""
        return _Release() if entry.path in OS_RELEASE and entry.kind is Kind.FILE else None


class _Release:
    def __init__(self) -> None:
        self._content = b""

    def feed(self, piece: bytes) -> bool:
        self._content += piece[: MAX_BYTES - len(self._content)]
        return len(self._content) < MAX_BYTES

    def result(self) -> System:
        fields = dict(_assignments(self._content.decode("utf-8", "replace")))
        return System(
            fields.get("ID", ""), fields.get("VERSION_ID", ""), fields.get("PRETTY_NAME", "")
        )


class NodeInspector:
    """Looks for the version in programs that are called node."""

    def open(self, entry: FileEntry, head: bytes) -> _NodeSearch | None:
        """A probe for a program of that name."""
        named = entry.path.rpartition("/")[2] in _NODE_NAMES and entry.kind is Kind.FILE
        return _NodeSearch() if named and head.startswith(MAGIC) else None


class _NodeSearch:
    def __init__(self) -> None:
        self._end = b""
        self._version = ""

    def feed(self, piece: bytes) -> bool:
        text = self._end + piece
        found = _NODE_VERSION.search(text)
        self._version = found[1].decode() if found else ""
        self._end = text[-_OVERLAP_BYTES:]
        return not found

    def result(self) -> NodeBuild | None:
        return NodeBuild(self._version) if self._version else None


def system(contents: Contents) -> System | None:
    """The image's system; None where it does not say, as in an image from scratch."""
    for path in OS_RELEASE:
        entry = filetree.follow(contents.files, path)
        found = entry.finding(System) if entry else None
        if found:
            return found
    return None


def node_builds(contents: Contents) -> Mapping[str, str]:
    """The versions of the Node.js builds that are in the image, by path; links are left out."""
    return {
        path: found.version
        for path, entry in contents.files.items()
        if (found := entry.finding(NodeBuild)) and not entry.link
    }


def variables(contents: Contents) -> Mapping[str, str]:
    """The environment that the image's config sets."""
    section = contents.config.get("config")
    pairs = section.get("Env") if isinstance(section, dict) else None
    texts = [each for each in pairs if isinstance(each, str)] if isinstance(pairs, list) else []
    return {name: value for name, _, value in (each.partition("=") for each in texts)}


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """The lines of NAME=value, quoted as a shell has it; others say nothing."""
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        try:
            words = shlex.split(value, comments=True)
        except ValueError:
            continue
        if equals and name.isidentifier():
            yield name, words[0] if words else ""
