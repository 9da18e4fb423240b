"""Whether a registry lets the engine have an image: asked quickly, remembered for a while."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import daemon
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.provision import home as homes
from tasks.core.provision import registry
from tasks.core.provision.references import Reference

ASK_SECONDS = 8
REMEMBER_SECONDS = 15 * 60
#: How the engine words that it met no registry at all, rather than one without the image.
_NO_NETWORK = (
    *("no such host", "dial tcp", "connection refused", "timeout", "timed out", "x509", "tls:"),
    *("proxyconnect", "deadline exceeded", "network is unreachable", "server misbehaving"),
)


@dataclass(frozen=True)
class Answer:
    """What the engine said about an image: its platforms and digest, or why it cannot be had."""

    platforms: tuple[str, ...]
    digest: str = ""
    reason: str = ""
    media_type: str = ""

    @property
    def can_be_had(self) -> bool:
        """Whether some platform of it can be pulled."""
        return bool(self.platforms)

    @property
    def is_no_network(self) -> bool:
        """Whether no registry answered at all, rather than one without the image."""
        return _is_no_network(self.reason)

    @property
    def is_refused(self) -> bool:
        """Whether a registry answered and wants a login, or fewer requests."""
        words = ("unauthorized", "denied", "toomanyrequests", "authentication required")
        return any(word in self.reason.lower() for word in words)


def ask(engine: Engine, reference: Reference) -> Answer:
    """Ask the engine's registries for ``reference``; an answer counts for some minutes.

    A registry that is out of reach is not asked again for its other images. That it lacks an image
    is not remembered: it may be pushed at any moment.
    """
    memory = _remembered()
    name, host = f"{engine.host} {reference.text}", f"{engine.host} {reference.host}/"
    for key in (name, host):
        if key in memory:
            return _answer(memory[key])
    answer = fresh(engine, reference)
    if answer.can_be_had:
        _remember(memory, name, answer)
    elif _is_no_network(answer.reason):
        _remember(memory, host, answer)
    return answer


def forget() -> None:
    """Forget every answer, for somebody who has just mended the network."""
    _file().unlink(missing_ok=True)


def fresh(engine: Engine, reference: Reference) -> Answer:
    """The same, asked now: nothing is remembered, nothing of it will be."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        with closing(daemon.connect(engine)) as client:
            client.api.timeout = ASK_SECONDS
            found = client.images.get_registry_data(reference.text)
            return Answer(
                registry.platform_names(found.attrs["Platforms"] or ()),
                found.attrs["Descriptor"]["digest"],
                media_type=found.attrs["Descriptor"].get("mediaType") or "",
            )
    except (DockerException, RequestException) as error:
        said = getattr(error, "explanation", None) or str(error)
        return Answer((), reason=" ".join(str(said).split())[-160:])
    except OutOfReach as error:
        return Answer((), reason=str(error))


def in_engine(engine: Engine, reference: Reference, platform: str) -> bool:
    """Whether the engine holds the image already, pulled or built at some earlier time."""
    from docker.errors import DockerException

    with closing(daemon.connect(engine)) as client:
        try:
            attributes = client.images.get(reference.text).attrs
        except DockerException:
            return False
    return platform == registry.platform_name(
        {
            "os": attributes.get("Os"),
            "architecture": attributes.get("Architecture"),
            "variant": attributes.get("Variant") or "",
        }
    )


def _is_no_network(reason: str) -> bool:
    return any(word in reason.lower() for word in _NO_NETWORK)


def _answer(entry: Mapping[str, Any]) -> Answer:
    return Answer(tuple(entry["platforms"]), entry["digest"], entry["reason"])


def _remembered() -> dict[str, Any]:
    try:
        entries = json.loads(_file().read_text())
        return {key: entry for key, entry in entries.items() if entry["until"] > time.time()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(memory: dict[str, Any], key: str, answer: Answer) -> None:
    memory[key] = {
        "until": time.time() + REMEMBER_SECONDS,
        "platforms": answer.platforms,
        "digest": answer.digest,
        "reason": answer.reason,
    }
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    homes.write(file, json.dumps(memory, indent=1) + "\n", mode=0o600)


def _file() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "slipway" / "registries.json"
