"""The resolved definition as text or JSON, each setting with its origin."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.core.definitions import Definition, Target
from tasks.core.render import tables
from tasks.core.render.settings import rows
from tasks.core.settings import Setting, Settings


def render(settings: Settings, definition: Definition, format_: str) -> str:
    """Every target of ``definition`` and every setting; ``format_`` is text or json."""
    if format_ == "json":
        return tables.document(
            {
                "settings": rows(settings),
                "targets": {
                    name: definition.raw["target"][name] for name in sorted(definition.targets)
                },
                "groups": {name: list(members) for name, members in definition.groups.items()},
            }
        )
    blocks = [_target(target, settings.entries) for target in definition.targets.values()]
    return "\n\n".join(blocks)


def _target(target: Target, settings: Mapping[str, Setting]) -> str:
    dockerfile = target.dockerfile.name if target.dockerfile else "inline"
    folder = target.context.name if target.context else "remote"
    stage = f", stage {target.stage}" if target.stage else ""
    platforms = ", ".join(target.platforms) or "the engine's own"
    lines = [
        f"{target.name}  ({folder}/{dockerfile}{stage})",
        f"  tags       {', '.join(target.tags) or '-'}",
        f"  platforms  {platforms}",
    ]
    lines += [f"  arg        {_argument(name, target, settings)}" for name in sorted(target.args)]
    secrets = [str(secret.get("id")) for secret in target.secrets]
    return "\n".join(lines + [f"  secret     {name}" for name in secrets])


def _argument(name: str, target: Target, settings: Mapping[str, Setting]) -> str:
    """``NAME = value  (from origin)``: an argument that is no setting comes from the bake file."""
    setting = settings.get(name)
    value = target.args[name]
    if setting is None or setting.value != value:
        same = [entry for entry in settings.values() if entry.value == value and value]
        setting = same[0] if same else None
    shown = Setting(name, value, "", settings[name].secret if name in settings else False).shown
    origin = f"{setting.name}, {setting.origin}" if setting else "the bake file"
    return f"{name} = {shown}  ({origin})"
