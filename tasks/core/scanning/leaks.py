"""A file on its way into a build or a repository -> the secrets in it, but for their values."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from tasks.core import untrusted
from tasks.core.secrecy import secretnames
from tasks.core.secrecy.secretforms import SHAPES, UNMISTAKABLE, Needle
from tasks.core.secrecy.secretscan import GZIP, VALUE, Hits, SecretInspector

#: Larger files, and those of gzip, are searched piece by piece, and not told by line.
WHOLE_BYTES = 8 * 2**20
#: What is read of one file.
MOST_BYTES = 256 * 2**20
#: What is told of one kind in one file.
MOST_OF_A_KIND = 20
PIECE_BYTES = 2**20
VARIABLE, KEY_STORE, PASSWORD = "variable", "key-store", "password"
KEY_STORES = ("*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx")
#: Files of programs that keep passwords in them, and how a line with one looks.
PASSWORDS: Mapping[str, re.Pattern[bytes]] = {
    "*netrc": re.compile(rb"(?m)^[^#\n]*\bpassword[ \t]+[^\s$]"),
    ".pgpass": re.compile(rb"(?m)^[^#\n:]+:[^\n:]*:[^\n:]*:[^\n:]*:[^\s]"),
    ".git-credentials": re.compile(rb"://[^\s:/@]+:[^\s@$]+@"),
    "*kubeconfig*": re.compile(rb"client-key-data:[ \t]*[A-Za-z0-9+/=]{40}"),
}
ENV_FILES = (".env", ".env.*", "*.env")
#: What is there to be copied, and holds no secret of anybody.
EXAMPLES = ("*.example", "*.sample", "*.template", "*.dist", "*.defaults")
_ASSIGNED = re.compile(rb"(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(\S.*)$")


@dataclass(frozen=True, order=True)
class Leak:
    """A secret: ``line`` counts from 1, 0 for none; what kind (``rule``), and what it is called."""

    line: int
    rule: str
    name: str


@dataclass(frozen=True)
class Looked:
    """What is in a file; ``unread`` says why not all of it was looked at."""

    leaks: tuple[Leak, ...]
    size_bytes: int
    unread: str = ""


def in_file(path: Path, needles: Sequence[Needle]) -> Looked:
    """The secrets in a file, also of what is packed with gzip. Raises OSError."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(len(GZIP))
        if size_bytes <= WHOLE_BYTES and head != GZIP:
            content = head + file.read(WHOLE_BYTES)
            return Looked(in_content(content, path.name, needles), len(content))
        probe = SecretInspector.of(needles).probe(head)
        if probe is None:
            return Looked((), 0)
        probe.feed(head)
        read = len(head)
        while read < MOST_BYTES and (piece := file.read(PIECE_BYTES)):
            read += len(piece)
            probe.feed(piece)
        cut = f"only its first {MOST_BYTES // 2**20} MiB" if file.read(1) else ""
    found = probe.result() or Hits(())
    leaks = (Leak(0, rule(hit.kind), _bare(str(hit))) for hit in found.hits)
    return Looked((*leaks, *_by_name(path.name, size_bytes)), read, cut or found.unread)


def in_content(content: bytes, name: str, needles: Sequence[Needle]) -> tuple[Leak, ...]:
    """The secrets in the whole content of a file called ``name``, one a line and kind."""
    found: dict[tuple[int, str], Leak] = {}
    for at, kind, told in _hits(content, name, needles):
        line = content.count(b"\n", 0, at) + 1
        found.setdefault((line, kind), Leak(line, kind, told))
    return tuple(sorted((*found.values(), *_by_name(name, len(content)))))


def rule(kind: str) -> str:
    """The id of a kind of secret, as exceptions name it: ``private-key``."""
    return kind.replace(" ", "-")


def _hits(content: bytes, name: str, needles: Sequence[Needle]) -> Iterator[tuple[int, str, str]]:
    """Where a secret begins, its kind and what it is called; values first: they are certain."""
    for needle in needles:
        for at in itertools.islice(_places(content, needle.content), MOST_OF_A_KIND):
            form = "" if needle.form == "plain" else f" ({needle.form})"
            yield at, VALUE, f"value of {needle.name}{form}"
    shapes = UNMISTAKABLE if b"\0" in content[:8192] else SHAPES
    for shape in shapes:
        if shape.anchor in content:
            for hit in itertools.islice(shape.pattern.finditer(content), MOST_OF_A_KIND):
                # A pattern may begin with the end of the line before.
                start = hit.start() + (hit[0][:1] == b"\n")
                yield start, rule(shape.kind), shape.name
    yield from _in_named(content, name)


def _in_named(content: bytes, name: str) -> Iterator[tuple[int, str, str]]:
    """What is a secret because of the file that it stands in."""
    for glob, pattern in PASSWORDS.items():
        if fnmatchcase(name, glob):
            for hit in itertools.islice(pattern.finditer(content), MOST_OF_A_KIND):
                yield hit.start(), PASSWORD, f"password in {untrusted.shown(name, 80)}"
    if _any(name, ENV_FILES) and not _any(name, EXAMPLES):
        for hit in _ASSIGNED.finditer(content):
            variable, value = hit[1].decode(), hit[2].decode("utf-8", "replace").strip()
            if secretnames.tells(variable, value) and not secretnames.is_harmless(value):
                yield hit.start(), VARIABLE, f"{untrusted.shown(variable, 80)} has a value"


def _bare(name: str) -> str:
    """A name without its article: it begins a title here."""
    return name.removeprefix("the ").removeprefix("a ")


def _by_name(name: str, size_bytes: int) -> tuple[Leak, ...]:
    """What cannot be looked into, but is known by what it is called."""
    is_store = size_bytes > 0 and _any(name.lower(), KEY_STORES)
    ending = PurePosixPath(name).suffix
    return (Leak(0, KEY_STORE, f"key store, by its ending {ending}"),) if is_store else ()


def _places(content: bytes, wanted: bytes) -> Iterator[int]:
    at = content.find(wanted)
    while at >= 0:
        yield at
        at = content.find(wanted, at + len(wanted))


def _any(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
