"""The values that must not be in any image: secrets of builds, and settings that look secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks.core import process
from tasks.core.bake import overlay, targetchecks
from tasks.core.bake.definitions import Target
from tasks.core.session import Session

#: A build's secret that is larger is a bundle of something, not a value.
MAX_SECRET_BYTES = 64 * 1024


def of_builds(session: Session, targets: Iterable[Target]) -> dict[str, str]:
    """The values that must not be in the images of ``targets``, by a name that may be shown.

    Those of the settings, and the builds' secrets: a variable's value, a file's content (the
    search knows logins in it by themselves). Certificate authorities are public.
    """
    values = of_settings(session)
    environment = process.merged(session.environment)
    for target in targets:
        for secret in target.secrets:
            name = secret.get("id", "")
            variable, file = targetchecks.secret_place(secret, environment)
            if variable:
                values[f"build secret {name}"] = environment.get(variable, "")
            elif name != overlay.CA_SECRET:
                values |= _of_file(name, session.root / file)
    return {name: value for name, value in values.items() if value}


def of_settings(session: Session) -> dict[str, str]:
    """The values of the settings that look secret; needs no engine."""
    entries = session.settings.entries.values()
    values = {f"setting {entry.name}": entry.value for entry in entries if entry.secret}
    npmrc = session.settings["NPMRC"]
    if npmrc:
        values |= _of_file(overlay.NPMRC_SECRET, session.root / npmrc)
    return {name: value for name, value in values.items() if value}


def _of_file(name: str, path: Path) -> Mapping[str, str]:
    with path.open("rb") as file:
        content = file.read(MAX_SECRET_BYTES + 1)
    if len(content) > MAX_SECRET_BYTES:
        return {}
    return {f"build secret {name}": content.decode("utf-8", "replace").strip()}
