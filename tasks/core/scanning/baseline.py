"""A baseline: the JSON report of an earlier scan, whose findings are no news."""

from __future__ import annotations

from pathlib import Path

from tasks.core import untrusted
from tasks.core.errors import UsageError
from tasks.core.render import tables
from tasks.core.scanning.findings import State
from tasks.core.untrusted import Malformed

MOST_BYTES = 64 * 2**20
#: An accepted finding is no part of it: it has to come up again when its exception ends.
KNOWN = (State.OPEN, State.KNOWN)


def read(name: str) -> frozenset[str]:
    """The fingerprints of the findings in a JSON report; none for no name.

    Raises UsageError for a file that is not there, or is no such report: to take it for an empty
    one, or for one that knows everything, would both mislead.
    """
    if not name:
        return frozenset()
    try:
        return _fingerprints(Path(name))
    except FileNotFoundError:
        raise UsageError(f"--baseline {name}: there is no such file") from None
    except (Malformed, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"--baseline {name}: {said}; expected the report of a scan, "
            "written with --format json --output FILE"
        ) from None


def _fingerprints(path: Path) -> frozenset[str]:
    document = untrusted.document(path, tables.SCHEMA, MOST_BYTES)
    found = untrusted.sequence(document.get("findings"), "its 'findings'")
    each = [untrusted.mapping(one, "a finding") for one in found]
    return frozenset(
        untrusted.text(one.get("fingerprint"), "a finding's fingerprint")
        for one in each
        if one.get("state") in KNOWN
    )
