"""The last verdicts, kept in ``.slipway/verdicts.json`` for reports; and those of any JSON report.

The file is what ``verify.* --format json`` writes, with the time of each verdict beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.core import process, untrusted
from tasks.core.errors import UsageError
from tasks.core.proofs.verdicts import Severity, Status, Verdict
from tasks.core.render import output
from tasks.core.untrusted import Malformed

SCHEMA = 1
FILE = Path(".slipway", "verdicts.json")
MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Kept:
    """A verdict, and when it was found; None where the report does not say."""

    verdict: Verdict
    at: datetime | None


def store(root: Path, verdicts: Sequence[Verdict]) -> None:
    """Keep ``verdicts``; earlier ones of the same targets by the same proofs are replaced.

    A disk that does not allow it costs one line, never the verdicts.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        earlier = load(root)
    except UsageError as problem:
        process.note(f"{problem} (it is written anew)")
        earlier = ()
    anew = {_place(verdict) for verdict in verdicts}
    kept = [one for one in earlier if _place(one.verdict) not in anew]
    entries = [*kept, *(Kept(verdict, now) for verdict in verdicts)]
    document = {"schema": SCHEMA, "verdicts": [_encoded(one) for one in entries]}
    try:
        output.write(root / FILE, json.dumps(document) + "\n", mode=0o600)
    except OSError as error:
        process.note(f"the verdicts are not kept for reports: {FILE}: {error.strerror}")


def load(root: Path) -> tuple[Kept, ...]:
    """The verdicts that were kept, if any. Raises UsageError for a file that is not ours."""
    path = root / FILE
    return read(path, str(FILE)) if path.exists() else ()


def read(path: Path, name: str) -> tuple[Kept, ...]:
    """The verdicts of a JSON report; ``name`` is what errors call it.

    Raises UsageError for a file that is missing or anything else.
    """
    try:
        document = untrusted.document(path, SCHEMA, MAX_BYTES)
        return tuple(
            _decoded(untrusted.mapping(one, "a verdict"))
            for one in untrusted.sequence(document.get("verdicts"), "verdicts")
        )
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None
    except Malformed as problem:
        reason = untrusted.shown(str(problem))
        mend = "expected what verify.all --output report.json writes"
        raise UsageError(f"{name}: no verdicts: {reason}; {mend}") from None


def _place(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.target, verdict.platform, verdict.proof


def _encoded(one: Kept) -> dict[str, Any]:
    return {**one.verdict.as_dict(), "at": one.at.isoformat() if one.at else None}


def _decoded(found: Any) -> Kept:
    words = [
        untrusted.text(found.get(name), name)
        for name in ("target", "platform", "proof", "measured", "allowed", "message")
    ]
    try:
        status, severity = Status(found.get("status")), Severity(found.get("severity"))
        at = datetime.fromisoformat(found["at"]) if found.get("at") else None
    except (ValueError, TypeError) as error:
        raise Malformed(f"a verdict: {error}") from None
    if at is not None and at.tzinfo is None:
        raise Malformed("a verdict: a time without its zone")
    findings = untrusted.sequence(found.get("findings") or [], "findings")
    target, platform, proof, measured, allowed, message = words
    verdict = Verdict(
        target,
        platform,
        proof,
        status,
        measured,
        allowed,
        message,
        severity,
        tuple(untrusted.text(one, "a finding") for one in findings),
    )
    return Kept(verdict, at)
