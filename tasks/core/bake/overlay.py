"""What Slipway adds to every target, as a second bake definition that travels on standard input.

Nothing of it is in argv, because proxy URLs may hold a password; and the bake file of a repository
needs to know none of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.core.bake.caching import Cache
from tasks.core.bake.definitions import Target
from tasks.core.provision import references

PROJECT_LABEL = "dev.slipway.project"
CA_SECRET = "ca"  # noqa: S105 - the secret's id, not its value
NPMRC_SECRET = "npmrc"  # noqa: S105 - the same
SCAN_SECRET = "scan"  # noqa: S105 - no secret at all, but what a build's cache must not hang on
#: What would begin a template; and a lone dollar: bake first takes its standard input for a compose
#: file, and complains of a variable that is called like the rest of a password.
_ESCAPES = {"${": "$${", "%{": "%%{", "$": '${"$"}'}
_SPECIAL = re.compile(r"\$\{|%\{|\$")
#: How a named context says that it is an image.
IMAGE = "docker-image://"
#: The build argument that names the image of a frontend, before what `# syntax=` says.
SYNTAX = "BUILDKIT_SYNTAX"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class Additions:
    """What is laid over a bake definition.

    ``project`` goes into the label; ``ca_bundle`` and ``npmrc`` are files ("" for none) that become
    optional secrets; ``contexts`` are base images by reference that come from somewhere else on
    this machine; ``environ`` is where the proxies stand. By target: ``dockerfiles`` (paths) or
    ``inlines`` (text) to be read instead of its own, ``caches``, ``outputs`` (what the image is
    exported to), ``platforms`` (where it names none), ``syntaxes`` (the image of its frontend),
    ``policies`` (files with what the gate accepts). ``attestations`` are for every target;
    ``epoch`` is the date of their images, in seconds since 1970.
    """

    project: str
    ca_bundle: str = ""
    npmrc: str = ""
    contexts: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    inlines: Mapping[str, str] = field(default_factory=dict)
    dockerfiles: Mapping[str, str] = field(default_factory=dict)
    caches: Mapping[str, Cache] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    platforms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    syntaxes: Mapping[str, str] = field(default_factory=dict)
    attestations: tuple[Mapping[str, str], ...] = ()
    epoch: int = 0


def compose(targets: Mapping[str, Target], additions: Additions) -> dict[str, Any]:
    """The overlay for ``targets``.

    Proxy variables become build arguments: BuildKit keeps those out of images and cache keys,
    though not out of its own build history: give proxies no password that matters.
    """
    proxies = {
        name: additions.environ[name]
        for upper in PROXIES
        for name in (upper, upper.lower())
        if additions.environ.get(name)
    }
    return {
        "target": {name: _entry(target, additions, proxies) for name, target in targets.items()}
    }


def serialise(overlay: Mapping[str, Any]) -> str:
    """The overlay as bake reads it: JSON whose strings are not taken for HCL templates."""
    return json.dumps(_escaped(overlay), indent=1, sort_keys=True)


def readable(targets: Mapping[str, Target], overlay: Mapping[str, Any]) -> tuple[str, ...]:
    """The files and folders that bake may read: secrets, local caches, contexts of ours."""
    secrets = [secret for target in targets.values() for secret in target.secrets]
    secrets += _entries(overlay, "secret")
    found = {
        entry["src"] for entry in (*secrets, *_entries(overlay, "cache-from")) if entry.get("src")
    }
    found |= {
        place
        for entry in overlay["target"].values()
        for place in entry.get("contexts", {}).values()
        if place.startswith("/")
    }
    return tuple(sorted(found))


def writable(overlay: Mapping[str, Any]) -> tuple[str, ...]:
    """The folders of local caches, that bake has to be allowed to write."""
    return tuple(sorted({e["dest"] for e in _entries(overlay, "cache-to") if e.get("dest")}))


def attestations(provenance: str, sbom: str) -> tuple[Mapping[str, str], ...]:
    """The settings PROVENANCE (off, min, max) and SBOM (off, on, a generator's image) for bake."""
    found: list[Mapping[str, str]] = []
    if provenance != "off":
        found.append({"type": "provenance", "mode": provenance, "disabled": "false"})
    if sbom != "off":
        generator = {} if sbom == "on" else {"generator": sbom}
        found.append({"type": "sbom", **generator})
    return tuple(found)


def _entries(overlay: Mapping[str, Any], key: str) -> list[Mapping[str, str]]:
    return [one for entry in overlay["target"].values() for one in entry.get(key, ())]


def _entry(target: Target, additions: Additions, proxies: Mapping[str, str]) -> dict[str, Any]:
    """What is laid over one target; what the target says itself is left as it is."""
    cache = additions.caches.get(target.name, Cache())
    given = {**proxies}
    if target.name in additions.syntaxes:
        given[SYNTAX] = additions.syntaxes[target.name]
    args = {name: value for name, value in given.items() if name not in target.args}
    entry = {
        "labels": {PROJECT_LABEL: additions.project},
        "secret": list(_secrets(target, additions)),
        "args": args,
        "contexts": _contexts(target, additions.contexts),
        "dockerfile": additions.dockerfiles.get(target.name),
        "dockerfile-inline": additions.inlines.get(target.name),
        "cache-from": list(cache.sources),
        "cache-to": list(cache.destinations),
        "platforms": [] if target.platforms else additions.platforms.get(target.name),
        "attest": list(additions.attestations),
        "output": list(additions.outputs.get(target.name, ())),
    }
    return {key: value for key, value in entry.items() if value}


def _contexts(target: Target, contexts: Mapping[str, str]) -> dict[str, str]:
    """The named contexts that ``target`` gets, and those of its own that are images of them."""
    found = {name: at for name, at in contexts.items() if name not in target.contexts}
    for name, at in target.contexts.items():
        image = references.parse(at.removeprefix(IMAGE)).context_name
        if at.startswith(IMAGE) and image in contexts:
            found[name] = contexts[image]
    return found


def _secrets(target: Target, additions: Additions) -> Iterator[dict[str, str]]:
    known = {secret.get("id") for secret in target.secrets}
    files = {
        CA_SECRET: additions.ca_bundle,
        NPMRC_SECRET: additions.npmrc,
        SCAN_SECRET: additions.policies.get(target.name, ""),
    }
    for name, path in files.items():
        if path and name not in known:
            yield {"type": "file", "id": name, "src": path}


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(inner) for inner in value]
    return value
