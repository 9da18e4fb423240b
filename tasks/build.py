"""Build images with docker buildx bake."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import session
from tasks.core.command import command
from tasks.core.errors import UsageError
from tasks.core.render import output, tables


@command()
def multistage(
    c: Context,
    target: Sequence[str] = (),
    no_cache: bool = False,
    push: bool = False,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build development, test and production images."""
    now = session.begin(c, env_file, profile, set_)
    _build(now, ["multistage"], target, no_cache, push)


@command()
def baseline(
    c: Context,
    target: Sequence[str] = (),
    no_cache: bool = False,
    push: bool = False,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build the single-stage images to compare with."""
    now = session.begin(c, env_file, profile, set_)
    _build(now, ["baseline"], target, no_cache, push)


@command()
def multiarch(
    c: Context,
    target: Sequence[str] = (),
    platform: str = "",
    debug: bool = False,
    no_cache: bool = False,
    push: bool = False,
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build for every platform, prove each, push the proven."""
    from tasks.core import multiarch as multiarchs
    from tasks.core import verdicts
    from tasks.core.render import multiarch as multiarch_table

    tables.choose(format_, multiarch_table.FORMATS)
    now = session.begin(c, env_file, profile, _with("PLATFORMS", platform, set_))
    if debug:
        if output_ or format_ != "text":
            raise UsageError("--debug prints a table: leave out --format and --output")
        _debug(now, multiarchs.DEBUG_GROUP, target, no_cache, push or bool(platform))
        return
    done = multiarchs.build(now, target, no_cache=no_cache, push=push)
    if done is not None:
        output.emit(multiarch_table.render(done, format_), output_)
        verdicts.demand(done.verdicts)
        if done.failure is not None:
            raise done.failure


@command(help={"npmrc": "npm's configuration for private packages; default: ~/.npmrc."})
def optimized(
    c: Context,
    target: Sequence[str] = (),
    npmrc: str = "",
    debug: bool = False,
    no_cache: bool = False,
    push: bool = False,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build the smallest images, with caches and secrets."""
    from tasks.core import optimizing
    from tasks.core.render import build as build_table

    now = session.begin(c, env_file, profile, _with("NPMRC", npmrc, set_))
    if debug:
        _debug(now, optimizing.DEBUG_GROUP, target, no_cache, push)
        return
    made = optimizing.build(now, target, no_cache=no_cache, push=push)
    if made is not None:
        output.emit(build_table.render(made))


@command()
def targets(
    c: Context,
    names: str,
    file: Sequence[str] = (),
    target: Sequence[str] = (),
    no_cache: bool = False,
    push: bool = False,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build any targets or groups of a bake file: NAME,NAME."""
    now = session.begin(c, env_file, profile, set_, file)
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    if not chosen:
        raise UsageError(f"build.targets {names!r} names nothing to build; see: inv build.print")
    _build(now, chosen, target, no_cache, push)


@command(name="print")
def print_(
    c: Context,
    target: Sequence[str] = (),
    file: Sequence[str] = (),
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Show what would be built, and where values come from."""
    from tasks.core.render import definition as definitions

    tables.choose(format_, ("text", "json"))
    now = session.begin(c, env_file, profile, set_, file)
    definition = now.everything().narrowed(target)
    output.emit(definitions.render(now.settings, definition, format_), output_)


def _build(
    now: session.Session, names: Sequence[str], patterns: Sequence[str], no_cache: bool, push: bool
) -> None:
    from tasks.core import builds
    from tasks.core.builds import Wish
    from tasks.core.render import build as build_table

    made = builds.build(now, names, Wish(patterns, no_cache, push))
    if made is not None:
        output.emit(build_table.render(made))


def _debug(
    now: session.Session, group: str, patterns: Sequence[str], no_cache: bool, more: bool
) -> None:
    if more:
        raise UsageError("--debug images are for this machine: leave out --push and --platform")
    _build(now, [group], patterns, no_cache, push=False)


def _with(name: str, value: str, overrides: Sequence[str]) -> list[str]:
    """The words of --set, with an option of its own laid over them."""
    return [*overrides, *([f"{name}={value}"] if value else [])]
