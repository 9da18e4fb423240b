"""What is wrong with the targets of one build, from what bake made of them: pure functions."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.core import schema
from tasks.core.bake import overlay
from tasks.core.bake.definitions import Target

#: What makes two caches of one type the same place. An inline cache is in the image itself.
CACHE_PLACE = {
    "registry": ("ref",),
    "local": ("dest", "tag"),
    "gha": ("scope",),
    "s3": ("bucket", "prefix", "name"),
    "azblob": ("account_url", "container", "prefix", "name"),
}
#: What to do about a secret that is not there.
MEND = "make it, or leave the secret out"


def secrets(root: Path, targets: Iterable[Target], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets whose file or variable is not there; bake takes an unset variable for ""."""
    found: dict[str, list[str]] = {}
    for target in targets:
        for secret in target.secrets:
            problem = _secret(root, secret, environ)
            if problem:
                found.setdefault(problem, []).append(target.name)
    return tuple(f"{', '.join(names)}: {problem}" for problem, names in found.items())


def caches(root: Path, written: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """The caches that several targets write: only one of them would be left.

    ``written`` are the "cache-to" entries of each target, as `bake --print` shows them.
    """
    writers: dict[str, dict[str, None]] = {}
    for name, entries in written.items():
        for entry in entries:
            place = _place(root, entry)
            if place:
                writers.setdefault(place, {})[name] = None
    return tuple(
        f"{', '.join(names)}: all write the cache {place}; give each target its own"
        for place, names in writers.items()
        if len(names) > 1
    )


def tags(targets: Iterable[Target]) -> tuple[str, ...]:
    """The tags that several targets carry: the name would be left with one of the images."""
    owners: dict[str, dict[str, None]] = {}
    for target in targets:
        for tag in target.tags:
            owners.setdefault(_full(tag), {})[target.name] = None
    return tuple(
        f"{', '.join(names)}: all are tagged {tag}; give each target its own tag"
        for tag, names in owners.items()
        if len(names) > 1
    )


def pushes(targets: Iterable[Target], registry: str) -> tuple[str, ...]:
    """What cannot be pushed to ``registry``, or that there is none."""
    if not registry:
        return ("--push needs a registry: set REGISTRY in .env or by --set REGISTRY=…",)
    return tuple(
        f"{target.name}: tag {tag} is not in REGISTRY {registry}"
        if tag
        else f"{target.name}: it has no tag to be pushed under; give it one, or leave it out"
        for target in targets
        for tag in target.tags or ("",)
        if not tag.startswith(f"{registry}/")
    )


def provenance(mode: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The proxies whose password the attestation would tell: PROVENANCE=max lists arguments."""
    if mode != "max":
        return ()
    proxies = [name for upper in overlay.PROXIES for name in (upper, upper.lower())]
    return tuple(
        f"{name}: PROVENANCE=max would publish its user and password with the image; "
        "set PROVENANCE=min, or a proxy without them"
        for name in proxies
        if "@" in environ.get(name, "")
    )


def secret_place(secret: Mapping[str, str], environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable and the file of a secret, one of them "".

    With an id alone it is the variable of that name, or else a file, as buildx takes it.
    """
    name = secret.get("id", "")
    variable, file = secret.get("env", ""), secret.get("src", "")
    if not variable and not file:
        return (name, "") if name in environ else ("", name)
    return ("", file) if file else (variable, "")


def platforms(wanted: Mapping[str, Sequence[str]], available: Sequence[str]) -> tuple[str, ...]:
    """The platforms ``wanted`` by targets that are not among the builder's ``available`` ones."""
    can = schema.platforms(",".join(available))
    found: dict[str, list[str]] = {}
    for name, each in wanted.items():
        for platform in schema.platforms(",".join(each)):
            # A variant of amd64 (linux/amd64/v3) is a choice of the compiler's.
            base = platform.rpartition("/")[0] if "/amd64/" in platform else platform
            if platform != "local" and not {platform, base} & set(can):
                found.setdefault(platform, []).append(name)
    return tuple(
        f"{', '.join(names)}: the builder cannot do {platform}, only {', '.join(can)}; "
        "leave it out, or see: inv builder.create"
        for platform, names in found.items()
    )


def _secret(root: Path, secret: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """What is wrong with one secret."""
    name = secret.get("id", "")
    variable, file = secret_place(secret, environ)
    if not file:
        if environ.get(variable):
            return None
        return f"secret {name}: variable {variable} is not set; set it, or leave the secret out"
    path = root / file
    if not path.exists():
        return f"secret {name}: there is no file {file}; {MEND}"
    if path.is_dir() or not os.access(path, os.R_OK):
        return f"secret {name}: {file} is not a file that can be read; {MEND}"
    return None


def _place(root: Path, entry: Any) -> str | None:
    """Where a cache is written, as `type=registry,ref=…`; None for one that is nowhere else."""
    fields = _fields(entry) if isinstance(entry, str) else dict(entry)
    kind = fields.get("type", "")
    if kind not in CACHE_PLACE:
        return None
    if kind == "local":
        fields["dest"] = os.path.relpath(root / fields.get("dest", ""), root)
    if kind == "registry":
        fields["ref"] = _full(fields.get("ref", ""))
    stated = [f"{key}={fields[key]}" for key in CACHE_PLACE[kind] if fields.get(key)]
    return ",".join((f"type={kind}", *stated))


def _fields(entry: str) -> dict[str, str]:
    """``type=registry,ref=x``, or a reference alone, as older versions of buildx print it."""
    pairs = [word.partition("=") for word in next(csv.reader([entry]), [])]
    if len(pairs) == 1 and not pairs[0][1]:
        return {"type": "registry", "ref": entry}
    return {key.strip().lower(): value for key, _, value in pairs}


def _full(reference: str) -> str:
    """One spelling for a reference: `x` and `library/x:latest` are the same image."""
    name = reference.removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
