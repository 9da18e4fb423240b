"""What git knows: the commit to compare with, what changed since, and files as they were."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.core import process, untrusted
from tasks.core.errors import OutOfReach, UsageError

#: How git marks a folder that is a repository of its own.
SUBMODULE = "160000"
LINK = "120000"
TIMEOUT_SECONDS = 120
_QUIET = ("-c", "diff.autoRefreshIndex=true", "-c", "core.quotePath=false")
_DIFF = ("diff", "--raw", "-z", "--no-renames", "--no-relative", "--no-ext-diff", "--no-color")
_NOTHING = "000000"
_MEND = "get the whole history: git fetch --unshallow, or fetch-depth: 0 in a workflow"


@dataclass(frozen=True)
class Changed:
    """One path of the checkout that is not as it was: its modes, "" on the side it is not on."""

    path: str
    before: str
    now: str

    @property
    def is_folder(self) -> bool:
        """Whether it stands for everything below it."""
        return SUBMODULE in (self.before, self.now)


@dataclass(frozen=True)
class Checkout:
    """A checkout at ``top``; ``base`` is the commit (its id) that ``since`` and HEAD go back to."""

    top: Path
    since: str
    base: str

    def path(self, place: Path) -> str | None:
        """A file or folder as git names it ("." for the top); None outside of the checkout."""
        real = place.resolve()
        return real.relative_to(self.top).as_posix() if real.is_relative_to(self.top) else None

    def changes(self) -> tuple[Changed, ...]:
        """Every path that differs between ``base`` and the working tree, untracked files too."""
        raw = _git(self.top, *_DIFF, "--ignore-submodules=none", self.base, "--")
        others = _git(self.top, "ls-files", "-z", "--others", "--exclude-standard")
        tracked = tuple(parse_raw(raw))
        # A repository within this one, which is none of its submodules, ends with a slash.
        untracked = (
            Changed(path.rstrip("/"), "", SUBMODULE if path.endswith("/") else "100644")
            for path in _split(others)
        )
        return (*tracked, *untracked)

    def text(self, path: str) -> str | None:
        """A file as it was at ``base``; None if there was none."""
        argv = _argv(self.top, "cat-file", "blob", f"{self.base}:{path}")
        done = process.read(argv, check=False, timeout=TIMEOUT_SECONDS, env=_ENVIRONMENT)
        return done.stdout if done.returncode == 0 else None

    def files_before(self, folder: str) -> tuple[str, ...]:
        """Every path below ``folder`` at ``base``."""
        words = () if folder == "." else (f"{folder}/",)
        return tuple(
            _split(_git(self.top, "ls-tree", "-r", "-z", "--name-only", self.base, "--", *words))
        )

    def files_now(self, folder: str) -> tuple[str, ...]:
        """Every path below ``folder`` that git has or would take."""
        words = ("--cached", "--others", "--exclude-standard", "--deduplicate", "--", folder)
        return tuple(_split(_git(self.top, "ls-files", "-z", *words)))

    def links(self, folder: str) -> tuple[str, ...]:
        """The symbolic links below ``folder`` that git has."""
        listed = _split(_git(self.top, "ls-files", "-z", "--stage", "--", folder))
        return tuple(each.partition("\t")[2] for each in listed if each.startswith(LINK))


#: No locks: somebody may be working in the checkout. English: messages are told apart.
_ENVIRONMENT = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def find(root: Path, since: str) -> Checkout:
    """The checkout that ``root`` lies in, and where ``since`` and HEAD part.

    Raises UsageError outside of a checkout, for a name that git does not know, and for a clone
    that is too shallow to tell.
    """
    if shutil.which("git") is None:
        raise OutOfReach("git is not on PATH; --since needs it")
    top = _asked(root, "rev-parse", "--show-toplevel")
    if top.returncode != 0:
        raise UsageError(f"--since {_shown(since)}: {root} is no git checkout: {top.reason()}")
    place = Path(top.stdout.removesuffix("\n")).resolve()
    commit = _asked(
        place, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{since}^{{commit}}"
    )
    shallow = _asked(place, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
    if not since or commit.returncode != 0:
        mend = f"this clone is shallow: {_MEND}" if shallow else "fetch it, or name another commit"
        raise UsageError(f"--since {_shown(since)}: git knows no such commit here; {mend}")
    base = _asked(place, "merge-base", commit.stdout.strip(), "HEAD")
    if base.returncode != 0:
        mend = f"this clone is shallow: {_MEND}" if shallow else "name a commit of this history"
        raise UsageError(f"--since {_shown(since)}: it has no commit in common with HEAD; {mend}")
    return Checkout(place, since, base.stdout.strip())


def parse_raw(text: str) -> Iterator[Changed]:
    """What ``git diff --raw -z --no-renames`` printed."""
    words = iter(_split(text))
    for head in words:
        before, now = head.removeprefix(":").split(" ")[:2]
        path = next(words)
        yield Changed(path, "" if before == _NOTHING else before, "" if now == _NOTHING else now)


def _split(text: str) -> list[str]:
    return [word for word in text.split("\0") if word]


def _argv(place: Path, *words: str) -> tuple[str, ...]:
    return ("git", *_QUIET, "-C", str(place), *words)


def _asked(place: Path, *words: str) -> process.Completed:
    argv = _argv(place, *words)
    return process.read(argv, check=False, timeout=TIMEOUT_SECONDS, env=_ENVIRONMENT)


def _git(place: Path, *words: str) -> str:
    """What git prints. Raises OutOfReach when it fails, though the checkout is sound."""
    done = _asked(place, *words)
    if done.returncode != 0:
        raise OutOfReach(f"git cannot read the checkout {place}: {done.reason()}")
    return done.stdout


def _shown(since: str) -> str:
    return untrusted.shown(since, 80) or "''"


def below(path: str, folder: str) -> str | None:
    """``path`` as seen from ``folder``; None if it does not lie in it."""
    if folder == ".":
        return path
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None
