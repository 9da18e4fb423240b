"""The bake definition as it was at a commit, with today's version, commit and date."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.core import envfile, schema
from tasks.core.affected.checkout import Checkout
from tasks.core.bake import definitions
from tasks.core.bake.definitions import Definition
from tasks.core.errors import UsageError
from tasks.core.session import Session

#: What is another one with every commit, and says nothing about what is built.
STAMPS = ("VERSION", "GIT_COMMIT", "BUILD_DATE")


@dataclass(frozen=True)
class Before:
    """The targets at a commit; None, with the ``reason``, where they cannot be known.

    ``environment`` are the settings that buildx would have been given.
    """

    definition: Definition | None
    environment: dict[str, str]
    reason: str = ""


def files(session: Session) -> tuple[str, ...]:
    """What a definition is made of, from the root: bake files, schema, settings files."""
    named = session.files or definitions.BAKE_FILES
    return (*named, schema.EXAMPLE, *_settings_files(session))


def load(session: Session, checkout: Checkout) -> Before:
    """The targets at ``checkout.base``, as bake resolves them in today's folder."""
    with tempfile.TemporaryDirectory(prefix="slipway-") as name:
        # PROJECT is called after the folder unless something else is said.
        old = Path(name, session.root.name)
        old.mkdir()
        for path in files(session):
            _write(session, checkout, path, old / path)
        try:
            given = environment(session, old)
            whole = _resolved(session, old, given)
        except UsageError as problem:
            return Before(None, {}, " ".join(str(problem).split()).replace(f"{old}/", ""))
        return Before(whole, given)


def _resolved(session: Session, old: Path, given: dict[str, str]) -> Definition:
    named = definitions.bake_files(old, session.files)
    return definitions.everything(
        session.engine.docker,
        session.root,
        tuple(str(old / each) for each in named),
        {**given, **session.engine.environment},
    )


def environment(session: Session, old: Path) -> dict[str, str]:
    """What the settings were, laid over by what no file of the repository has a part in.

    ``old`` has the schema and the settings files as they were.
    """
    said = dict(_said(session, old))
    ours = tuple(f"{name}:" for name in _settings_files(session))
    values: dict[str, str] = {}
    for name, variable in schema.load(old).items():
        today = session.settings.entries.get(name)
        was = said.get(name, variable.default).replace(str(old), str(session.root))
        aside = (
            today is not None and today.origin != "default" and not today.origin.startswith(ours)
        )
        values[name] = today.value if today and (aside or name in STAMPS) else was
    emptied = session.settings.emptied
    return {name: value for name, value in values.items() if value or name in emptied}


def _said(session: Session, old: Path) -> Iterator[tuple[str, str]]:
    """What the settings files said; the later one wins."""
    for path in _settings_files(session):
        if (old / path).is_file():
            yield from ((entry.name, entry.value) for entry in envfile.parse(old / path))


def _settings_files(session: Session) -> tuple[str, ...]:
    """The settings files of the repository that are read today, if they are there."""
    profile = session.settings["PROFILE"]
    usual = () if session.env_file else (".env",)
    return (*usual, *([f".env.{profile}"] if profile else []))


def _write(session: Session, checkout: Checkout, path: str, goal: Path) -> None:
    """A file as it was; one that git has never known is as it is."""
    place = checkout.path(session.root / path)
    text = None if place is None else checkout.text(place)
    known = text is not None or (place is not None and place in checkout.files_now(place))
    if not known and (session.root / path).is_file():
        text = (session.root / path).read_text(encoding="utf-8", errors="replace")
    if text is not None:
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.write_text(text, encoding="utf-8")
