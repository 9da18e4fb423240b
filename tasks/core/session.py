"""What a task works with: the repository, its settings, and the engine once it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from invoke.context import Context

from tasks.core import endpoint, engine, settings
from tasks.core.bake import definitions
from tasks.core.bake.definitions import Definition
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.settings import Settings

#: The repository that tasks/ lies in.
ROOT = Path(__file__).absolute().parents[2]


@dataclass(frozen=True)
class Session:
    """One run of a task: the repository at ``root``, its settings, invoke's ``--dry``."""

    root: Path
    settings: Settings
    files: tuple[str, ...]
    dry: bool
    #: What `invoke.yaml` says under "slipway".
    config: Mapping[str, Any]
    #: The settings file that is read instead of `.env`.
    env_file: str | None = None
    #: What was said already, and the registries that did not answer: a task of several builds would
    #: say it again with each, and wait again.
    said: set[str] = field(default_factory=set, compare=False)
    silent: set[str] = field(default_factory=set, compare=False)

    @cached_property
    def engine(self) -> Engine:
        """The engine; brought up on first use where the machine has none, but not by a dry run."""
        mode = self.settings["ENGINE"]
        found = engine.find(mode) if self.dry else engine.ensure(mode)
        if found is None:
            raise OutOfReach("no engine runs, and a dry run starts none; first run: inv engine.up")
        builder = self.settings["BUILDER"]
        if not builder:
            return found
        return replace(found, environment={**found.environment, endpoint.BUILDER: builder})

    @property
    def environment(self) -> dict[str, str]:
        """What docker and buildx get on top of this process's environment."""
        return {**self.settings.environment(), **self.engine.environment}

    def everything(self) -> Definition:
        """Every target and group of the bake file, resolved once a run."""
        return self._everything

    @cached_property
    def _everything(self) -> Definition:
        files = definitions.bake_files(self.root, self.files)
        return definitions.everything(self.engine.docker, self.root, files, self.environment)

    def definition(self, names: Sequence[str]) -> Definition:
        """The targets that bake would build for ``names`` (targets or groups)."""
        files = definitions.bake_files(self.root, self.files)
        return definitions.load(self.engine.docker, self.root, files, self.environment, names)


def begin(
    context: Context,
    env_file: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    files: Sequence[str] = (),
) -> Session:
    """Read the settings; nothing else is touched yet."""
    loaded = settings.load(ROOT, env_file=env_file, profile=profile, overrides=overrides)
    return Session(
        ROOT,
        loaded,
        tuple(files),
        bool(context.config.run.dry),
        _plain(context.config.get("slipway", {})),
        env_file,
    )


def _plain(value: Any) -> Any:
    """invoke's configuration as plain dictionaries: its own type is no Mapping."""
    return {key: _plain(value[key]) for key in value} if hasattr(value, "keys") else value
