"""From layers to an image in the loopback registry: the original's configuration, one push.

Each platform is pushed under a tag of its own; the tag that people use is an index over those, so
that a platform can be added later without making the others again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.core.provision import nodejs
from tasks.core.provision.recipes import Recipe
from tasks.core.provision.references import Reference

LABEL = "dev.slipway.lookalike"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def configuration(
    reference: Reference, recipe: Recipe, platform: str, suite: str
) -> dict[str, Any]:
    """The image's runtime configuration: the original's, and labels that say what this is."""
    labels = {LABEL: "true", f"{LABEL}.of": reference.text, f"{LABEL}.suite": suite}
    if recipe.has_node:
        labels[f"{LABEL}.node"] = nodejs.version(platform)
    return {**_contract(recipe, platform), "Labels": labels}


def push(crane: Path, layout: Path, image: str) -> tuple[str, ...]:
    """Push the image in the OCI layout folder ``layout``; layers that are there are not sent."""
    return (str(crane), "push", "--insecure", str(layout), image)


def index(image: str, parts: Sequence[str]) -> tuple[str, ...]:
    """The arguments for docker that join platform images to one index."""
    return ("buildx", "imagetools", "create", "--progress=plain", "--tag", image, *parts)


def platform_tag(tag: str, platform: str) -> str:
    """The tag that one platform of ``tag`` is pushed under."""
    return f"{tag}.{platform.replace('/', '-')}"


def environment(host: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """buildx asks the engine itself: another builder could not reach the loopback registry."""
    return {**inherited, "DOCKER_HOST": host, "BUILDX_BUILDER": "default"}


def _contract(recipe: Recipe, platform: str) -> dict[str, Any]:
    if recipe.family == "node":
        return {
            "Env": [f"PATH={PATH}", f"NODE_VERSION={nodejs.version(platform)}"],
            "Entrypoint": ["docker-entrypoint.sh"],
            "Cmd": ["node"],
        }
    if recipe.family == "nginx":
        return {
            "Env": [f"PATH={PATH}"],
            "ExposedPorts": {"8080/tcp": {}},
            "StopSignal": "SIGQUIT",
            "User": "101",
            "Entrypoint": ["/docker-entrypoint.sh"],
            "Cmd": ["nginx", "-g", "daemon off;"],
        }
    path = f"{PATH}:/busybox" if "debug" in recipe.flavour else PATH
    nonroot = "nonroot" in recipe.flavour
    return {
        "Env": [f"PATH={path}", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
        "User": "65532" if nonroot else "0",
        "WorkingDir": "/home/nonroot" if nonroot else "/",
        "Entrypoint": ["/nodejs/bin/node"],
    }
