"""Who there is in an image, by its account files in /etc, and whom it runs as."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tasks.core.images import filetree
from tasks.core.images.contents import Contents
from tasks.core.images.entries import FileEntry

PASSWD, GROUP, SHADOW = "etc/passwd", "etc/group", "etc/shadow"
MAX_BYTES = 2**20
#: Where they may really lie: links lead from /etc to them, in images of Nix and of ostree. One with
#: a dash is what tools keep of the last one, and a hard link may make it the file itself.
_ANYWHERE = re.compile(r"(?:.*/)?etc/(passwd|group|shadow)-?")


@dataclass(frozen=True)
class AccountFile:
    """The lines of an account file, in fields; those that make no sense are left out."""

    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Account:
    """A line of /etc/passwd."""

    name: str
    password: str
    uid: int


@dataclass(frozen=True)
class User:
    """Whom a container runs as: numbers, the group first among ``gids``."""

    uid: int
    gids: tuple[int, ...]


class AccountInspector:
    """Keeps the account files."""

    def open(self, entry: FileEntry, head: bytes) -> _Lines | None:
        """A probe for an account file."""
        found = _ANYWHERE.fullmatch(entry.path)
        return _Lines(numbered=found[1] != "shadow") if found else None


class _Lines:
    def __init__(self, *, numbered: bool) -> None:
        self._numbered = numbered
        self._content = b""

    def feed(self, piece: bytes) -> bool:
        self._content += piece[: MAX_BYTES - len(self._content)]
        return len(self._content) < MAX_BYTES

    def result(self) -> AccountFile:
        text = self._content.decode("utf-8", "surrogateescape")
        fields = [tuple(line.split(":")) for line in text.splitlines()]
        if not self._numbered:
            return AccountFile(tuple(line for line in fields if len(line) > 1))
        numbered = [line for line in fields if len(line) > 3 and _number(line[2]) is not None]
        return AccountFile(tuple(numbered))


def uids(contents: Contents) -> frozenset[int]:
    """The users that /etc/passwd knows; none where the image has no such file."""
    return frozenset(int(line[2]) for line in _lines(contents.files, PASSWD))


def known(contents: Contents) -> tuple[Account, ...]:
    """The accounts of /etc/passwd, in its order."""
    lines = _lines(contents.files, PASSWD)
    return tuple(Account(line[0], line[1], int(line[2])) for line in lines)


def without_password(contents: Contents) -> tuple[str, ...]:
    """The names whose password in /etc/shadow is empty: anybody may become them."""
    return tuple(line[0] for line in _lines(contents.files, SHADOW) if not line[1])


def user(contents: Contents) -> User | None:
    """Whom the image runs as, root if it does not say; None for a name that it does not know."""
    section = contents.config.get("config")
    said = section.get("User") if isinstance(section, dict) else ""
    name, _, group = str(said or "0").partition(":")
    passwd, groups = _lines(contents.files, PASSWD), _lines(contents.files, GROUP)
    uid = _number(name)
    for line in passwd:
        if (line[0] == name) if uid is None else (int(line[2]) == uid):
            uid, gid = int(line[2]), _number(line[3]) or 0
            break
    else:
        gid = 0
    if uid is None:
        return None
    if group:
        named = next((int(line[2]) for line in groups if line[0] == group), None)
        chosen = _number(group) if _number(group) is not None else named
        return None if chosen is None else User(uid, (chosen,))
    names = {line[0] for line in passwd if int(line[2]) == uid}
    more = [int(line[2]) for line in groups if names & set(line[3].split(","))]
    return User(uid, (gid, *more))


def _lines(files: Mapping[str, FileEntry], path: str) -> tuple[tuple[str, ...], ...]:
    entry = filetree.follow(files, path)
    found = entry.finding(AccountFile) if entry else None
    return found.lines if found else ()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
