"""The files of an image as a container sees them, compared with what tests demand of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tasks.core import untrusted
from tasks.core.images import filetree
from tasks.core.images.contents import Contents
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.structure import keeping, patterns
from tasks.core.structure.config import ContentTest, ExistenceTest, LicenseTest
from tasks.core.structure.keeping import DOCUMENTS, Kept

Files = Mapping[str, FileEntry]
#: The words that no licence file may hold, and the package that may, as in the real tool.
FORBIDDEN = (b"AGPL", b"WTFPL")
EXEMPT = "libgnutls30"
_ROOT = FileEntry("", Kind.DIRECTORY, 0o755, 0, 0, 0)
_BITS = {"any": 0o111, "owner": 0o100, "group": 0o010, "other": 0o001}
#: What the engine puts into every container before it starts, in place of the image's.
_FOLDERS = ("dev", "dev/pts", "dev/shm", "etc", "proc", "sys")
_FILES = (".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf")
#: Go's letters for what is not among the nine bits; a plain file has none.
_LETTERS = {Kind.DIRECTORY: "d", Kind.LINK: "L"}
_KINDS = (Kind.FILE, Kind.DIRECTORY, Kind.LINK)


def of_container(contents: Contents) -> Files:
    """The image's files with what the engine puts in their place in every container."""
    own = contents.files
    roots = [e for layer in contents.layers for e in layer.entries if not e.path]
    root = roots[-1] if roots and roots[-1].kind is Kind.DIRECTORY else _ROOT
    folders = (*_FOLDERS, *_volumes(contents))
    added = {path: _ROOT._replace(path=path) for path in folders if not _is_folder(own, path)}
    empty = FileEntry("", Kind.FILE, 0o755, 0, 0, 0)
    added |= {path: empty._replace(path=path) for path in _FILES if not _is_folder(own, path)}
    if not _is_folder(own, "etc/mtab"):
        added["etc/mtab"] = FileEntry("etc/mtab", Kind.LINK, 0o777, 0, 0, 0, link="/proc/mounts")
    return {**own, **added, "": root}


def _volumes(contents: Contents) -> Iterator[str]:
    """Where the engine mounts volumes of its own; a config may say anything."""
    section = contents.config.get("config")
    volumes = section.get("Volumes") if isinstance(section, dict) else None
    yield from (path.strip("/") for path in (volumes if isinstance(volumes, dict) else ()))


def existence(files: Files, test: ExistenceTest, environment: Mapping[str, str]) -> Iterator[str]:
    """A line for each thing about a path that is not as ``test`` demands; links are not followed.

    Variables of the ``environment`` in the path are replaced.
    """
    path = patterns.expand(test.path, environment)
    entry = _at(files, path)
    if entry is None or not test.should_exist:
        if test.should_exist:
            yield f"{_shown(path)} is not there"
        elif entry:
            yield f"{_shown(path)} is there"
        return
    mode = letters(entry)
    if test.permissions not in ("", mode):
        yield f"{_shown(path)} is {mode}, not {untrusted.shown(test.permissions, 40)}"
    if test.executable_by and not _mode(entry) & _BITS[test.executable_by]:
        yield f"{_shown(path)} is {mode}: not executable by {test.executable_by}"
    for what, number, wanted in (("uid", entry.uid, test.uid), ("gid", entry.gid, test.gid)):
        if wanted is not None and number != wanted:
            yield f"{_shown(path)} has {what} {number}, not {wanted}"


def content(files: Files, test: ContentTest) -> Iterator[str]:
    """A line for each expression that the content does not match, or must not and does."""
    read = _content(files, test.path)
    if isinstance(read, str):
        yield read
        return
    text = patterns.readable(read)
    for pattern in test.expected:
        if not patterns.found(pattern, text):
            yield f"{_shown(test.path)} has no match for {patterns.shown(pattern)}"
    for pattern in test.excluded:
        if patterns.found(pattern, text):
            yield f"{_shown(test.path)} has a match for {patterns.shown(pattern)}"


def licenses(files: Files, test: LicenseTest) -> Iterator[str]:
    """A line for each licence file that is missing or holds one of the words."""
    paths = [f"/{path}" if path[:1] != "/" else path for path in test.files]
    if test.debian:
        folder = filetree.follow(files, DOCUMENTS)
        if folder is None or folder.kind is not Kind.DIRECTORY:
            yield f"/{DOCUMENTS} is not there"
        else:
            packages = sorted(_folders(files, folder.path))
            paths = [f"/{path}/copyright" for path in packages] + paths
    for path in paths:
        read = _content(files, path)
        if isinstance(read, str):
            yield read
            continue
        words = [word.decode() for word in FORBIDDEN if word in read.upper()]
        if words:
            yield f"{_shown(path)} names {words[0]}"


def out_of_sight(files: Files, paths: Sequence[str]) -> Iterator[keeping.Mark]:
    """The marks of files that ``paths`` lead to, through links, and that were not kept."""
    for path in paths:
        entry = filetree.follow(files, path)
        if entry and entry.kind is Kind.FILE and entry.size_bytes and not entry.finding(Kept):
            yield keeping.mark(entry, entry.link or entry.path)


def letters(entry: FileEntry) -> str:
    """The mode in Go's letters: ``-rw-r--r--``, ``drwxr-xr-x``, ``Lrwxrwxrwx``, ``dtrwxrwxrwx``."""
    mode = _mode(entry)
    special = _LETTERS.get(entry.kind, "")
    special += "".join(
        letter for letter, bit in (("u", 0o4000), ("g", 0o2000), ("t", 0o1000)) if mode & bit
    )
    bits = "".join(
        letter if mode & 1 << 8 - number else "-" for number, letter in enumerate("rwxrwxrwx")
    )
    return (special or "-") + bits


def _content(files: Files, path: str) -> bytes | str:
    """The content of the file that ``path`` leads to, or why there is none."""
    entry = filetree.follow(files, keeping.normal(path))
    if entry is None:
        return f"{_shown(path)} is not there"
    if entry.kind is not Kind.FILE:
        return f"{_shown(path)} is no file: it is a {entry.kind}"
    kept = entry.finding(Kept)
    if entry.size_bytes and (kept is None or not kept.whole):
        return f"{_shown(path)} has {entry.size_bytes} bytes: too many to be searched"
    return kept.content if kept else b""


def _at(files: Files, path: str) -> FileEntry | None:
    """What is at ``path`` itself, links on the way followed; None for devices too, as the tool."""
    if path.endswith("/"):
        entry = filetree.follow(files, keeping.normal(path)) or None
        entry = files[""] if entry and not entry.path else entry
        return entry if entry and entry.kind is Kind.DIRECTORY else None
    folder, _, name = keeping.normal(path).rpartition("/")
    above = filetree.follow(files, folder)
    if above is None or above.kind is not Kind.DIRECTORY:
        return None
    entry = files.get(f"{above.path}/{name}" if above.path else name)
    return entry if entry and entry.kind in _KINDS else None


def _folders(files: Files, above: str) -> Iterator[str]:
    """The folders in ``above``, without links and the one package that is let off."""
    for path, entry in files.items():
        folder, _, name = path.rpartition("/")
        if folder == above and entry.kind is Kind.DIRECTORY and name != EXEMPT:
            yield path


def _is_folder(files: Files, path: str) -> bool:
    entry = files.get(path)
    return entry is not None and entry.kind is Kind.DIRECTORY


def _mode(entry: FileEntry) -> int:
    return 0o777 if entry.kind is Kind.LINK else entry.mode


def _shown(path: str) -> str:
    return untrusted.shown(path, 120)
