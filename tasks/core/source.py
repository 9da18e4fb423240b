"""What is being built: version, commit and date from git, where the settings leave them open."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach, UsageError

CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/cert.pem",  # macOS
)

#: The variable by which a build's date is set from outside, in seconds since 1970.
EPOCH = "SOURCE_DATE_EPOCH"


class _NothingYet(Exception):
    """git has nothing to say: no commit, or no checkout after all."""


def computed(
    root: Path, values: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Value and origin of what the settings leave open: version, commit, date, CA bundle, npmrc."""
    given = {name for name in ("VERSION", "GIT_COMMIT", "BUILD_DATE") if values[name]}
    commit = None if len(given) == 3 else _head(root)
    found = {
        "VERSION": (lambda: _version(root, commit)),
        "GIT_COMMIT": (lambda: (commit[0], "git") if commit else ("unknown", "no git checkout")),
        "BUILD_DATE": (lambda: _date(commit, environ)),
        "CA_BUNDLE": (lambda: _ca_bundle(environ)),
        "NPMRC": (lambda: _npmrc(environ)),
    }
    return {name: find() for name, find in found.items() if not values[name]}


def epoch_of(date: str) -> int:
    """Seconds since 1970 of an RFC 3339 date."""
    return int(datetime.fromisoformat(date).timestamp())


def _head(root: Path) -> tuple[str, int] | None:
    """Commit id and commit time (seconds since 1970) of the checkout; None outside of one."""
    if _checkout(root) is None:
        return None
    try:
        said = _git(root, "log", "-1", "--no-show-signature", "--format=%H %ct")
    except _NothingYet:
        return None
    commit, seconds = said.split()
    return commit, int(seconds)


def _checkout(root: Path) -> Path | None:
    """The folder of the checkout that ``root`` lies in; None outside of one."""
    real = root.resolve()  # as git does it
    return next((path for path in (real, *real.parents) if (path / ".git").exists()), None)


def _version(root: Path, commit: tuple[str, int] | None) -> tuple[str, str]:
    if commit is None:
        return "0.0.0", "no git checkout"
    # Without a tag that matches, --always gives the commit alone.
    described = _git(
        root, "describe", "--tags", "--match", "v[0-9]*", "--always", "--abbrev=9", "--dirty"
    )
    version = described.removeprefix("v") if described[:1] == "v" else f"0.0.0-g{described}"
    return re.sub(r"[^A-Za-z0-9_.-]", "-", version)[:128], "git"


def _date(commit: tuple[str, int] | None, environ: Mapping[str, str]) -> tuple[str, str]:
    given = environ.get(EPOCH)
    if given:
        if not given.isdecimal() or len(given) > 11:
            raise UsageError(
                f"environment: {EPOCH}: {given!r} is not a number of seconds since 1970"
            )
        return _rfc3339(int(given)), EPOCH
    if commit:
        return _rfc3339(commit[1]), "git"
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _rfc3339(int(midnight.timestamp())), "today"


def _ca_bundle(environ: Mapping[str, str]) -> tuple[str, str]:
    given = environ.get("SSL_CERT_FILE")
    if given and _can_be_read(given):
        return str(Path(given).absolute()), "SSL_CERT_FILE"
    for path in CA_BUNDLES:
        if _can_be_read(path):
            return path, "system"
    return "", "none found"


def _npmrc(environ: Mapping[str, str]) -> tuple[str, str]:
    path = Path(environ["HOME"], ".npmrc").absolute() if environ.get("HOME") else None
    return (str(path), "~/.npmrc") if path and _can_be_read(path) else ("", "none found")


def _can_be_read(path: str | Path) -> bool:
    """Whether it is a file for this user: HOME may be somebody else's (sudo), and closed."""
    return os.access(path, os.R_OK) and Path(path).is_file()


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _git(root: Path, *words: str) -> str:
    """What git says about the checkout at ``root``.

    Raises _NothingYet where there is no commit, and OutOfReach where git is missing or fails.
    """
    import shutil

    mend = "or set VERSION, GIT_COMMIT and BUILD_DATE"
    if shutil.which("git") is None:
        raise OutOfReach(f"git is not on PATH, and {root} is a git checkout; install git, {mend}")
    # LC_ALL: git's reasons are told apart by their English text.
    argv = ["git", "-C", str(root), *words]
    done = process.read(argv, check=False, timeout=30, env={"LC_ALL": "C"})
    if done.returncode == 0:
        return done.stdout.strip()
    if "dubious ownership" in done.stderr:
        raise UsageError(
            f"git refuses this checkout because another user owns it; "
            f"run: git config --global --add safe.directory {_checkout(root)}"
        )
    if "does not have any commits yet" in done.stderr:
        raise _NothingYet
    # git does not look into parent folders across the border of a mount: that is no failure.
    if "not a git repository" in done.stderr and not (root / ".git").exists():
        raise _NothingYet
    said = done.stderr.strip().splitlines()
    reason = said[-1] if said else f"exit {done.returncode}"
    raise OutOfReach(f"git cannot read the checkout {root}: {reason}; mend it, {mend}")
