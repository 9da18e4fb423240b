"""The resolved definition as text or JSON: settings with their origin, secrets masked."""

from __future__ import annotations

from typing import Any

from tasks.core import schema, source
from tasks.core.bake.definitions import Definition, Target
from tasks.core.render import tables
from tasks.core.render.settings import rows
from tasks.core.secrecy.masking import MASK
from tasks.core.settings import Settings, mask


def render(settings: Settings, definition: Definition, format_: str) -> str:
    """Every target and group of ``definition``; as JSON every setting too.

    ``format_`` is text or json.
    """
    if format_ == "json":
        raw = definition.raw["target"]
        return tables.document(
            {
                "settings": rows(settings),
                "targets": {
                    name: _masked(raw[name], settings) for name in sorted(definition.targets)
                },
                "groups": {name: list(members) for name, members in definition.groups.items()},
            }
        )
    blocks = [_target(target, settings) for target in definition.targets.values()]
    groups = [f"group {name}: {', '.join(names)}" for name, names in definition.groups.items()]
    return mask("\n\n".join([*blocks, *(["\n".join(groups)] if groups else [])]), settings)


def _masked(value: Any, settings: Settings, name: str = "") -> Any:
    """JSON with every text as it may be printed; ``name`` is the key that ``value`` stands under.

    The name counts too: bake reads variables that are no settings from the environment.
    """
    if isinstance(value, dict):
        return {key: _masked(entry, settings, key) for key, entry in value.items()}
    if isinstance(value, list):
        return [_masked(entry, settings) for entry in value]
    if isinstance(value, str):
        return MASK if value and schema.is_secret(name) else mask(value, settings)
    return value


def _target(target: Target, settings: Settings) -> str:
    dockerfile = target.dockerfile.name if target.dockerfile else "inline"
    folder = target.context.name if target.context else "remote"
    stage = f", stage {target.stage}" if target.stage else ""
    platforms = ", ".join(target.platforms) or "the engine's own"
    lines = [
        f"{target.name}  ({folder}/{dockerfile}{stage})",
        f"  tags       {', '.join(target.tags) or '-'}",
        f"  platforms  {platforms}",
    ]
    for name, value in sorted(target.args.items()):
        shown = _masked(value, settings, name)
        lines.append(f"  arg        {name} = {shown}  ({_origin(name, value, settings)})")
    secrets = [str(secret.get("id")) for secret in target.secrets]
    return "\n".join(lines + [f"  secret     {name}" for name in secrets])


def _origin(name: str, value: str, settings: Settings) -> str:
    """Where an argument comes from: the setting of its name if it has its value."""
    if name == source.EPOCH and settings.entries["BUILD_DATE"].origin == source.EPOCH:
        return "environment"
    setting = settings.entries.get(name)
    if setting is None or setting.value != value:
        return "the bake file"
    return f"{name}, {setting.origin}"
