"""The engine's API through the Docker SDK, imported late because it is slow to import."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tasks.core import process
from tasks.core.errors import OutOfReach, UsageError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.tls import TLSConfig

    from tasks.core.endpoint import Engine

TIMEOUT_SECONDS = 120


def connect(engine: Engine) -> DockerClient:
    """A client for ``engine``; close it, or use it in a ``with`` of ``contextlib.closing``.

    Raises OutOfReach when nothing usable answers there.
    """
    import docker
    from docker.errors import DockerException

    try:
        client = docker.DockerClient(
            base_url=engine.host,
            timeout=TIMEOUT_SECONDS,
            tls=_tls(engine.host, process.merged(engine.environment)) or False,
            use_ssh_client=engine.host.startswith("ssh://"),
        )
        # No proxy leads to a socket, and looking for one takes a third of a small request.
        client.api.trust_env = not engine.host.startswith("unix://")
        return client
    except DockerException as error:
        reason = " ".join(str(error).split())[:200]
        raise OutOfReach(
            f"the engine at {engine.host} does not answer: {reason}; see: inv engine.status"
        ) from None


def _tls(host: str, environment: Mapping[str, str]) -> TLSConfig | None:
    """The certificates that the docker program would use for ``host``: variables, then context."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    if not host.startswith(("tcp://", "https://")):
        return None
    if environment.get("DOCKER_HOST"):
        return kwargs_from_env(dict(environment)).get("tls")
    context = ContextAPI.kwargs_from_context(environment=dict(environment))
    return context.get("tls") if context.get("base_url") == host else None


def has_image(client: DockerClient, reference: str) -> bool:
    """Whether the engine holds an image of that name or digest. UsageError for what is no name."""
    return inspected(client, reference) is not None


def inspected(client: DockerClient, reference: str) -> Mapping[str, Any] | None:
    """What the engine says of an image; None where it has none. UsageError for what is no name."""
    from docker.errors import APIError, ImageNotFound, NullResource

    try:
        told: Mapping[str, Any] = client.api.inspect_image(reference)
    except ImageNotFound:
        return None
    except (APIError, NullResource) as error:
        if isinstance(error, NullResource) or error.status_code == HTTPStatus.BAD_REQUEST:
            raise UsageError(f"{reference!r} is not the name of an image") from None
        raise
    return told


def hang_up(stream: Any) -> None:
    """End a stream of the SDK's before its end, so that it can be closed without a trace.

    Its own ``close`` shuts the connection down and leaves the file descriptor to chance.
    """
    stream._response.close()


def demand_containerd_store(client: DockerClient) -> None:
    """Raise OutOfReach unless the engine can hold an image of several platforms."""
    if not has_containerd_store(client):
        raise OutOfReach(
            "the engine's classic image store holds one platform of an image only: turn on "
            "its containerd image store (features.containerd-snapshotter), or use the "
            "embedded engine (ENGINE=embedded)"
        )


def has_containerd_store(client: DockerClient) -> bool:
    """Whether the engine keeps images as they were built or pulled, all platforms of them."""
    status = client.api.info().get("DriverStatus") or []
    return any("io.containerd.snapshotter" in str(value) for _, value in status)
