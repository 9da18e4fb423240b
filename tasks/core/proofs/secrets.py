"""Proofs that no secret is in an image: in any layer, also of files that are gone, or its texts.

What a verdict says is where and of what kind; a secret's value is never kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.core import untrusted
from tasks.core.images.contents import Contents, shown
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity, Verdict
from tasks.core.secrecy import secretforms, secretnames
from tasks.core.secrecy.secretforms import CLOUD_KEY, NPMRC, PRIVATE_KEY, TOKEN
from tasks.core.secrecy.secretscan import VALUE, Hit, Hits, SecretInspector

VARIABLE = "variable"
#: NAME=value in the history, where a build's ARGs stand in front of the command.
_ASSIGNED = re.compile(r"(?:^|[\s|])([A-Za-z_][A-Za-z0-9_]*)=([^\s]+)")
#: Entries whose names are searched as one text.
_NAMES_AT_ONCE = 10_000
_SEEN = (
    "Every layer is searched as it was written, so what a later layer removes is found too, names "
    "of files, and config, history, labels, environment, annotations and attestations."
)
_TEXT = (
    f"{_SEEN} Kinds are known by their shape, in text and in gzip files; tokens also in programs."
)


def _proof(name: str, title: str, reason: str, observed: str = _TEXT) -> Proof:
    return Proof(f"secrets.{name}", title, Severity.CRITICAL, reason, observed)


PROOFS: Mapping[str, Proof] = {
    PRIVATE_KEY: _proof(
        "private-keys", "No private key", "Whoever has the image can be whom it belongs to."
    ),
    TOKEN: _proof("tokens", "No token", "Whoever has the image can act in its owner's name."),
    NPMRC: _proof(
        "npmrc", "No npm credential", "It opens the private packages, often for writing."
    ),
    CLOUD_KEY: _proof("cloud-keys", "No cloud key", "It opens the account that pays."),
    VARIABLE: _proof(
        "variables",
        "No variable with a secret's name has a value",
        "ENV and ARG stay readable in the config and the history for ever.",
        "Names in the environment and in the history, as the settings judge them.",
    ),
    VALUE: _proof(
        "values",
        "No secret of this build or of the settings",
        "Here it is certain that it is one.",
        f"{_SEEN} Searched for as they are, in base64, URL-encoded, JSON-escaped, in gzip too.",
    ),
}


def prove(
    target: str, contents: Contents, inspector: SecretInspector, secrets: Mapping[str, str]
) -> tuple[Verdict, ...]:
    """The verdicts on one platform; ``contents`` were read with ``inspector``.

    ``secrets`` are the values that the inspector was made with, by name.
    """
    places: dict[str, list[str]] = {kind: [] for kind in PROOFS}
    found_in = {
        *_in_layers(contents),
        *_in_names(contents, inspector),
        *_in_texts(contents, inspector),
    }
    for place, hit in sorted((_fit(place, inspector), hit) for place, hit in found_in):
        places[hit.kind].append(f"{place}: {hit}")
    unread = sorted(_unread(contents))
    left = f"; not read to the end: {', '.join(unread[:3])}" if unread else ""
    short = secretforms.too_short(secrets)
    left_values = f"{left}; too short to search for: {', '.join(short)}" if short else left
    found = []
    for kind, proof in PROOFS.items():
        if kind == VALUE and not any(value.strip() for value in secrets.values()):
            found.append(proof.skip(target, contents.platform, "no secret to search for"))
            continue
        passed = f"none in {len(contents.layers)} layers{left_values if kind == VALUE else left}"
        found.append(proof.judge(target, contents.platform, places[kind], passed, "none"))
    return tuple(found)


def _fit(place: str, inspector: SecretInspector) -> str:
    """``place``, unless its name is a secret itself."""
    return "a place whose name holds a secret" if inspector.scan(place) else place


def _in_layers(contents: Contents) -> Iterator[tuple[str, Hit]]:
    for number, layer in enumerate(contents.layers):
        for entry in layer.entries:
            hits = entry.finding(Hits)
            if hits and hits.hits:
                last = contents.files.get(entry.path)
                gone = "" if last and last.layer == number else ", removed or replaced later"
                place = f"{shown(entry.path)} in layer {number + 1}{gone}"
                yield from ((place, hit) for hit in hits.hits)


def _in_names(contents: Contents, inspector: SecretInspector) -> Iterator[tuple[str, Hit]]:
    """Names of files, and what links say; the place does not tell which, it would be the secret."""
    for number, layer in enumerate(contents.layers):
        for at in range(0, len(layer.entries), _NAMES_AT_ONCE):
            some = layer.entries[at : at + _NAMES_AT_ONCE]
            text = "\n".join(word for each in some for word in (each.path, each.link) if word)
            yield from (
                (f"a file's name in layer {number + 1}", hit) for hit in inspector.scan(text)
            )


def _in_texts(contents: Contents, inspector: SecretInspector) -> Iterator[tuple[str, Hit]]:
    """The config as its reader sees it, unescaped, and the other documents as they are."""
    for place, text in _texts(contents.config):
        yield from ((place, hit) for hit in inspector.scan(text))
    for place, name in _variables(contents.config):
        yield place, Hit(VARIABLE, f"{untrusted.shown(name, 80)} has a value")
    for document in contents.documents:
        for hits in document.found:
            if isinstance(hits, Hits) and document.name != "config":
                yield from ((document.name, hit) for hit in hits.hits)


def _texts(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text in the config, keys too, with a name for its place."""
    waiting: list[tuple[str, Any]] = [(f"config.{key}", value) for key, value in config.items()]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield untrusted.shown(place, 120), value
        elif isinstance(value, dict):
            yield from ((untrusted.shown(place, 120), str(key)) for key in value)
            waiting += [(f"{place}.{key}", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            for number, each in enumerate(value):
                name = each.partition("=")[0] if place.endswith(".Env") and _is_pair(each) else None
                waiting.append((f"{place} {name or number + 1}", each))


def _is_pair(value: Any) -> bool:
    return isinstance(value, str) and "=" in value


def _variables(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    section = config.get("config")
    environment = section.get("Env") if isinstance(section, dict) else None
    for pair in environment if isinstance(environment, list) else ():
        name, _, value = str(pair).partition("=")
        if value and secretnames.tells(name, value):
            yield "config.Env", name
    history = config.get("history")
    for number, step in enumerate(history if isinstance(history, list) else ()):
        created = step.get("created_by") if isinstance(step, dict) else ""
        for name, value in _ASSIGNED.findall(str(created or "")):
            if secretnames.tells(name, value) and not secretnames.is_harmless(value):
                yield f"history, step {number + 1}", name


def _unread(contents: Contents) -> Iterator[str]:
    for layer in contents.layers:
        for entry in layer.entries:
            hits = entry.finding(Hits)
            if hits and hits.unread:
                yield f"{shown(entry.path)} ({hits.unread})"
