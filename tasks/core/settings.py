"""The values that every task shares, and where each of them came from.

Order, later wins: defaults, ``.env``, ``.env.<profile>``, the process environment, ``--set``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core import envfile, schema, source
from tasks.core.errors import UsageError

MASK = "••••••"
_URL_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]+(?=@)")


@dataclass(frozen=True)
class Setting:
    """One value and its origin, as a person would name it ("default", ".env:12", "--set", …)."""

    name: str
    value: str
    origin: str
    secret: bool = False

    @property
    def shown(self) -> str:
        """The value as it may be printed: secrets masked, passwords in URLs too."""
        if self.secret and self.value:
            return MASK
        return _URL_PASSWORD.sub(rf"\1:{MASK}", self.value)


@dataclass(frozen=True)
class Settings(Mapping[str, str]):
    """Every setting by name. Indexing gives the value; ``""`` means not set."""

    root: Path
    entries: Mapping[str, Setting]

    def __getitem__(self, name: str) -> str:
        return self.entries[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def project(self) -> str:
        """The name that labels everything Slipway makes."""
        return self["PROJECT"]

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms of multi-architecture builds, normalised."""
        return schema.platforms(self["PLATFORMS"])

    def environment(self) -> dict[str, str]:
        """What is handed to buildx: every setting that has a value, and SOURCE_DATE_EPOCH."""
        values = {name: value for name, value in self.items() if value}
        return {**values, "SOURCE_DATE_EPOCH": str(source.epoch_of(self["BUILD_DATE"]))}


def load(
    root: Path,
    *,
    env_file: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of the repository at ``root``.

    ``env_file`` replaces ``.env`` and must exist; ``overrides`` are ``NAME=value`` words from
    ``--set``. Raises UsageError, with the place and the mend, for anything that cannot be meant.
    """
    environ = os.environ if environment is None else environment
    variables = schema.load(root)
    given = _overrides(overrides)
    entries = {
        name: Setting(name, variable.default, "default", variable.secret)
        for name, variable in variables.items()
    }
    layers = [_from_file(root, env_file)]
    name = _profile(profile, given, environ, layers[0])
    if name:
        layers.append(_from_profile(root, name))
        given["PROFILE"] = Setting("PROFILE", name, "--profile" if profile else "given")
    layers.append(
        {key: Setting(key, environ[key], "environment") for key in variables if key in environ}
    )
    layers.append(given)
    for layer in layers:
        for setting in layer.values():
            entries[setting.name] = _checked(setting, variables)
    return Settings(root, source.computed(root, entries, environ))


def _overrides(words: Sequence[str]) -> dict[str, Setting]:
    settings = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not schema.is_name(name):
            raise UsageError(f"--set {name!r}: expected NAME=value")
        settings[name] = Setting(name, value, "--set")
    return settings


def _profile(
    option: str | None,
    given: Mapping[str, Setting],
    environ: Mapping[str, str],
    file: Mapping[str, Setting],
) -> str:
    """The profile in force: it decides which files are read, so it is looked up before the rest."""
    if option is not None:
        return option
    for layer in (given, file):
        if "PROFILE" in layer and (layer is given or "PROFILE" not in environ):
            return layer["PROFILE"].value
    return environ.get("PROFILE", "")


def _from_file(root: Path, env_file: str | None) -> dict[str, Setting]:
    path = root / ".env" if env_file is None else Path(env_file)
    if env_file is None and not path.exists():
        return {}
    if not path.is_file():
        raise UsageError(f"--env-file {env_file or path.name}: no such file")
    return _read(path)


def _from_profile(root: Path, profile: str) -> dict[str, Setting]:
    path = root / f".env.{profile}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", profile) or not path.is_file():
        known = sorted(
            file.name.removeprefix(".env.")
            for file in root.glob(".env.*")
            if file.name != ".env.example"
        )
        mend = f"there are: {', '.join(known)}" if known else f"make .env.{profile}"
        raise UsageError(f"profile {profile!r}: no file .env.{profile}; {mend}")
    return _read(path)


def _read(path: Path) -> dict[str, Setting]:
    return {
        entry.name: Setting(entry.name, entry.value, f"{path.name}:{entry.line}")
        for entry in envfile.parse(path)
    }


def _checked(setting: Setting, variables: Mapping[str, schema.Variable]) -> Setting:
    """``setting`` with its secret mark, or a UsageError that names its place and the mend."""
    where, name = setting.origin, setting.name
    variable = variables.get(name)
    if variable is None:
        raise UsageError(f"{where}: unknown setting {name}{_similar(name, variables)}")
    if not setting.value and variable.default:
        raise UsageError(
            f"{where}: {name} is empty and would override its default "
            f"{variable.default!r}; give it a value or remove it"
        )
    problem = variable.check(setting.value) if variable.check and setting.value else None
    if problem:
        raise UsageError(f"{where}: {name}: {problem}")
    return Setting(name, setting.value, where, variable.secret)


def _similar(name: str, variables: Mapping[str, schema.Variable]) -> str:
    import difflib

    close = difflib.get_close_matches(name.upper(), variables, n=1)
    return f"; did you mean {close[0]}?" if close else "; declare it in .env.example"
