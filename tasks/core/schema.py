"""Which settings there are: Slipway's own, and those that ``.env.example`` adds.

``.env.example`` is the schema of a repository: each ``NAME=default`` line declares a variable. The
variables that Slipway itself reads exist without that file too, so that ``tasks/`` works in a
repository that has none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tasks.core import envfile
from tasks.core.secrecy import masking

EXAMPLE = ".env.example"
ENGINES = ("auto", "system", "embedded")
SWITCH, TRUTH = ("off", "on"), ("false", "true")
#: How grave a finding of a scan is, in trivy's words.
SEVERITIES = ("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL")
#: The scanner: by its digest, because it sees everything; the tag is for people.
SCANNER = (
    "aquasec/trivy:0.72.0@sha256:cffe3f5161a47a6823fbd23d985795b3ed72a4c806da4c4df16266c02accdd6f"
)
CACHES = ("off", "registry", "local", "gha", "inline")
BASES_LOCKS = ("auto", "required", "off")
PROVENANCES = ("off", "min", "max")
PLATFORMS = (
    "linux/386",
    "linux/amd64",
    "linux/arm/v5",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/arm64",
    "linux/loong64",
    "linux/mips64le",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
)
PLATFORM_ALIASES = {
    "linux/x86_64": "linux/amd64",
    "linux/aarch64": "linux/arm64",
    "linux/arm64/v8": "linux/arm64",
    "linux/arm": "linux/arm/v7",
}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_COMMIT = re.compile(r"([0-9a-f]{7,64}|unknown)\Z")
_HOST = r"(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::\d{1,5})?"
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = re.compile(rf"{_HOST}(?:/{_PATH})*\Z")
_REPOSITORY = re.compile(rf"(?:{_HOST}/)?{_PATH}(?:/{_PATH})*\Z")
_BUILDER = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,127}\Z")
_IMAGE = re.compile(
    rf"(?:{_HOST}/)?{_PATH}(?:/{_PATH})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"(?:@sha256:[0-9a-f]{64})?\Z"
)
_IMAGE_FORM = "an image reference like name:tag, host/name:tag@sha256:…"
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
)
_SECRET = re.compile(
    r"((^|_)(PASS|PASSWD|PASSPHRASE|PAT|CREDENTIALS?|PRIVATE|AUTH|APIKEY|KEY)"
    r"|TOKEN|PASSWORD|SECRET)(_|$)",
    re.IGNORECASE,
)

#: A check takes a value and returns what is wrong with it, with the mend, or None.
Check = Callable[[str], str | None]


@dataclass(frozen=True)
class Variable:
    """One setting: its name, its default ("" means computed or not set) and its check."""

    name: str
    default: str
    check: Check | None = None
    #: Whether the value is a path of this machine.
    path: bool = False

    @property
    def secret(self) -> bool:
        """Whether the name says that the value must not be shown."""
        return is_secret(self.name)

    def located(self, value: str, base: Path) -> str:
        """``value``; as an absolute path if it is a path, starting from the folder ``base``."""
        return str((base / value).absolute()) if self.path and value else value

    def problem(self, value: str) -> str | None:
        """What is wrong with ``value``, as it may be printed, or None. "" is never wrong."""
        found = self.check(value) if self.check and value else None
        if found and self.secret:
            found = found.replace(repr(value), masking.MASK)
        return f"{self.name}: {masking.hide(found)}" if found else None


def load(root: Path, environ: Mapping[str, str] | None = None) -> dict[str, Variable]:
    """The schema of the repository at ``root``: Slipway's own variables, and ``.env.example``'s.

    ``environ`` fills in ``${NAME}`` (None: this process's environment). Raises UsageError when the
    example is malformed or declares a default that its check refuses.
    """
    schema = {variable.name: variable for variable in _builtin(root)}
    path = root / EXAMPLE
    if not path.exists():
        return schema
    for entry in envfile.parse(path, environ):
        name = entry.name
        known = schema[name] if name in schema else Variable(name, "", _check_by_name(name))
        variable = replace(known, default=known.located(entry.value, root))
        problem = variable.problem(variable.default)
        if problem:
            raise envfile.problem(path, entry.line, problem)
        schema[name] = variable
    return schema


def is_name(name: str) -> bool:
    """Whether ``name`` can be the name of an environment variable."""
    return _NAME.match(name) is not None


def is_profile(name: str) -> bool:
    """Whether ``name`` can be the name of a profile: ``.env.example`` is none."""
    return _PROFILE.match(name) is not None and f".env.{name}" != EXAMPLE


def is_builder(name: str) -> bool:
    """Whether BUILDER can be ``name``: buildx keeps its note in a file of that name."""
    return _BUILDER.match(name) is not None


def is_image(name: str) -> bool:
    """Whether ``name`` can be the name of an image: ``[host[:port]/]path[:tag][@sha256:…]``."""
    return _IMAGE.match(name) is not None


def registry_problem(value: str) -> str | None:
    """What is wrong with the name of a registry, or None."""
    return _check_registry(value) if value else "expected host[:port][/path]"


def is_secret(name: str) -> bool:
    """Whether ``name`` says that what it holds must not be shown."""
    return _SECRET.search(name) is not None


def platforms(value: str) -> tuple[str, ...]:
    """The platforms in a comma-separated list, by their usual names (aarch64 -> arm64)."""
    words = [word.strip().lower() for word in value.split(",")]
    return tuple(PLATFORM_ALIASES.get(word, word) for word in words if word)


def _builtin(root: Path) -> tuple[Variable, ...]:
    folder = re.sub(r"[^a-z0-9._-]+", "-", root.name.lower()).strip("-._") or "project"
    return (
        Variable(
            "PROJECT", folder, _matches(_PROJECT, "lower-case letters, digits, '.', '_', '-'")
        ),
        Variable("VERSION", "", _matches(_TAG, "letters, digits, '.', '_', '-', at most 128")),
        Variable("GIT_COMMIT", "", _matches(_COMMIT, "7 to 64 hexadecimal digits, or 'unknown'")),
        Variable("BUILD_DATE", "", _check_date),
        Variable("REGISTRY", "", _check_registry),
        Variable("PLATFORMS", "linux/amd64", check_platforms),
        Variable("CA_BUNDLE", "", _check_file, path=True),
        Variable("NPMRC", "", _check_file, path=True),
        Variable("BASES_LOCK", "auto", _one_of(BASES_LOCKS)),
        Variable("CACHE", "off", _one_of(CACHES)),
        Variable("CACHE_REF", "", _matches(_REPOSITORY, "a repository: [host[:port]/]path")),
        Variable("CACHE_DIR", str(root / ".slipway" / "build-cache"), path=True),
        Variable("PROVENANCE", "off", _one_of(PROVENANCES)),
        Variable("SBOM", "off", _check_sbom),
        Variable("SCAN_GATE", "off", _one_of(SWITCH)),
        Variable("SCAN_SEVERITY", "HIGH", _one_of(SEVERITIES)),
        Variable("SCAN_IGNORE_UNFIXED", "false", _one_of(TRUTH)),
        Variable("TRIVY_IMAGE", SCANNER, _check_by_name("TRIVY_IMAGE")),
        Variable("TRIVY_DB_REPOSITORY", "", _check_by_name("TRIVY_DB_IMAGE")),
        Variable("TRIVY_JAVA_DB_REPOSITORY", "", _check_by_name("TRIVY_DB_IMAGE")),
        Variable("TRIVY_DB", "", _check_folder, path=True),
        Variable("TRIVY_OFFLINE", "false", _one_of(TRUTH)),
        Variable("HADOLINT_IMAGE", "", _matches(_IMAGE, _IMAGE_FORM)),
        Variable("SYFT_IMAGE", "", _matches(_IMAGE, _IMAGE_FORM)),
        Variable("BUILDER", "", _matches(_BUILDER, "a builder's name, see: inv builder.list")),
        Variable("ENGINE", "auto", _one_of(ENGINES)),
        Variable("PROFILE", "", _matches(_PROFILE, "letters, digits, '_', '-'")),
    )


def _check_by_name(name: str) -> Check | None:
    if name.endswith("_IMAGE"):
        return _matches(_IMAGE, _IMAGE_FORM)
    return None


def _matches(pattern: re.Pattern[str], expected: str) -> Check:
    def check(value: str) -> str | None:
        return None if pattern.match(value) else f"{value!r} is not valid; expected {expected}"

    return check


def _one_of(values: tuple[str, ...]) -> Check:
    def check(value: str) -> str | None:
        return None if value in values else f"{value!r} is not one of {', '.join(values)}"

    return check


def _check_sbom(value: str) -> str | None:
    if value in ("off", "on") or _IMAGE.match(value):
        return None
    return f"{value!r} is neither off, on, nor the image of a generator"


def check_platforms(value: str) -> str | None:
    """What is wrong with a list of platforms, or None."""
    names = platforms(value)
    if not names:
        return f"{value!r} names no platform; expected a list like linux/amd64,linux/arm64"
    unknown = [name for name in names if name not in PLATFORMS]
    if unknown:
        return f"{unknown[0]!r} is not a platform Slipway knows; expected {', '.join(PLATFORMS)}"
    twice = sorted({name for name in names if names.count(name) > 1})
    return f"{twice[0]!r} is listed twice" if twice else None


def _check_registry(value: str) -> str | None:
    if "@" in value:
        return "must not hold a user or a password; write the host alone and run `docker login`"
    return _matches(_REGISTRY, "host[:port][/path] without a scheme")(value)


def _check_date(value: str) -> str | None:
    expected = "expected RFC 3339 like 2026-01-31T12:00:00Z"
    try:
        moment = datetime.fromisoformat(value) if _DATE.match(value) else None
    except ValueError:  # the 31st of February
        moment = None
    if moment is None:
        return f"{value!r} is not a date with time and time zone; {expected}"
    # Seconds since 1970 are what images and layers carry: there is nothing before.
    return f"{value!r} is before 1970; {expected}" if moment.timestamp() < 0 else None


def _check_file(value: str) -> str | None:
    if os.access(value, os.R_OK) and Path(value).is_file():
        return None
    return f"{value!r} is not a file that can be read"


def _check_folder(value: str) -> str | None:
    if os.access(value, os.R_OK | os.X_OK) and Path(value).is_dir():
        return None
    return f"{value!r} is not a folder that can be read"
