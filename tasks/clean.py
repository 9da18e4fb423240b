"""Remove what Slipway made, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import session
from tasks.core.command import command


@command()
def containers(
    c: Context,
    yes: bool = False,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Remove containers that tasks of this project left."""
    from tasks.core import cleaning

    now = session.begin(c, env_file, profile, set_)
    cleaning.clean(now, containers=True, images=False, yes=yes)


@command()
def images(
    c: Context,
    yes: bool = False,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Remove images of this project; base images stay."""
    from tasks.core import cleaning

    now = session.begin(c, env_file, profile, set_)
    cleaning.clean(now, containers=False, images=True, yes=yes)


@command(name="all")
def all_(
    c: Context,
    yes: bool = False,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Remove this project's containers, then its images."""
    from tasks.core import cleaning

    now = session.begin(c, env_file, profile, set_)
    cleaning.clean(now, containers=True, images=True, yes=yes)
