"""What is being built: version, commit and date from git, where the settings leave them open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core import process
from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from tasks.core.settings import Setting

CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/cert.pem",  # macOS
)


def computed(
    root: Path, entries: Mapping[str, Setting], environ: Mapping[str, str]
) -> dict[str, Setting]:
    """``entries`` with the open ones among VERSION, GIT_COMMIT, BUILD_DATE, CA_BUNDLE filled in."""
    from tasks.core.settings import Setting

    filled = dict(entries)
    given = {name for name in ("VERSION", "GIT_COMMIT", "BUILD_DATE") if entries[name].value}
    commit = None if len(given) == 3 else _head(root)
    found = {
        "VERSION": (lambda: _version(root, commit)),
        "GIT_COMMIT": (lambda: (commit[0], "git") if commit else ("unknown", "no git checkout")),
        "BUILD_DATE": (lambda: _date(commit, environ)),
        "CA_BUNDLE": (lambda: _ca_bundle(environ)),
    }
    for name, find in found.items():
        if not entries[name].value:
            value, origin = find()
            filled[name] = Setting(name, value, origin)
    return filled


def epoch_of(date: str) -> int:
    """Seconds since 1970 of an RFC 3339 date."""
    return int(datetime.fromisoformat(date).timestamp())


def _head(root: Path) -> tuple[str, int] | None:
    """Commit id and commit time (seconds since 1970) of the checkout; None outside of one."""
    done = _git(root, "log", "-1", "--no-show-signature", "--format=%H %ct")
    if done is None:
        return None
    commit, seconds = done.split()
    return commit, int(seconds)


def _version(root: Path, commit: tuple[str, int] | None) -> tuple[str, str]:
    if commit is None:
        return "0.0.0", "no git checkout"
    described = _git(root, "describe", "--tags", "--match", "v[0-9]*", "--dirty")
    if described is None:
        dirty = _git(root, "status", "--porcelain", "--untracked-files=no")
        described = f"0.0.0-g{commit[0][:9]}" + ("-dirty" if dirty else "")
    return re.sub(r"[^A-Za-z0-9_.-]", "-", described.removeprefix("v"))[:128], "git"


def _date(commit: tuple[str, int] | None, environ: Mapping[str, str]) -> tuple[str, str]:
    given = environ.get("SOURCE_DATE_EPOCH")
    if given:
        if not given.isdecimal() or len(given) > 11:
            raise UsageError(
                f"environment: SOURCE_DATE_EPOCH: {given!r} is not a number of seconds since 1970"
            )
        return _rfc3339(int(given)), "SOURCE_DATE_EPOCH"
    if commit:
        return _rfc3339(commit[1]), "git"
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _rfc3339(int(midnight.timestamp())), "today"


def _ca_bundle(environ: Mapping[str, str]) -> tuple[str, str]:
    given = environ.get("SSL_CERT_FILE")
    if given and Path(given).is_file():
        return given, "SSL_CERT_FILE"
    for path in CA_BUNDLES:
        if Path(path).is_file():
            return path, "system"
    return "", "none found"


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _git(root: Path, *words: str) -> str | None:
    """What git says, or None where there is no git, no checkout, or nothing to say yet."""
    import shutil

    if shutil.which("git") is None:
        return None
    done = process.read(["git", "-C", str(root), *words], check=False, timeout=30)
    if done.returncode == 0:
        return done.stdout.strip()
    if "dubious ownership" in done.stderr:
        raise UsageError(
            f"git refuses this checkout because another user owns it; "
            f"run: git config --global --add safe.directory {root}"
        )
    return None
