"""From a root file system to an image in the loopback registry: a generated Dockerfile, one push.

Each platform is pushed under a tag of its own; the tag that people use is an index over those, so
that a platform can be added later without making the others again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.core.provision import nodejs
from tasks.core.provision.recipes import Recipe
from tasks.core.provision.references import Reference

LABEL = "dev.slipway.lookalike"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def dockerfile(
    reference: Reference, recipe: Recipe, platform: str, tars: Sequence[str], suite: str
) -> str:
    """The Dockerfile that puts ``tars`` together with the original's configuration."""
    labels = {LABEL: "true", f"{LABEL}.of": reference.text, f"{LABEL}.suite": suite}
    if recipe.has_node:
        labels[f"{LABEL}.node"] = nodejs.version(platform)
    lines = [
        "FROM scratch",
        *(_add(tar) for tar in tars),
        *_configuration(recipe, platform),
        *(f'LABEL {name}="{value}"' for name, value in labels.items()),
    ]
    return "".join(f"{line}\n" for line in lines)


def build(context: Path, image: str, platform: str) -> tuple[str, ...]:
    """The arguments for docker that build ``context`` and push it; the engine keeps no copy."""
    return (
        *("buildx", "build", "--platform", platform, "--provenance=false", "--progress=plain"),
        *("--output", f"type=registry,name={image},unpack=false,store=false", str(context)),
    )


def index(image: str, parts: Sequence[str]) -> tuple[str, ...]:
    """The arguments for docker that join platform images to one index."""
    return ("buildx", "imagetools", "create", "--progress=plain", "--tag", image, *parts)


def platform_tag(tag: str, platform: str) -> str:
    """The tag that one platform of ``tag`` is pushed under."""
    return f"{tag}.{platform.replace('/', '-')}"


def environment(host: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Builds go to the engine itself: another builder could not reach the loopback registry."""
    return {**inherited, "DOCKER_HOST": host, "BUILDX_BUILDER": "default"}


def _add(tar: str) -> str:
    """Add a layer. With ``--link`` it is made and stored once for all images that have it.

    Not so the overlay: linked, its folders' owners would replace those of the layers below.
    """
    return f"ADD {tar} /" if tar == "overlay.tar" else f"ADD --link {tar} /"


def _configuration(recipe: Recipe, platform: str) -> tuple[str, ...]:
    if recipe.family == "node":
        return (
            f"ENV PATH={PATH} NODE_VERSION={nodejs.version(platform)}",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["node"]',
        )
    if recipe.family == "nginx":
        return (
            f"ENV PATH={PATH}",
            "EXPOSE 8080",
            "STOPSIGNAL SIGQUIT",
            "USER 101",
            'ENTRYPOINT ["/docker-entrypoint.sh"]',
            'CMD ["nginx", "-g", "daemon off;"]',
        )
    return _distroless(recipe)


def _distroless(recipe: Recipe) -> tuple[str, ...]:
    path = f"{PATH}:/busybox" if "debug" in recipe.flavour else PATH
    nonroot = "nonroot" in recipe.flavour
    return (
        f"ENV PATH={path} SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
        f"USER {65532 if nonroot else 0}",
        f"WORKDIR {'/home/nonroot' if nonroot else '/'}",
        'ENTRYPOINT ["/nodejs/bin/node"]',
    )
