"""The loopback registry: it holds look-alike bases, and serves as the engine's mirror."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.core.provision import daemons
from tasks.core.provision import home as homes
from tasks.core.provision.daemons import Daemon
from tasks.core.provision.home import Home

NAME = "registry"
START_SECONDS = 20
ASK_SECONDS = 5
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class Stored:
    """An image in the registry: the digest its tag stands for, and its platforms' digests."""

    digest: str
    platforms: Mapping[str, str]


def address(home: Home) -> str | None:
    """``127.0.0.1:PORT`` of the running registry; None when it does not run."""
    number = homes.remembered_port(home)
    if number is None or daemons.running(home.record(NAME)) is None:
        return None
    return f"127.0.0.1:{number}"


def start(home: Home) -> str:
    """Start the registry unless it runs; returns its address. Call it under the lock."""
    running = address(home)
    if running:
        return running
    location = f"127.0.0.1:{homes.port(home)}"
    settings = home.root / "registry.json"
    homes.write(settings, json.dumps(configuration(home, location), indent=1) + "\n")
    program = str(home.tools / "usr/bin/docker-registry")
    daemon = Daemon(
        "the loopback registry",
        (program, "serve", str(settings)),
        home.record(NAME),
        home.logs / "registry.log",
    )
    daemons.start(daemon, lambda: answers(location), env={}, seconds=START_SECONDS)
    return location


def configuration(home: Home, location: str) -> dict[str, Any]:
    """The registry's configuration (YAML takes JSON as it is)."""
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(home.root / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": location},
    }


def answers(location: str) -> bool:
    """Whether a registry answers at ``location``."""
    try:
        return _ask(location, "/v2/", ())[0] == http.client.OK
    except OSError:
        return False


def stored(location: str, repository: str, tag: str) -> Stored | None:
    """What the registry has under a tag; None when it has nothing, or does not answer."""
    try:
        status, digest, body = _ask(
            location, f"/v2/{repository}/manifests/{tag}", (*_INDEXES, *_MANIFESTS)
        )
        if status != http.client.OK:
            return None
        manifest = json.loads(body)
        if "manifests" in manifest:
            return Stored(digest, platforms(manifest))
        return Stored(digest, {_platform_of_image(location, repository, manifest): digest})
    except (OSError, ValueError, http.client.HTTPException):
        return None


def platforms(index: Mapping[str, Any]) -> dict[str, str]:
    """Platform -> digest of an image index; attestations are no platform."""
    found = {
        platform_name(entry.get("platform", {})): entry["digest"] for entry in index["manifests"]
    }
    return {name: digest for name, digest in found.items() if not name.startswith("unknown")}


def platform_names(described: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Platforms as docker writes them; attestations (unknown/unknown) are none."""
    names = (platform_name(one) for one in described)
    return tuple(dict.fromkeys(name for name in names if not name.startswith("unknown")))


def _platform_of_image(location: str, repository: str, manifest: Mapping[str, Any]) -> str:
    path = f"/v2/{repository}/blobs/{manifest['config']['digest']}"
    return platform_name(json.loads(_ask(location, path, ())[2]))


def platform_name(described: Mapping[str, Any]) -> str:
    """A platform as docker writes it; the variants that go without saying are left out."""
    system, architecture = described.get("os", "unknown"), described.get("architecture", "unknown")
    variant = described.get("variant", "")
    if architecture == "arm":
        variant = variant or "v7"
    elif (architecture, variant) in (("arm64", "v8"), ("amd64", "v1")):
        variant = ""
    return "/".join(part for part in (system, architecture, variant) if part)


def _ask(location: str, path: str, accept: tuple[str, ...]) -> tuple[int, str, bytes]:
    """GET ``path``, never by a proxy. Returns status, content digest and body."""
    host, _, number = location.rpartition(":")
    connection = http.client.HTTPConnection(host, int(number), timeout=ASK_SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": ", ".join(accept) or "*/*"})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Docker-Content-Digest", ""), answer.read()
    finally:
        connection.close()
