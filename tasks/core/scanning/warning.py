"""A word before each build about secrets that lie in its contexts; `scan.secrets` says it all.

It must not cost a build that is cached any time, so it is bounded: small files, so many, and each
is read again only when it has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tasks.core import process, untrusted
from tasks.core.bake.definitions import Definition
from tasks.core.errors import UsageError
from tasks.core.proofs.policy import Accepted
from tasks.core.render import output
from tasks.core.scanning import findings, leaks, leaving, sending
from tasks.core.scanning.findings import Rules, State
from tasks.core.scanning.leaks import Leak
from tasks.core.scanning.leaving import Ways
from tasks.core.scanning.sending import Context
from tasks.core.secrecy.secretforms import SHAPES
from tasks.core.session import Session
from tasks.core.untrusted import Malformed

FOLDER = Path(".slipway", "cache", "leaks")
SCHEMA = 1
#: Keys and logins are small; and so many files of a context are looked at.
LARGEST_BYTES = 256 * 2**10
MOST_FILES = 20_000
#: What is read in one build: the rest has its turn in the next.
MOST_BYTES = 64 * 2**20
MOST_KEPT_BYTES = 64 * 2**20
_SEE = "see: inv scan.secrets"
#: Lines of warning.
MOST_LINES = 20
#: What tells a file from what it was (size, times, inode), and what was found in it.
Marks = tuple[int, ...]
Seen = tuple[Marks, tuple[Leak, ...]]


def warn(session: Session, definition: Definition) -> None:
    """Tell of secrets in the contexts of ``definition``, a line a file; it stops no build.

    What exceptions of the policy accept is not told of.
    """
    lines = list(_lines(session, definition))
    for line in lines[:MOST_LINES]:
        process.note(line)
    if len(lines) > MOST_LINES:
        process.note(f"warning: and {len(lines) - MOST_LINES} files more; {_SEE}")


@dataclass
class _Room:
    """How much may still be read in this build."""

    left_bytes: int = MOST_BYTES
    cut: set[str] = field(default_factory=set)


def _lines(session: Session, definition: Definition) -> Iterator[str]:
    exceptions = _exceptions(session, definition)
    room = _Room()
    for context in sending.contexts(session.root, definition.targets.values()):
        folder = sending.shown(session.root, context.folder)
        for place, found in _in_context(session.root, context, room).items():
            each = [
                leaving.finding(place, leak, Ways((context,)), session.root, mark)
                for leak, mark in leaving.marked(found)
            ]
            judged = findings.judge(each, exceptions, Rules())
            there = [one.finding for one in judged if one.state is State.OPEN]
            if there:
                told = untrusted.shown(there[0].title.partition(": ")[0])
                subject = untrusted.shown(there[0].subject)
                yield f"warning: {subject}: {told}, sent with the context {folder}; {_SEE}"
    yield from (f"warning: {each}; {_SEE}" for each in sorted(room.cut))


def _exceptions(session: Session, definition: Definition) -> tuple[Accepted, ...]:
    """What is accepted; nothing where the policy makes no sense: who reads it, says so."""
    try:
        return leaving.exceptions_of(session, definition.targets.values())
    except UsageError:
        return ()


def _in_context(root: Path, context: Context, room: _Room) -> Mapping[str, tuple[Leak, ...]]:
    """The leaks of each file of a context that has any, by its place from the root."""
    kept = _kept(root, context)
    known = _load(kept)
    now: dict[str, Seen] = {}
    shown = sending.shown(root, context.folder)
    try:
        for count, path in enumerate(sending.files(context)):
            if count >= MOST_FILES:
                room.cut.add(f"only {MOST_FILES} files of the context {shown} were searched")
                break
            seen = _seen(path, known.get(str(path)), room, shown)
            if seen is not None:
                now[str(path)] = seen
    except OSError:
        return {}  # the build itself says what cannot be read
    if now != known:
        _store(kept, now)
    return {
        sending.shown(root, Path(path)): found for path, (_, found) in sorted(now.items()) if found
    }


def _seen(path: Path, before: Seen | None, room: _Room, folder: str) -> Seen | None:
    status = path.lstat()
    marks = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    if before and before[0] == marks:
        return before
    if status.st_size > LARGEST_BYTES:
        return None
    if room.left_bytes < status.st_size:
        room.cut.add(f"not all files of the context {folder} were searched")
        return None
    room.left_bytes -= status.st_size
    try:
        return marks, leaks.in_file(path, ()).leaks
    except OSError:
        return None


def _kept(root: Path, context: Context) -> Path:
    named = "\0".join((str(context.folder), str(context.ignore_file)))
    return root / FOLDER / f"{hashlib.sha256(os.fsencode(named)).hexdigest()[:16]}.json"


def _detectors() -> str:
    """What is looked for: what was found with other shapes is of no use."""
    said = "\0".join(f"{shape.kind} {shape.name} {shape.pattern.pattern!r}" for shape in SHAPES)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _load(path: Path) -> dict[str, Seen]:
    """What was found before; nothing where that is damaged: all is read again then."""
    try:
        document = untrusted.document(path, SCHEMA, MOST_KEPT_BYTES)
        if document.get("detectors") != _detectors():
            return {}
        return {
            name: (
                tuple(untrusted.count(each, name) for each in untrusted.sequence(marks, name)),
                tuple(_leak(each) for each in untrusted.sequence(found, name)),
            )
            for name, (marks, found) in untrusted.mapping(document.get("files"), "files").items()
        }
    except (OSError, Malformed, ValueError, TypeError):
        return {}


def _leak(value: object) -> Leak:
    line, rule, name = untrusted.sequence(value, "a leak")
    return Leak(
        untrusted.count(line, "a line"), untrusted.text(rule, "a rule"), untrusted.text(name, "it")
    )


def _store(path: Path, found: Mapping[str, Seen]) -> None:
    """Keep ``found``; where the disk does not allow it, files are read again the next time."""
    files = {
        name: [marks, [[each.line, each.rule, each.name] for each in found_]]
        for name, (marks, found_) in found.items()
    }
    document = {"schema": SCHEMA, "detectors": _detectors(), "files": files}
    try:
        output.write(path, json.dumps(document), mode=0o600)
    except OSError:
        return
