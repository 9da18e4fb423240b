"""The options that tasks have in common, as a frozen record; see `command.SHARED`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from invoke.context import Context

from tasks.core import session
from tasks.core.session import Session


@dataclass(frozen=True)
class Written:
    """Where the result goes, in which format, and the settings."""

    format_: str = ""
    output_: Sequence[str] = ()
    set_: Sequence[str] = ()
    env_file: str | None = None
    profile: str | None = None

    def session(self, context: Context, files: Sequence[str] = ()) -> Session:
        """The session that the options ask for, with the bake files ``files`` if any are named."""
        return session.begin(context, self.env_file, self.profile, self.set_, files)


WRITTEN = Written()


@dataclass(frozen=True)
class Building:
    """Which targets of a task are built, and how; and the settings."""

    target: Sequence[str] = ()
    since: str = ""
    no_cache: bool = False
    push: bool = False
    set_: Sequence[str] = ()
    env_file: str | None = None
    profile: str | None = None

    def session(
        self, context: Context, more: Sequence[str] = (), files: Sequence[str] = ()
    ) -> Session:
        """The session that the options ask for; ``more`` are words of --set laid over them."""
        words = [*self.set_, *more]
        return session.begin(context, self.env_file, self.profile, words, files)


BUILDING = Building()
