"""What Slipway adds to every target, as a second bake definition that travels on standard input.

Nothing of it is in argv, because proxy URLs may hold a password; and the bake file of a repository
needs to know none of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tasks.core.definitions import Target

PROJECT_LABEL = "dev.slipway.project"
CA_SECRET = "ca"  # noqa: S105 - the secret's id, not its value
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


def compose(
    targets: Mapping[str, Target],
    *,
    project: str,
    ca_bundle: str,
    contexts: Mapping[str, str],
    environ: Mapping[str, str],
) -> dict[str, Any]:
    """The overlay for ``targets``.

    Adds the project's label, the certificate authorities as the optional secret ``ca``, the proxy
    variables as build arguments (BuildKit keeps those out of images and cache keys, though not out
    of its own build history: give proxies no password that matters), and
    ``contexts``: base images by reference that come from somewhere else on this machine.
    """
    proxies = {
        name: environ[name]
        for upper in PROXIES
        for name in (upper, upper.lower())
        if environ.get(name)
    }
    return {
        "target": {
            name: _entry(target, project, ca_bundle, contexts, proxies)
            for name, target in targets.items()
        }
    }


def serialise(overlay: Mapping[str, Any]) -> str:
    """The overlay as bake reads it: JSON whose strings are not taken for HCL templates."""
    return json.dumps(_escaped(overlay), indent=1, sort_keys=True)


def readable(targets: Mapping[str, Target], overlay: Mapping[str, Any]) -> tuple[str, ...]:
    """The secret files that bake has to be allowed to read."""
    secrets = [secret for target in targets.values() for secret in target.secrets]
    secrets += [
        secret for entry in overlay["target"].values() for secret in entry.get("secret", ())
    ]
    return tuple(sorted({secret["src"] for secret in secrets if secret.get("src")}))


def _entry(
    target: Target,
    project: str,
    ca_bundle: str,
    contexts: Mapping[str, str],
    proxies: Mapping[str, str],
) -> dict[str, Any]:
    entry: dict[str, Any] = {"labels": {PROJECT_LABEL: project}}
    if ca_bundle and not any(secret.get("id") == CA_SECRET for secret in target.secrets):
        entry["secret"] = [{"type": "file", "id": CA_SECRET, "src": ca_bundle}]
    args = {name: value for name, value in proxies.items() if name not in target.args}
    if args:
        entry["args"] = args
    extra = {name: value for name, value in contexts.items() if name not in target.contexts}
    if extra:
        entry["contexts"] = extra
    return entry


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(inner) for inner in value]
    return value
