"""Builders: one engine, or several machines joined as one builder of buildx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context

from tasks.core import session
from tasks.core.command import command
from tasks.core.render import output, tables

NODE = (
    "A node (repeatable): a docker context, ssh://…, tcp://…, unix://…, kubernetes or "
    "docker-container; =PLATFORM,… says what it is to build."
)


@command(
    help={
        "name": "The builder's name; default: the project's.",
        "node": NODE,
        "driver": "What the addresses are: docker-container, remote, kubernetes.",
    }
)
def create(
    c: Context,
    name: str = "",
    node: Sequence[str] = (),
    driver: str = "",
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Join nodes as one builder, and see that each answers."""
    from tasks.core.machines import joining, nodes
    from tasks.core.render import builders as builder_table

    specs = nodes.parse_all(node, driver)
    now = session.begin(c, env_file, profile, set_)
    made = joining.create(now, nodes.builder_name(name or now.settings.project), specs)
    if made is not None:
        output.emit(builder_table.as_text([made], _used(now)))
        output.emit(f"Use it: inv builder.use {made.name}")


@command(name="list")
def list_(
    c: Context,
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Show builders, their nodes, and which of them answer."""
    from tasks.core.machines import builders
    from tasks.core.render import builders as builder_table

    tables.choose(format_, ("text", "json"))
    now = session.begin(c, env_file, profile, set_)
    render = builder_table.as_json if format_ == "json" else builder_table.as_text
    output.emit(render(builders.every(now.engine), _used(now)), output_)


@command(help={"name": "The builder; default stands for the engine's own."})
def use(
    c: Context,
    name: str,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build with this builder from now on: BUILDER in .env."""
    from tasks.core.machines import joining

    now = session.begin(c, env_file, profile, set_)
    joining.use(now, _file(now, env_file), name)


@command(help={"name": "The builder that goes."})
def remove(
    c: Context,
    name: str,
    yes: bool = False,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Remove a builder; its engines and contexts stay."""
    from tasks.core.machines import joining

    now = session.begin(c, env_file, profile, set_)
    joining.remove(now, _file(now, env_file), name, yes=yes)


def _used(now: session.Session) -> str:
    from tasks.core.machines import builders

    return now.settings["BUILDER"] or builders.current(now.engine)


def _file(now: session.Session, env_file: str | None) -> Path:
    return Path(env_file) if env_file else now.root / ".env"
