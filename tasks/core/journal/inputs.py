"""What a build context holds, by content: the files that a Dockerfile's steps may take."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tasks.core import untrusted
from tasks.core.journal import ignoring
from tasks.core.journal.ignoring import Patterns
from tasks.core.journal.recipe import Line, taken
from tasks.core.journal.records import ContextRecord, StageRecord
from tasks.core.render import output
from tasks.core.untrusted import Malformed

FOLDER = Path(".slipway", "cache", "files")
#: With more, a record would be too large to be read at once.
MAX_FILES = 50_000
PIECE_BYTES = 2**20
SCHEMA = 1
#: What tells a file from what it was (size, times, inode), and the digest of its content.
Seen = tuple[tuple[int, ...], str]


def look(
    root: Path, context: Path, dockerfile: Path | None, stages: Sequence[StageRecord]
) -> ContextRecord:
    """The files of ``context`` that the steps of ``stages`` may take.

    Files are read again only when size, times or inode changed: what was found is kept in
    ``.slipway/cache/files``. What cannot be read is the record's ``problem``.
    """
    shown = os.path.relpath(context, root)
    ignored = ignoring.ignore_file(context, dockerfile)
    named = os.path.relpath(ignored, root) if ignored else ""
    wanted = _wanted(stages)
    if not wanted.entries:
        return ContextRecord(shown, named)
    try:
        text = ignored.read_text(encoding="utf-8", errors="replace") if ignored else ""
        kept = _kept(root, context)
        known = _load(kept)
        found: dict[str, Seen] = {}
        files = dict(_files(context, ignoring.parse(text), wanted, known, found))
        if found != known:
            _store(kept, found)
    except TooMany:
        return ContextRecord(shown, named, problem=f"it has more than {MAX_FILES} files")
    except OSError as error:
        place = os.path.relpath(error.filename, root) if error.filename else shown
        return ContextRecord(shown, named, problem=f"{place}: {error.strerror}")
    return ContextRecord(shown, named, files)


def covered(files: Mapping[str, str], words: Sequence[str], but: Sequence[str] = ()) -> set[str]:
    """Those of ``files`` that a step takes which names ``words``, without the patterns ``but``."""
    wanted, left_out = ignoring.sources(words), ignoring.sources(but)
    return {path for path in files if wanted.match(path) and not left_out.match(path)}


class TooMany(Exception):
    """A context has more files than are looked at."""


def _wanted(stages: Sequence[StageRecord]) -> Patterns:
    """What any step takes; everything, where a variable is among what it names."""
    found = [
        word
        for stage in stages
        for each in stage.instructions
        for word in taken(Line(stage.name, each.name, each.value))
    ]
    return ignoring.sources(["."] if any("$" in word for word in found) else found)


def _files(
    context: Path,
    ignored: Patterns,
    wanted: Patterns,
    known: Mapping[str, Seen],
    found: dict[str, Seen],
) -> Iterator[tuple[str, str]]:
    for count, (path, entry) in enumerate(walk(context, "", ignored, wanted)):
        if count >= MAX_FILES:
            raise TooMany
        status = entry.stat(follow_symlinks=False)
        mode = f"{status.st_mode:06o}"
        if stat.S_ISLNK(status.st_mode):
            goal = Path(entry.path).readlink()
            yield path, f"{mode} {hashlib.sha256(os.fsencode(goal)).hexdigest()}"
        elif stat.S_ISREG(status.st_mode):
            # The time of the change of the inode is what no program can set back.
            marks = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
            before = known.get(path)
            digest = before[1] if before and before[0] == marks else _digest(entry.path)
            found[path] = (marks, digest)
            yield path, f"{mode} {digest}"
        else:
            yield path, f"{mode} "


def walk(
    folder: Path | str, prefix: str, ignored: Patterns, wanted: Patterns
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """What a context has that is wanted and not ignored; folders too."""
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{prefix}{entry.name}"
        is_folder = entry.is_dir(follow_symlinks=False)
        out = ignored.match(path)
        taken_ = wanted.match(path)
        if taken_ and not out:
            yield path, entry
        deeper = (taken_ or wanted.may_match_below(path)) and (
            not out or ignored.may_spare_below(path)
        )
        if is_folder and deeper:
            yield from walk(entry.path, f"{path}/", ignored, wanted)


def _digest(path: str) -> str:
    made = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123 - the entry's path is text already
        while piece := file.read(PIECE_BYTES):
            made.update(piece)
    return made.hexdigest()


def _kept(root: Path, context: Path) -> Path:
    name = hashlib.sha256(os.fsencode(context)).hexdigest()[:16]
    return root / FOLDER / f"{name}.json"


def _load(path: Path) -> dict[str, Seen]:
    """What was found before; nothing where that is damaged: all is read again then."""
    try:
        document = untrusted.mapping(untrusted.parse(path.read_bytes(), "it"), "it")
        if document.get("schema") != SCHEMA:
            return {}
        return {
            name: (
                tuple(untrusted.count(each, name) for each in untrusted.sequence(marks, name)),
                untrusted.digest(f"sha256:{digest}", name).removeprefix("sha256:"),
            )
            for name, (marks, digest) in untrusted.mapping(document.get("files"), "files").items()
        }
    except (OSError, Malformed, ValueError, TypeError):
        return {}


def _store(path: Path, found: Mapping[str, Seen]) -> None:
    """Keep ``found``; where the disk does not allow it, files are read again the next time."""
    try:
        output.write(path, json.dumps({"schema": SCHEMA, "files": found}), mode=0o600)
    except OSError:
        return
