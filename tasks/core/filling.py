"""Tables in pages: what stands between two markers is made by a command, the rest by people."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.core.errors import UsageError
from tasks.core.render import output


def fill(path: Path, name: str, text: str) -> None:
    """Put ``text`` between the markers of ``name`` in the page at ``path``; the rest stays."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, begun, rest = path.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise UsageError(f"{path.name} has no place for the table: {begin} and {end}")
    output.write(path, f"{before}{begin}\n\n{text}\n\n{end}{after}")


def names(path: Path, first: str) -> tuple[str, ...]:
    """The names of the markers in a page whose first word is ``first``, each once."""
    found = re.findall(
        rf"<!-- ({re.escape(first)}(?: [^:>]*)?): begin -->", path.read_text(encoding="utf-8")
    )
    return tuple(dict.fromkeys(found))
