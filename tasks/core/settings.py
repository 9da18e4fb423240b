"""The values that every task shares, and where each of them came from.

Order, later wins: defaults, ``.env``, ``.env.<profile>``, the process environment, ``--set``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core import envfile, schema, source
from tasks.core.errors import UsageError
from tasks.core.secrecy import masking


@dataclass(frozen=True)
class Setting:
    """One value and its origin, as a person would name it ("default", ".env:12", "--set", …)."""

    name: str
    value: str
    origin: str
    secret: bool = False

    @property
    def shown(self) -> str:
        """The value as it may be printed: secrets masked, users and passwords in URLs too."""
        return masking.MASK if self.secret and self.value else masking.hide(self.value)


@dataclass(frozen=True)
class Settings(Mapping[str, str]):
    """Every setting by name. Indexing gives the value; ``""`` means not set."""

    root: Path
    entries: Mapping[str, Setting]
    #: The empty settings that this process's environment has a value for: a child must not see it.
    emptied: frozenset[str] = frozenset()

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

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must not be printed."""
        return tuple(entry.value for entry in self.entries.values() if entry.secret)

    def environment(self) -> dict[str, str]:
        """What buildx gets on top of this process's environment: the settings."""
        return {name: value for name, value in self.items() if value or name in self.emptied}


def mask(text: str, settings: Settings) -> str:
    """``text`` as it may be printed: no secret of ``settings``, no user or password of a URL."""
    return masking.hide(text, settings.secrets)


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
    ``--set``. Relative paths start from ``root`` in files, and from the current folder in
    ``--set`` and in the environment; the settings hold absolute ones. Raises UsageError, with the
    place and the mend, for anything that cannot be meant.
    """
    environ = os.environ if environment is None else environment
    variables = schema.load(root, environ)
    defaults = {
        name: Setting(name, variable.default, "default", variable.secret)
        for name, variable in variables.items()
    }
    file = _from_file(root, env_file, environ)
    around = {
        name: Setting(name, environ[name], "environment") for name in defaults if name in environ
    }
    given = _overrides(overrides)
    if profile is not None:
        given["PROFILE"] = Setting("PROFILE", profile, "--profile")
    # It decides which files are read, so it is looked up before the rest.
    chosen = {**defaults, **file, **around, **given}["PROFILE"]
    here = Path()
    layers = (
        (root, file),
        (root, _from_profile(root, chosen, environ)),
        (here, around),
        (here, {**given, "PROFILE": chosen}),
    )
    entries = _merged(defaults, layers, variables)
    open_ones = source.computed(root, {n: entry.value for n, entry in entries.items()}, environ)
    for name, (value, origin) in open_ones.items():
        entries[name] = Setting(name, value, origin)
    emptied = {name for name, entry in entries.items() if not entry.value and environ.get(name)}
    return Settings(root, entries, frozenset(emptied))


def _overrides(words: Sequence[str]) -> dict[str, Setting]:
    settings = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not schema.is_name(name):
            raise UsageError(f"--set {envfile.first_word(name)!r}: expected NAME=value")
        settings[name] = Setting(name, value, "--set")
    return settings


def _from_file(root: Path, env_file: str | None, environ: Mapping[str, str]) -> dict[str, Setting]:
    path = root / ".env" if env_file is None else Path(env_file)
    if path.exists():
        return _read(path, environ)
    if env_file is None:
        return {}
    raise UsageError(f"--env-file {env_file}: no such file")


def _from_profile(root: Path, chosen: Setting, environ: Mapping[str, str]) -> dict[str, Setting]:
    profile = chosen.value
    if not profile:
        return {}
    path = root / f".env.{profile}"
    if schema.is_profile(profile) and path.exists():
        return _read(path, environ)
    found = sorted(file.name.removeprefix(".env.") for file in root.glob(".env.*"))
    known = [name for name in found if schema.is_profile(name)]
    mend = f"there are: {', '.join(known)}" if known else "make one, like .env.ci"
    reason = f"no file .env.{profile}" if schema.is_profile(profile) else "no name of a profile"
    raise UsageError(f"{chosen.origin}: profile {profile!r}: {reason}; {mend}")


def _read(path: Path, environ: Mapping[str, str]) -> dict[str, Setting]:
    return {
        entry.name: Setting(entry.name, entry.value, f"{envfile.label(path)}:{entry.line}")
        for entry in envfile.parse(path, environ)
    }


def _merged(
    defaults: Mapping[str, Setting],
    layers: Sequence[tuple[Path, Mapping[str, Setting]]],
    variables: Mapping[str, schema.Variable],
) -> dict[str, Setting]:
    """``defaults`` with the layers laid over them, each with the folder its paths start from."""
    everything = [*defaults.values(), *(each for _, layer in layers for each in layer.values())]
    secrets = [setting.value for setting in everything if schema.is_secret(setting.name)]
    entries = dict(defaults)
    for base, layer in layers:
        for name, setting in layer.items():
            variable = variables.get(name)
            if variable is None:
                mend = _similar(name, variables)
                raise UsageError(f"{setting.origin}: unknown setting {name}{mend}")
            value = variable.located(setting.value, base)
            problem = _emptied(value, defaults[name]) or variable.problem(value)
            if problem:
                raise UsageError(masking.hide(f"{setting.origin}: {problem}", secrets))
            entries[name] = Setting(name, value, setting.origin, variable.secret)
    return entries


def _emptied(value: str, default: Setting) -> str | None:
    if value or not default.value:
        return None
    return (
        f"{default.name} is empty and would override its default {default.shown!r}; "
        "give it a value or remove it"
    )


def _similar(name: str, variables: Mapping[str, schema.Variable]) -> str:
    import difflib

    close = difflib.get_close_matches(name.upper(), variables, n=1)
    return f"; did you mean {close[0]}?" if close else "; declare it in .env.example"
