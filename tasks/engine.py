"""The Docker Engine: the machine's own, or an embedded one where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.core import process, session
from tasks.core.command import command
from tasks.core.errors import OutOfReach
from tasks.core.render import output, tables

if TYPE_CHECKING:
    from tasks.core.endpoint import Engine
    from tasks.core.engine import Details


@command()
def status(
    c: Context,
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Show which engine is used, its version and platforms."""
    from tasks.core import engine as engines

    tables.choose(format_, ("text", "json"))
    now = session.begin(c, env_file, profile, set_)
    found = engines.find(now.settings["ENGINE"])
    if found is None and now.settings["ENGINE"] == "system":
        found = engines.ensure("system")  # it has nothing to bring up, and says why it is not there
    if found is None:
        raise OutOfReach("no engine runs; bring one up with: inv engine.up")
    details = engines.details(found)
    render = _document if format_ == "json" else _table
    output.emit(render(found, details), output_)


@command(help={"platform": "Platforms to emulate as well, separated by commas."})
def up(
    c: Context,
    platform: str = "",
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Bring the embedded engine up where there is none."""
    from tasks.core import engine as engines
    from tasks.core import schema

    now = session.begin(c, env_file, profile, set_)
    if now.dry:
        process.note("dry run: nothing is started")
        return
    found = engines.ensure(now.settings["ENGINE"])
    if platform:
        from tasks.core.provision import emulation

        emulation.ensure_emulation(schema.platforms(platform))
    process.note(_said(found))


@command()
def down(c: Context) -> None:
    """End the embedded engine; its data stays."""
    from tasks.core.provision import embedded

    if c.config.run.dry:
        process.note("dry run: nothing is ended")
        return
    if embedded.down():
        process.note("the embedded engine has ended; images and build cache are kept")
    else:
        process.note("the embedded engine was not running (other engines are left alone)")


@command()
def settings(
    c: Context,
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Show every setting, its value and where it comes from."""
    from tasks.core.render import settings as settings_table

    tables.choose(format_, ("text", "json"))
    values = session.begin(c, env_file, profile, set_).settings
    render = settings_table.as_json if format_ == "json" else settings_table.as_text
    output.emit(render(values), output_)


def _said(found: Engine) -> str:
    if found.started:
        return f"the embedded engine is up at {found.host}"
    return f"the {found.kind} engine was already up at {found.host}"


def _table(found: Engine, details: Details) -> str:
    rows = (
        ("engine", found.kind),
        ("host", found.host),
        ("version", f"{details.version} (API {details.api})"),
        ("buildx", details.buildx),
        ("image store", details.storage),
        ("platform", details.native),
        ("also runs", ", ".join(details.emulated) or None),
        ("registry", found.registry),
    )
    return tables.table(("", ""), rows)


def _document(found: Engine, details: Details) -> str:
    fields = {"kind": found.kind, "host": found.host, "registry": found.registry}
    return tables.document({**fields, **asdict(details)})
