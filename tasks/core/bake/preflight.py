"""What is wrong with a build that bake would start all the same, or stop at one by one.

Every check is a function from what is known to lines of text: those of files are here, those of
targets in ``targetchecks``. ``check`` gathers all of them.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from tasks.core import envfile, process, schema, settings
from tasks.core.bake import bakefile, definitions, overlay, targetchecks
from tasks.core.bake.bakefile import Attribute, Source
from tasks.core.bake.definitions import DEFAULT, Definition
from tasks.core.errors import UsageError
from tasks.core.session import Session
from tasks.core.source import EPOCH
from tasks.core.untrusted import Malformed

#: Every attribute that a buildx up to 0.36 reads. Older ones ignore "resources" and "policy".
ATTRIBUTES = {
    "target": (
        *("annotations", "args", "attest", "cache-from", "cache-to", "call", "context"),
        *("contexts", "description", "dockerfile", "dockerfile-inline", "entitlements"),
        *("extra-hosts", "inherits", "labels", "matrix", "name", "network", "no-cache"),
        *("no-cache-filter", "output", "platforms", "policy", "pull", "resources", "secret"),
        *("shm-size", "ssh", "tags", "target", "ulimits"),
    ),
    "group": ("description", "targets"),
    "variable": ("default", "description", "type", "validation"),
    bakefile.EXTENSION: (
        *("cache-from", "cache-to", "contexts", "no-cache", "no-cache-filter", "output"),
        *("platforms", "pull", "secret", "ssh", "tags"),
    ),
}
#: How the variables begin that docker, buildx, compose and cache back ends read by themselves.
FOR_TOOLS = ("ACTIONS_", "AWS_", "AZURE_", "BUILDKIT_", "BUILDX_", "COMPOSE_", "DOCKER_", "OTEL_")
COMPOSE_FILES = ("compose*.y*ml", "docker-compose*.y*ml")

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REMARK = re.compile(r"^\s*(#|//).*$", re.MULTILINE)
#: Where a bake file names a variable outside of its expressions: `env=NAME` of a secret.
_SECRET_VARIABLE = re.compile(r"\b(?:env|id|src|source)\"?\s*[=:]\s*\"?([A-Za-z_][A-Za-z0-9_]*)")
_NO_SECRET = re.compile(r"failed to stat (?P<path>.+): stat (?P=path): (?P<reason>.+)\Z")


def check(
    session: Session,
    definition: Definition,
    *,
    push: bool,
    needed: Mapping[str, Sequence[str]],
    available: Sequence[str] | None,
) -> None:
    """Raise UsageError, with one line a problem, if ``definition`` should not be built as it is.

    ``needed`` are, by target, the platforms whose programs run while it is built; ``available``
    those that the builder runs, None if that does not matter.
    """
    asked = definition.asked((DEFAULT,)) or tuple(definition.targets)
    wanted = [definition.targets[name] for name in asked]
    everything = definition.targets
    registry = session.settings["REGISTRY"]
    found = [
        *of_files(session),
        *targetchecks.secrets(
            session.root, everything.values(), process.merged(session.environment)
        ),
        *targetchecks.caches(
            session.root,
            {name: definition.raw["target"][name].get("cache-to", ()) for name in everything},
        ),
        *targetchecks.tags(wanted),
        *(targetchecks.pushes(wanted, registry) if push else ()),
    ]
    found += targetchecks.provenance(session.settings["PROVENANCE"], os.environ)
    if available is not None:
        found += targetchecks.platforms(needed, available)
    if found:
        raise UsageError(_lines(session, found))


def resolved(session: Session, names: Sequence[str]) -> Definition:
    """``session.definition(names)``, whose refusal comes with what the files alone show.

    Bake refuses a definition for a secret without a file before it says what it is; so nothing
    else can be known of its targets then.
    """
    try:
        return session.definition(names)
    except UsageError as error:
        missing = _NO_SECRET.search(str(error))
        if missing is None:
            raise
        said = f"a secret's file {missing['path']}: {missing['reason']}; {targetchecks.MEND}"
        raise UsageError(_lines(session, [*of_files(session), said])) from None


def of_files(session: Session) -> tuple[str, ...]:
    """What the bake files and ``.env.example`` show without bake."""
    files = definitions.bake_files(session.root, session.files)
    sources: dict[str, Source] = {}
    for name in files:
        try:
            sources[name] = bakefile.read(session.root, name, keep=not session.dry)
        except Malformed as problem:
            process.note(
                process.plain(f"{name}: attributes and variables are not checked: {problem}")
            )
    found = attributes(sources)
    if (session.root / schema.EXAMPLE).is_file():
        found += unknown_variables(sources, (*session.settings, EPOCH))
        # Another bake file may leave out what the repository's own one reads.
        if not session.files and len(sources) == len(files):
            found += _unread(session, sources)
    return found


def attributes(sources: Mapping[str, Source]) -> tuple[str, ...]:
    """The attributes that no bake reads, by file."""
    found = [
        (f"{file}:{one.line}: {_owner(one)}", _attribute(one))
        for file, source in sources.items()
        for one in source.attributes
    ]
    return tuple(f"{place}: {problem}" for place, problem in found if problem)


def unknown_variables(sources: Mapping[str, Source], known: Collection[str]) -> tuple[str, ...]:
    """The variables of bake files that are no settings, so that .env and --set refuse them."""
    return tuple(
        f"{file}:{line}: variable {name} is no setting; declare it in {schema.EXAMPLE}"
        for file, source in sources.items()
        for name, line in source.variables.items()
        if name not in known
    )


def unread_settings(
    entries: Iterable[envfile.Entry], read: Collection[str], files: Sequence[str]
) -> tuple[str, ...]:
    """The entries of .env.example that nothing reads: they would be set in vain."""
    return tuple(
        f"{schema.EXAMPLE}:{entry.line}: nothing reads {entry.name}: no variable of "
        f"{', '.join(files)} and no compose file names it; remove it"
        for entry in entries
        if entry.name not in read and not entry.name.startswith(FOR_TOOLS)
    )


def words(text: str) -> frozenset[str]:
    """The words of a compose file, without its remarks: it may also name a variable bare."""
    return frozenset(_WORD.findall(_REMARK.sub("", text)))


def _lines(session: Session, problems: Iterable[str]) -> str:
    """The problems as they may be printed: no secret, nothing that steers a terminal."""
    each = (settings.mask(process.plain(problem), session.settings) for problem in problems)
    return "\n".join(" ".join(line.split()) for line in each)


def _unread(session: Session, sources: Mapping[str, Source]) -> tuple[str, ...]:
    root = session.root
    named = set(_builtin())
    for name, source in sources.items():
        text = (root / name).read_text(encoding="utf-8")
        named |= {*source.variables, *_SECRET_VARIABLE.findall(text)}
    for path in (
        path for pattern in COMPOSE_FILES for path in sorted(root.glob(pattern)) if path.is_file()
    ):
        named |= words(path.read_text(encoding="utf-8", errors="replace"))
    named |= {name for upper in overlay.PROXIES for name in (upper, upper.lower())}
    return unread_settings(envfile.parse(root / schema.EXAMPLE), named, tuple(sources))


def _builtin() -> Collection[str]:
    # This folder has no example, so its schema is what Slipway itself reads.
    return schema.load(Path(__file__).parent)


def _owner(one: Attribute) -> str:
    of_service = one.kind == bakefile.EXTENSION
    return f"{one.kind} of {one.owner}" if of_service else f"{one.kind} {one.owner}"


def _attribute(one: Attribute) -> str | None:
    known = ATTRIBUTES[one.kind]
    if one.name not in known:
        return f"unknown attribute {one.name}, which bake ignores; {_nearest(one.name, known)}"
    if one.nested and (one.kind, one.name) != (bakefile.VARIABLE, "validation"):
        return f"{one.name} is a block, which bake ignores; write {one.name} = …"
    return None


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name.lower().replace("_", "-"), sorted(known), n=1)
    return f"did you mean {close[0]}?" if close else "remove it"
