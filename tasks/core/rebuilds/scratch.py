"""A copy of the repository to build from, under names that are nobody else's.

The bake file of the copy is the repository's own as bake resolved it, but for what reaches beyond
the copy: tags, caches, and exports are replaced, so that no image of yours is renamed and no cache
that others use is written.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks.core import cleaning, daemon, process
from tasks.core.bake import overlay
from tasks.core.bake.definitions import Definition, Target
from tasks.core.endpoint import Engine
from tasks.core.errors import UsageError
from tasks.core.session import Session

BAKE_FILE = Path(".slipway", "slipway-compare.json")
#: What is left out of a copy where git does not say.
NEVER = (".git", ".slipway", ".venv", "node_modules", "__pycache__")
#: What a target may say that reaches beyond its image.
_OUTWARD = ("tags", "cache-from", "cache-to", "output", "inherits")
_MOUNT = re.compile(r"--mount=(?=[^\s]*type=cache)(\S+)")


def project() -> str:
    """A name for one run: its images are told from all others by it."""
    return f"slipway-compare-{secrets.token_hex(3)}"


@contextmanager
def copies(session: Session, targets: Sequence[Target]) -> Iterator[Mapping[str, Session]]:
    """A session in a copy of its own for each of ``targets``, by name; gone at the end.

    Each target has its own, so that a change made for one is none for the others. ``session``
    carries the project that the images get; whatever happens, they are removed.
    Raises UsageError for a context outside of the repository.
    """
    definition = session.everything()
    for target in targets:
        _check(session.root, target)
    with (
        TemporaryDirectory(prefix="slipway-compare-") as name,
        images_removed(session.engine, session.settings.project),
    ):
        yield {
            target.name: _copy(session, definition, target, Path(name, str(number)))
            for number, target in enumerate(targets)
        }


@contextmanager
def images_removed(engine: Engine, project: str) -> Iterator[None]:
    """Remove every image of ``project`` at the end, also those that lost their names to others."""
    try:
        yield
    finally:
        with closing(daemon.connect(engine)) as client:
            items = cleaning.find(client, project, containers=False, images=True)
        for item in items:
            argv = cleaning.remove_command(engine.docker, item)
            done = process.read(argv, env=engine.environment, check=False)
            if done.returncode != 0 and not cleaning.is_gone(done.stderr):
                process.note(f"{process.shown(argv)}: {done.reason()}")


def copy_tree(root: Path, destination: Path, only: Sequence[str] = ()) -> None:
    """Copy what git has of ``root`` and what is not committed yet; everything outside of git.

    ``only``: paths from ``root``, all of them if there are none. Links stay links.
    """
    for name in _listed(root, only):
        source, copied = root / name, destination / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir() and not source.is_symlink():
            ignored = shutil.ignore_patterns(*NEVER)
            shutil.copytree(source, copied, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        elif source.is_symlink() or source.is_file():
            shutil.copy2(source, copied, follow_symlinks=False)


def own_caches(text: str, prefix: str) -> str:
    """A Dockerfile whose cache mounts are nobody else's: those of real builds are left alone."""
    return _MOUNT.sub(lambda found: f"--mount={_own_mount(found[1], prefix)}", text)


def own_names(
    raw: Mapping[str, Any], names: Sequence[str], project: str, root: Path
) -> dict[str, Any]:
    """The bake definition ``raw`` for ``names`` and what they are made of, with nothing outward.

    Secrets that lie beside the bake file are read from ``root``: they are not copied.
    """
    every = raw.get("target", {})
    wanted = list(names)
    for name in wanted:
        linked = every[name].get("contexts", {}).values()
        wanted += [
            one.removeprefix("target:")
            for one in linked
            if one.startswith("target:") and one.removeprefix("target:") not in wanted
        ]
    made = {}
    for name in wanted:
        entry = {key: value for key, value in every[name].items() if key not in _OUTWARD}
        entry["tags"] = [f"{project}/{name}:compare".lower()]
        if "secret" in entry:
            entry["secret"] = [_located(one, root) for one in entry["secret"]]
        made[name] = entry
    return {"target": made}


def _copy(session: Session, definition: Definition, target: Target, root: Path) -> Session:
    copy_tree(session.root, root)
    document = own_names(
        definition.raw, [target.name], session.settings.project, session.root.resolve()
    )
    for name, entry in document["target"].items():
        prefix = f"slipway-compare-{target.variant}"
        inline = entry.get("dockerfile-inline")
        if inline is not None:
            entry["dockerfile-inline"] = own_caches(inline, prefix)
            continue
        dockerfile = definition.targets[name].dockerfile if name in definition.targets else None
        if dockerfile is not None:
            path = root / dockerfile.relative_to(session.root.resolve())
            # A file of bytes that are no text has no cache mounts that could be told.
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            path.write_text(own_caches(text, prefix), encoding="utf-8", errors="surrogateescape")
    bake = root / BAKE_FILE
    bake.parent.mkdir(parents=True, exist_ok=True)
    bake.write_text(overlay.serialise(document), encoding="utf-8")
    return replace(session, root=root, files=(BAKE_FILE.as_posix(),))


def _check(root: Path, target: Target) -> None:
    if target.context is None:
        raise UsageError(
            f"{target.name}: its context is no folder of this repository, so there is nothing "
            "to change in it; leave it out by --target"
        )
    if not target.context.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"{target.name}: its context lies outside of the repository, where it would not be a "
            "copy that is built; leave it out by --target"
        )


def _listed(root: Path, only: Sequence[str]) -> list[str]:
    argv = ("git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if shutil.which("git"):
        done = process.read((*argv, *(("--", *only) if only else ())), check=False)
        if done.returncode == 0:
            return [name for name in done.stdout.split("\0") if name]
    return list(only) or sorted(path.name for path in root.iterdir() if path.name not in NEVER)


def _own_mount(words: str, prefix: str) -> str:
    options = dict(word.partition("=")[::2] for word in words.split(","))
    place = options.get("target") or options.get("dst") or options.get("destination") or "cache"
    rest = [word for word in words.split(",") if not word.startswith("id=")]
    return ",".join([*rest, f"id={prefix}-{options.get('id', place)}"])


def _located(secret: Mapping[str, str], root: Path) -> dict[str, str]:
    return {**secret, "src": str(root / secret["src"])} if secret.get("src") else dict(secret)
