"""Which files leave the working tree: with a build context, or with what git tracks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.core import process
from tasks.core.bake.definitions import REMOTE, Target
from tasks.core.errors import OutOfReach
from tasks.core.journal import ignoring, inputs

GIT_SECONDS = 60
#: Everything that is not ignored: which of it a step takes, the next edit of a Dockerfile decides.
_ALL = ignoring.sources(["."])


@dataclass(frozen=True)
class Context:
    """A folder that is sent to the builder, without what its ignore file names.

    ``dockerfiles`` are sent in any case; ``targets`` are those that it is sent for.
    """

    folder: Path
    ignore_file: Path | None
    dockerfiles: tuple[Path, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Tree:
    """The files of the working tree that git tracks, and those that it neither tracks nor ignores.

    ``problem`` says why there are none.
    """

    tracked: frozenset[str] = frozenset()
    loose: frozenset[str] = frozenset()
    problem: str = ""


def contexts(root: Path, targets: Iterable[Target]) -> tuple[Context, ...]:
    """The contexts of ``targets``, named ones too, each once: by folder and ignore file."""
    found: dict[tuple[Path, Path | None], tuple[dict[Path, None], dict[str, None]]] = {}
    for target in targets:
        for folder, dockerfile in _folders(root, target):
            key = (folder, ignoring.ignore_file(folder, dockerfile))
            files, names = found.setdefault(key, ({}, {}))
            names[target.name] = None
            if dockerfile is not None:
                files[dockerfile] = None
    return tuple(Context(*key, tuple(files), tuple(names)) for key, (files, names) in found.items())


def files(context: Context) -> Iterator[Path]:
    """The regular files that may be sent; links are sent as links. Raises OSError."""
    path = context.ignore_file
    text = path.read_text(encoding="utf-8", errors="replace") if path else ""
    for _, entry in inputs.walk(context.folder, "", ignoring.parse(text), _ALL):
        if entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
    yield from (each for each in context.dockerfiles if each.is_file())


def tree(root: Path) -> Tree:
    """What git knows of the working tree at ``root``; nothing outside of a checkout.

    Raises OutOfReach where there is a checkout that git cannot read.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.resolve().parents)):
        return Tree(problem="it is no git checkout")
    tracked = _listed(root, "--cached")
    return Tree(tracked, _listed(root, "--others", "--exclude-standard") - tracked)


def is_regular(path: Path) -> bool:
    """Whether ``path`` is a file, and no link: git and builds take links for what they are."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False  # removed, but not yet for git


def shown(root: Path, path: Path) -> str:
    """A path from the root of the repository, with slashes."""
    return Path(os.path.relpath(path, root)).as_posix()


def _folders(root: Path, target: Target) -> Iterator[tuple[Path, Path | None]]:
    if target.context is not None and target.context.is_dir():
        yield target.context, target.dockerfile
    for value in target.contexts.values():
        if "://" not in value and not value.startswith((*REMOTE, "target:")):
            folder = (root / value).resolve()
            if folder.is_dir():
                yield folder, None


def _listed(root: Path, *which: str) -> frozenset[str]:
    done = process.read(
        ("git", "ls-files", "-z", *which), cwd=root, timeout=GIT_SECONDS, check=False
    )
    if done.returncode != 0:
        reason = process.plain(done.reason())
        raise OutOfReach(f"git cannot list the files of the working tree: {reason}")
    return frozenset(filter(None, done.stdout.split("\0")))
