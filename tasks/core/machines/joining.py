"""Make builders out of nodes, choose one, remove one."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.core import process, schema, untrusted
from tasks.core.bake import buildx
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.machines import builders, nodes
from tasks.core.machines.builders import Builder
from tasks.core.machines.nodes import NodeSpec
from tasks.core.machines.probing import Noted
from tasks.core.render import output
from tasks.core.secrecy import masking
from tasks.core.session import Session

SETTING = "BUILDER"
#: BuildKit's image has to be pulled by an engine or a cluster before it starts.
START_SECONDS = 600
COMMAND_SECONDS = 60
MADE = Path(".slipway", "builders.json")


def create(session: Session, name: str, specs: Sequence[NodeSpec]) -> Builder | None:
    """Make builder ``name`` of ``specs``, and see every node answer; None in a dry run.

    Raises UsageError for a name that is taken or a context that is not there, OutOfReach for a
    node that does not work. Nothing is left behind then.
    """
    engine = session.engine
    _check(engine, name, specs)
    commands = [nodes.create(engine.docker, name, at, spec) for at, spec in enumerate(specs)]
    starts = specs[0].driver != nodes.REMOTE
    if session.dry:
        for command in (*commands, *([buildx.builder_start(engine.docker, name)] * starts)):
            process.would_run(command)
        return None
    try:
        for command in commands:
            _run(engine, command)
        if starts:
            _start(engine, name)
        made = builders.inspect(engine, name)
        down = [node for node in made.nodes if not node.reachable]
        if down:
            where = f"node {down[0].name} ({masking.hide(down[0].endpoint)})"
            raise OutOfReach(f"{where} does not answer: {down[0].reason}; no builder was made")
    except BaseException:
        _undo(engine, name)
        raise
    _remember(session.root, made)
    return made


def use(session: Session, path: Path, name: str) -> None:
    """Have the settings file at ``path`` say which builder is used; "" and default: the engine's.

    Raises UsageError when there is no such builder.
    """
    chosen = "" if name == "default" else name
    if chosen and not (schema.is_builder(chosen) and builders.exists(session.engine, chosen)):
        raise UsageError(builders.unknown(chosen))
    before = _text(path)
    after = with_line(before, SETTING, chosen)
    line = f"{SETTING}={chosen}" if chosen else f"no {SETTING}"
    if session.dry:
        process.note(f"dry run: {path.name} would have {line}")
    elif after == before:
        process.note(f"{path.name} has {line} already")
    else:
        output.write(path.resolve(), after)
        process.note(f"{path.name} now has {line}")
    origin = session.settings.entries[SETTING].origin
    if origin in ("environment", "--set"):
        process.note(f"{SETTING} from {origin} stays in force over {path.name}")


def remove(session: Session, path: Path, name: str, *, yes: bool) -> None:
    """Remove builder ``name`` and its line in the settings file at ``path``.

    Raises UsageError when there is none, when it is an engine itself, and without ``yes`` when
    somebody else made it.
    """
    engine = session.engine
    if not schema.is_builder(name):
        raise UsageError(builders.unknown(name))
    noted = builders.noted(engine, name)
    if noted is None:
        if builders.exists(engine, name):
            raise UsageError(f"{name} is a docker context: there is no builder to remove")
        raise UsageError(builders.unknown(name))
    process.note(f"builder {noted.name} (driver {noted.driver}), with its build cache:")
    for node in noted.nodes:
        process.note(f"  node {node.name} at {masking.hide(node.endpoint)}")
    if not yes and not session.dry and not is_ours(session.root, noted):
        raise UsageError(f"builder {name} was not made by inv builder.create: add --yes")
    command = buildx.builder_remove(engine.docker, noted.name)
    if session.dry:
        process.would_run(command)
    else:
        _run(engine, command)
        _forget(session.root, noted.name)
        output.emit(f"Removed: builder {noted.name}.")
    if _stated(path) == noted.name:
        use(session, path, "")


def with_line(text: str, name: str, value: str) -> str:
    """``text`` of a settings file in which ``name`` has ``value``; the rest byte for byte.

    An empty ``value`` removes the line.
    """
    from dotenv.parser import parse_stream

    line = f"{name}={value}" if value else ""
    parts, found = [], False
    for binding in parse_stream(io.StringIO(text, newline="")):
        original = binding.original.string
        if binding.key != name:
            parts.append(original)
            continue
        # The empty lines above it count as a part of it.
        above = original[: len(original) - len(original.lstrip())]
        ending = original[len(original.rstrip("\r\n")) :]
        parts.append(above + (line + ending if line else ""))
        found = True
    if line and not found:
        ending = "\r\n" if "\r\n" in text else "\n"
        gap = ending if text and not text.endswith(("\n", "\r")) else ""
        parts.append(f"{gap}{line}{ending}")
    return "".join(parts)


def is_ours(root: Path, noted: Noted) -> bool:
    """Whether `builder.create` made this builder, and nobody has changed its nodes since."""
    return _made(root).get(noted.name) == _mark(noted)


def _check(engine: Engine, name: str, specs: Sequence[NodeSpec]) -> None:
    if builders.exists(engine, name):
        raise UsageError(
            f"there is a builder {name} already: use it (inv builder.use {name}), remove it "
            f"(inv builder.remove {name}), or give another --name"
        )
    known = builders.contexts(engine) if any(spec.context for spec in specs) else ()
    for spec in specs:
        if spec.context and spec.context not in known:
            raise UsageError(
                f"--node {spec.context}: there is no docker context of that name; "
                f"there are: {', '.join(known)}"
            )


def _run(engine: Engine, command: Sequence[str]) -> None:
    done = process.read(command, env=engine.environment, timeout=COMMAND_SECONDS, check=False)
    if done.returncode != 0:
        words = process.shown(("docker", *command[1:]))
        raise OutOfReach(f"{words}: {untrusted.shown(done.reason())}; no builder was changed")


def _start(engine: Engine, name: str) -> None:
    process.note(f"slipway: starting BuildKit for builder {name} …")
    command = buildx.builder_start(engine.docker, name)
    done = process.read(command, env=engine.environment, timeout=START_SECONDS, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        mend = "leave BUILDER empty" if engine.kind == "embedded" else "set ENGINE=embedded"
        raise OutOfReach(
            f"BuildKit of builder {name} does not start: {untrusted.shown(lines[-1])}; no builder "
            f"was made; the embedded engine needs no image to build with: {mend}"
        )


def _undo(engine: Engine, name: str) -> None:
    """Remove a half-made builder; what went wrong before matters more than a failure here."""
    if builders.noted(engine, name) is None:
        return
    command = buildx.builder_remove(engine.docker, name)
    done = process.read(command, env=engine.environment, timeout=COMMAND_SECONDS, check=False)
    if done.returncode != 0:
        process.note(f"builder {name} is left half made; remove it: {process.shown(command)}")


def _text(path: Path) -> str:
    return path.read_bytes().decode() if path.exists() else ""


def _stated(path: Path) -> str:
    """The builder that the settings file names."""
    from tasks.core import envfile

    entries = envfile.parse(path) if path.exists() else ()
    return next((entry.value for entry in entries if entry.name == SETTING), "")


def _mark(noted: Noted) -> dict[str, Any]:
    return {"driver": noted.driver, "nodes": [[n.name, n.endpoint] for n in noted.nodes]}


def _made(root: Path) -> dict[str, Any]:
    try:
        read = json.loads((root / MADE).read_bytes())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _remember(root: Path, made: Builder) -> None:
    mark = {"driver": made.driver, "nodes": [[n.name, n.endpoint] for n in made.nodes]}
    output.write(root / MADE, json.dumps({**_made(root), made.name: mark}, indent=1) + "\n")


def _forget(root: Path, name: str) -> None:
    kept = {key: mark for key, mark in _made(root).items() if key != name}
    if kept != _made(root):
        output.write(root / MADE, json.dumps(kept, indent=1) + "\n")
