"""Layers of an image as tar files: owner, mode and time of every entry are ours, not the disk's."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file, a symbolic link, or (with neither content nor link) a folder."""

    path: str
    content: bytes | None = None
    mode: int = 0o644
    link: str = ""
    uid: int = 0
    gid: int = 0


def write(target: Path, entries: Iterable[Entry], epoch: int) -> None:
    """Write ``entries`` to the tar file ``target``, all of them dated ``epoch``."""
    with tarfile.open(target, "w") as tar:
        for entry in entries:
            tar.addfile(_header(entry, epoch), io.BytesIO(entry.content or b""))


def tree(root: Path) -> Iterator[Entry]:
    """Everything under ``root`` as entries that belong to root."""
    for folder, folders, files in os.walk(root):
        for name in sorted([*folders, *files]):
            path = Path(folder, name)
            yield _found(path, str(path.relative_to(root)))


def overlay(folder: Path) -> Iterator[Entry]:
    """The files under ``folder``, root's; scripts are executable whatever the checkout says."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            mode = 0o755 if content.startswith(b"#!") else 0o644
            yield Entry(str(path.relative_to(folder)), content, mode)


def _found(path: Path, name: str) -> Entry:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Entry(name, link=str(path.readlink()))
    if stat.S_ISDIR(status.st_mode):
        return Entry(name, mode=mode)
    return Entry(name, path.read_bytes(), mode)


def _header(entry: Entry, epoch: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(entry.path)
    header.mtime, header.uid, header.gid = epoch, entry.uid, entry.gid
    if entry.link:
        header.type, header.linkname, header.mode = tarfile.SYMTYPE, entry.link, 0o777
    elif entry.content is None:
        header.type, header.mode = tarfile.DIRTYPE, entry.mode
    else:
        header.size, header.mode = len(entry.content), entry.mode
    return header
