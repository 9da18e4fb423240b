"""Build images with docker buildx bake."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import session
from tasks.core.asking import BUILDING, Building
from tasks.core.command import command
from tasks.core.errors import UsageError
from tasks.core.render import output, tables


@command()
def multistage(c: Context, asked: Building = BUILDING) -> None:
    """Build development, test and production images."""
    _build(asked.session(c), ["multistage"], asked)


@command()
def baseline(c: Context, asked: Building = BUILDING) -> None:
    """Build the single-stage images to compare with."""
    _build(asked.session(c), ["baseline"], asked)


@command()
def multiarch(
    c: Context,
    platform: str = "",
    debug: bool = False,
    format_: str = "text",
    output_: str | None = None,
    asked: Building = BUILDING,
) -> None:
    """Build for every platform, prove each, push the proven."""
    from tasks.core.proofs import verdicts
    from tasks.core.render import multiarch as multiarch_table
    from tasks.core.shipping import multiarch as multiarchs

    tables.choose(format_, multiarch_table.FORMATS)
    now = asked.session(c, _set("PLATFORMS", platform))
    if debug:
        if output_ or format_ != "text":
            raise UsageError("--debug prints a table: leave out --format and --output")
        _debug(now, multiarchs.DEBUG_GROUP, asked, more=bool(platform))
        return
    patterns = _patterns(now, [multiarchs.GROUP], asked)
    if patterns is None:
        return
    done = multiarchs.build(now, patterns, no_cache=asked.no_cache, push=asked.push)
    if done is not None:
        output.emit(multiarch_table.render(done, format_), output_)
        verdicts.demand(done.verdicts)
        if done.failure is not None:
            raise done.failure


@command(help={"npmrc": "npm's configuration for private packages; default: ~/.npmrc."})
def optimized(c: Context, npmrc: str = "", debug: bool = False, asked: Building = BUILDING) -> None:
    """Build the smallest images, with caches and secrets."""
    from tasks.core.render import build as build_table
    from tasks.core.shipping import optimizing

    now = asked.session(c, _set("NPMRC", npmrc))
    if debug:
        _debug(now, optimizing.DEBUG_GROUP, asked)
        return
    patterns = _patterns(now, [optimizing.GROUP], asked)
    if patterns is None:
        return
    made = optimizing.build(now, patterns, no_cache=asked.no_cache, push=asked.push)
    if made is not None:
        output.emit(build_table.render(made))


@command()
def targets(c: Context, names: str, file: Sequence[str] = (), asked: Building = BUILDING) -> None:
    """Build any targets or groups of a bake file: NAME,NAME."""
    now = asked.session(c, files=file)
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    if not chosen:
        raise UsageError(f"build.targets {names!r} names nothing to build; see: inv build.print")
    _build(now, chosen, asked)


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


def _build(now: session.Session, names: Sequence[str], asked: Building) -> None:
    from tasks.core.bake import builds
    from tasks.core.bake.builds import Wish
    from tasks.core.render import build as build_table

    patterns = _patterns(now, names, asked)
    if patterns is None:
        return
    made = builds.build(now, names, Wish(patterns, asked.no_cache, asked.push))
    if made is not None:
        output.emit(build_table.render(made))


def _patterns(now: session.Session, names: Sequence[str], asked: Building) -> Sequence[str] | None:
    """Which of ``names`` to build; None, with a line that says so, if nothing changed."""
    if not asked.since:
        return asked.target
    from tasks.core.affected import choosing

    return choosing.changed(now, names, asked.target, asked.since)


def _debug(now: session.Session, group: str, asked: Building, *, more: bool = False) -> None:
    if asked.push or more:
        raise UsageError("--debug images are for this machine: leave out --push and --platform")
    _build(now, [group], asked)


def _set(name: str, value: str) -> list[str]:
    """The words of --set that an option of its own stands for."""
    return [f"{name}={value}"] if value else []
