"""How two images compare, as text, Markdown or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tasks.core.comparing import files
from tasks.core.comparing.files import Change, FileChange
from tasks.core.comparing.images import Comparison
from tasks.core.comparing.inventory import PackageChange
from tasks.core.comparing.layers import SAME, LayerChange
from tasks.core.comparing.pairs import Compared
from tasks.core.images.contents import shown
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.render import comparison_json, markdown, tables

FORMATS = ("text", "markdown", "json")
#: Rows of each table, and letters of one of its cells.
LIMIT = 20
WIDTH = 80
#: Letters in front of the first that differs.
CONTEXT = 20
SIZES = ("", "from", "to", "difference", "percent")
LAYERS = ("layer", "from", "to", "unpacked", "instruction")
FILES = ("change", "difference", "path", "what")
PACKAGES = ("change", "difference", "kind", "package", "from", "to")
SETTINGS = ("setting", "name", "from", "to")
Row = Sequence[str | None]


def render(compared: Compared, format_: str, limit: int = LIMIT) -> str:
    """Everything that differs; ``limit`` is how many rows a table has, JSON has all of them."""
    if format_ == "json":
        return tables.document(comparison_json.document(compared))
    written = _Written(markdown=format_ == "markdown", limit=limit)
    parts = [written.title(f"{compared.before} → {compared.after}")]
    for one in compared.comparisons:
        parts += _parts(written, one)
    return "\n\n".join(parts)


def summary(compared: Compared) -> str:
    """What differs, in a few words: for the last line of a task that fails for it."""
    counts = Counter[str]()
    for one in compared.comparisons:
        counts["layers"] += sum(each.change != SAME for each in one.layers)
        counts["files"] += len(one.files)
        counts["packages"] += len(one.packages)
        counts["settings"] += len(one.config)
    told = [f"{count} {what}" for what, count in counts.items() if count]
    return ", ".join(told) or "the sizes"


class _Written:
    """Titles and tables in one of the two formats that people read."""

    def __init__(self, *, markdown: bool, limit: int) -> None:
        self._markdown = markdown
        self._limit = limit

    def title(self, text: str) -> str:
        return f"### {markdown.code(text)}" if self._markdown else text

    def heading(self, text: str) -> str:
        return f"**{text}**" if self._markdown else text

    def table(self, headers: Sequence[str], rows: Sequence[Row], *, whole: bool = False) -> str:
        kept = rows if whole else rows[: self._limit]
        more = len(rows) - len(kept)
        if self._markdown:
            cells = [[markdown.code(cell or "-") for cell in row] for row in kept]
            made = markdown.table(headers, cells)
        else:
            made = tables.table(headers, [[cut(cell) for cell in row] for row in kept])
        if not more:
            return made
        between = "\n\n" if self._markdown else "\n"
        return f"{made}{between}… and {more} more: --limit {len(rows)}, or --format json"


def cut(cell: str | None) -> str | None:
    """A cell of a table in a terminal: its end is kept too, where paths differ."""
    if cell is None or len(cell) <= WIDTH:
        return cell
    half = (WIDTH - 1) // 2
    return f"{cell[:half]}…{cell[-half:]}"


def _parts(written: _Written, one: Comparison) -> Iterator[str]:
    yield written.heading(f"{one.platform}: {'different' if one.differs else 'no difference'}")
    yield written.table(SIZES, list(_sizes(one)), whole=True)
    if any(each.change != SAME for each in one.layers):
        yield written.heading(f"layers: {_counted(each.change for each in one.layers)}")
        yield written.table(LAYERS, [_layer(each) for each in one.layers])
    if one.files:
        yield written.heading(f"files and folders: {_counted(each.change for each in one.files)}")
        yield written.table(FILES, [_file(each) for each in sorted(one.files, key=_order)])
    if one.packages:
        counted = _counted(each.change for each in one.packages)
        yield written.heading(f"packages: {counted} (from {one.packages_from})")
        yield written.table(PACKAGES, [_package(each) for each in sorted(one.packages, key=_order)])
    if one.config:
        yield written.heading(f"config: {len(one.config)} different")
        rows = [(each.field, each.name, *_apart(each.before, each.after)) for each in one.config]
        yield written.table(SETTINGS, rows)
    yield from one.remarks


def _sizes(one: Comparison) -> Iterator[Row]:
    before, after = one.before, one.after
    for name, first, second in (
        ("compressed", before.compressed_bytes, after.compressed_bytes),
        ("unpacked", before.unpacked_bytes, after.unpacked_bytes),
        ("visible files", before.files_bytes, after.files_bytes),
    ):
        more = None if first is None or second is None else second - first
        yield (
            name,
            tables.mib(first),
            tables.mib(second),
            None if more is None else tables.difference(more),
            None if more is None else tables.percent(more, first or 0),
        )
    for name, here, there in (
        ("layers", before.layers, after.layers),
        ("files", before.files, after.files),
        ("packages", before.packages, after.packages),
    ):
        yield name, str(here), str(there), f"{there - here:+d}" if there != here else "0", None


def _layer(one: LayerChange) -> Row:
    before, after = one.before, one.after
    made = after or before
    return (
        one.change,
        str(before.number) if before else None,
        str(after.number) if after else None,
        tables.mib(made.unpacked_bytes) if one.change == SAME and made else _moved(one),
        made.instruction if made else None,
    )


def _file(one: FileChange) -> Row:
    return one.change.value, _moved(one), shown(one.path), ", ".join(_what(one))


def _what(one: FileChange) -> Iterator[str]:
    """What is new about it, or what it is, or was."""
    before, after = one.before, one.after
    if before is not None and after is not None:
        yield from (_aspect(aspect, before, after) for aspect in one.aspects)
        return
    entry = after or before
    if entry is not None:
        yield entry.kind if entry.kind is not Kind.LINK else f"link to {_link(entry)}"
    if one.twin:
        yield f"{'as was' if before is None else 'now'} {shown(one.twin)}"


def _aspect(aspect: str, before: FileEntry, after: FileEntry) -> str:
    told = {
        files.MODE: f"mode {before.mode:04o} → {after.mode:04o}",
        files.OWNER: f"owner {before.uid}:{before.gid} → {after.uid}:{after.gid}",
        files.LINK: f"link {_link(before)} → {_link(after)}",
        files.KIND: f"{before.kind} → {after.kind}",
    }
    return told.get(aspect, aspect)


def _link(entry: FileEntry) -> str:
    return comparison_json.link(entry)


def _package(one: PackageChange) -> Row:
    versions = [", ".join(each) or None for each in (one.before, one.after)]
    return one.change.value, _moved(one), one.kind, one.name, *versions


def _apart(before: str | None, after: str | None) -> tuple[str | None, str | None]:
    """Two values; what is alike at the beginning of long ones is left out, or it alone is seen."""
    if before is None or after is None or max(len(before), len(after)) <= WIDTH:
        return before, after
    pairs = enumerate(zip(before, after, strict=False))
    alike = next((at for at, (a, b) in pairs if a != b), 0) - CONTEXT
    return (f"…{before[alike:]}", f"…{after[alike:]}") if alike > 0 else (before, after)


def _moved(one: FileChange | PackageChange | LayerChange) -> str:
    return tables.difference(one.difference_bytes)


def _order(one: FileChange | PackageChange) -> tuple[int, bool, str]:
    """The most bytes first; of those without any, what changed before what came and went."""
    name = one.path if isinstance(one, FileChange) else one.name
    return -abs(one.difference_bytes), one.change is not Change.CHANGED, name


def _counted(changes: Iterable[str]) -> str:
    counts = Counter(str(change) for change in changes)
    return ", ".join(f"{count} {change}" for change, count in sorted(counts.items()))
