"""A bake target -> what a record keeps of it: its Dockerfile, arguments, secrets, files."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tasks.core import schema
from tasks.core.bake import needs, targetchecks
from tasks.core.bake.definitions import Definition, Target
from tasks.core.journal import inputs, recipe, recordstore
from tasks.core.journal.records import (
    Argument,
    ContextRecord,
    Instructed,
    SecretRecord,
    StageRecord,
    TargetRecord,
)
from tasks.core.secrecy import masking

KEY = "key"


def make(
    root: Path, definition: Definition, environment: Mapping[str, str], hide: Callable[[str], str]
) -> dict[str, TargetRecord]:
    """What is asked of every target of ``definition``, by name; nothing has been built yet.

    ``environment`` is what buildx gets: there stand secrets.
    Files are read here: it may take as long as reading the contexts once.
    """
    key = _key(root)
    looked: dict[tuple[str, str], ContextRecord] = {}
    made = {}
    for name, target in definition.targets.items():
        globals_, stages = recipe.read(needs.text_of(target) or "")
        place = str(target.context), str(target.dockerfile)
        if target.context is not None and place not in looked:
            looked[place] = inputs.look(root, target.context, target.dockerfile, stages)
        raw = definition.raw.get("target", {}).get(name, {})
        made[name] = TargetRecord(
            name=name,
            service=target.service,
            variant=target.variant,
            stage=target.stage,
            dockerfile=_dockerfile(root, target),
            tags=target.tags,
            platforms=target.platforms,
            args={n: _argument(n, v, key) for n, v in sorted(_given(target).items())},
            contexts={n: masking.hide(str(v)) for n, v in target.contexts.items()},
            secrets=tuple(_secrets(target, stages, environment)),
            globals=tuple(_hidden(globals_, hide)),
            stages=tuple(
                StageRecord(s.name, hide(s.base), tuple(_hidden(s.instructions, hide)))
                for s in stages
            ),
            context=looked.get(place),
            uncached=("*",) if raw.get("no-cache") else tuple(raw.get("no-cache-filter") or ()),
        )
    return made


def with_secrets(target: TargetRecord, provided: Iterable[str]) -> TargetRecord:
    """``target`` with the secrets that Slipway gave it besides its own."""
    known = {each.id: each for each in target.secrets}
    known |= {name: SecretRecord(name, set=True) for name in provided}
    return replace(target, secrets=tuple(known[name] for name in sorted(known)))


def is_secret(name: str, value: str) -> bool:
    """Whether a build argument is kept as a hash alone: by its name, or by a login in it."""
    return schema.is_secret(name) or masking.hide(value) != value


def _given(target: Target) -> dict[str, str]:
    """The build arguments that steps can hang on."""
    return {n: str(value) for n, value in target.args.items() if n not in recipe.UNKEYED}


def _argument(name: str, value: str, key: bytes | None) -> Argument:
    """A value as it is, unless its name or its form says that it is secret."""
    if not is_secret(name, value):
        return Argument(value)
    if key is None:
        return Argument()
    return Argument(None, hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:32])


def _key(root: Path) -> bytes | None:
    """What secrets are hashed with: it never leaves this machine. None where none can be kept."""
    path = root / recordstore.FOLDER / KEY
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(32))
        found = path.read_bytes()
    except OSError:
        return None
    return found if len(found) == 32 else None


def _dockerfile(root: Path, target: Target) -> str:
    if target.dockerfile is None:
        return "(inline)" if target.inline is not None else ""
    return Path(os.path.relpath(target.dockerfile, root)).as_posix()


def _hidden(lines: tuple[Instructed, ...], hide: Callable[[str], str]) -> Iterator[Instructed]:
    for each in lines:
        yield replace(each, value=hide(each.value))


def _secrets(
    target: Target, stages: tuple[StageRecord, ...], environment: Mapping[str, str]
) -> Iterator[SecretRecord]:
    """Those that the bake file gives, and those that a RUN asks for in vain."""
    given = {}
    for secret in target.secrets:
        variable, file = targetchecks.secret_place(secret, environment)
        given[secret.get("id", "")] = bool(environment.get(variable)) if variable else bool(file)
    asked = {
        fields.get("id") or fields.get("target", "").rpartition("/")[2]
        for stage in stages
        for each in stage.instructions
        for fields in recipe.mounts(each.value)
        if each.name == "RUN" and fields.get("type") == "secret"
    }
    for name in sorted({*given, *asked} - {""}):
        yield SecretRecord(name, given.get(name, False))
