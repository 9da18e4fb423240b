"""The folder of records: written whole, read back with a check, old ones removed."""

from __future__ import annotations

import json
import re
import secrets
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tasks.core import process, untrusted
from tasks.core.errors import UsageError
from tasks.core.journal import decoding
from tasks.core.journal.records import SCHEMA, Record
from tasks.core.render import output
from tasks.core.untrusted import Malformed

FOLDER = Path(".slipway", "records")
#: Enough for weeks of work; each is some tens of kB.
KEPT = 100
#: A record of hundreds of targets with tens of thousands of files is smaller.
MAX_BYTES = 64 * 2**20
_ID = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]{6}\Z")


def new_id(started: datetime) -> str:
    """A name for the record of a build that started at ``started``: it sorts by time."""
    at = started.astimezone(UTC)
    return f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


def store(root: Path, record: Record) -> Path | None:
    """Write ``record`` and remove the oldest beyond KEPT.

    A disk that does not allow it costs one line, never the build: returns None then.
    """
    folder = root / FOLDER
    path = folder / f"{record.id}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        output.write(path, json.dumps(decoding.encode(record)) + "\n", mode=0o600)
        for old in ids(root)[KEPT:]:
            (folder / f"{old}.json").unlink(missing_ok=True)
    except OSError as error:
        process.note(f"no record of this build is kept: {FOLDER}: {error.strerror}")
        return None
    return path


def ids(root: Path) -> tuple[str, ...]:
    """The ids of all records, the newest first; files of other names are none."""
    try:
        found = [path.stem for path in (root / FOLDER).iterdir() if path.suffix == ".json"]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted((name for name in found if _ID.match(name)), reverse=True))


def read(path: Path) -> Record:
    """The record in a file. Raises Malformed for anything else, and OSError."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise Malformed("it is no file")
    document = untrusted.document(path, SCHEMA, MAX_BYTES)
    found = decoding.decode(Record, document, "it")
    if found.id != path.stem:
        raise Malformed("its id is not the file's name")
    return found


def newest_first(root: Path, before: str = "", *, tell: bool = True) -> Iterator[Record]:
    """The records that can be read, lazily, older than the id ``before`` if one is given.

    Each that cannot be read is told in one line, unless somebody else does so: not ``tell``.
    """
    for name in ids(root):
        if before and name >= before:
            continue
        path = root / FOLDER / f"{name}.json"
        try:
            yield read(path)
        except FileNotFoundError:
            continue  # another build removed it meanwhile
        except (Malformed, OSError) as problem:
            reason = untrusted.shown(_reason(problem))
            if tell:
                process.note(f"passed over {FOLDER / path.name}: {reason}")


def find(root: Path, wanted: str = "") -> Record:
    """The newest record, or the one whose id begins with ``wanted``.

    Raises UsageError when there is none, several, or none that can be read.
    """
    known = ids(root)
    if not known:
        raise UsageError(f"there is no record in {FOLDER}: every build writes one; run inv build.…")
    if not wanted:
        chosen = known[0]
    else:
        matching = [name for name in known if name.startswith(wanted)]
        if len(matching) != 1:
            count = "no record" if not matching else f"{len(matching)} records"
            raise UsageError(
                f"--record {untrusted.shown(wanted)!r}: {count} of that id; see: inv report.records"
            )
        chosen = matching[0]
    path = root / FOLDER / f"{chosen}.json"
    try:
        return read(path)
    except (Malformed, OSError) as problem:
        reason = untrusted.shown(_reason(problem))
        raise UsageError(f"{FOLDER / path.name}: no record: {reason}; remove it") from None


def _reason(problem: Exception) -> str:
    if isinstance(problem, OSError):
        return problem.strerror or "it cannot be read"
    return str(problem)
