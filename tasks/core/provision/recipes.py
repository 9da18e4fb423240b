"""What a look-alike of a well-known base image is made of; nothing is made here.

A look-alike keeps the original's contract (user, entrypoint, paths, ports) but not its bytes: it is
assembled from distribution packages and official Node.js binaries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tasks.core.provision.references import Reference

Family = Literal["node", "nginx", "distroless"]

_NODE = re.compile(
    r"(?:22(?:\.\d+){0,2}|jod|lts-jod)(?:-(?P<suite>bookworm|trixie|bullseye))?(?P<slim>-slim)?"
)
_NGINX = re.compile(r"(?:latest|stable|mainline|1(?:\.\d+){1,2})(?:-(?P<suite>bookworm|trixie))?")
_NGINX_SLIM = re.compile(r"(?:(?:stable|mainline|1(?:\.\d+){1,2})-)?alpine(?:3\.\d+)?(?:-slim)?")
_DISTROLESS = re.compile(r"(?P<debug>debug)?-?(?P<nonroot>nonroot)?|latest")
DISTROLESS_PATH = "distroless/nodejs22-debian13"

#: Enough for a shell, scripts and Node.js: what a foreign platform gets, where nothing is run
#: while the image is made, so that `essential` packages are not there by themselves.
BASIC = (
    *("base-files", "base-passwd", "bash", "coreutils", "dash", "debianutils", "findutils"),
    *("grep", "gzip", "hostname", "libc-bin", "login", "mawk", "passwd", "sed", "tar"),
    *("util-linux", "netbase", "apt", "perl-base", "debian-archive-keyring"),
)
NODE_LIBRARIES = ("libstdc++6", "libatomic1")
#: The tool chain that the full image carries for native modules, as the original lists it.
TOOL_CHAIN = (
    *("autoconf", "automake", "bzip2", "ca-certificates", "curl", "default-libmysqlclient-dev"),
    *("dpkg-dev", "file", "g++", "gcc", "git", "gnupg", "imagemagick", "libbz2-dev", "libc6-dev"),
    *("libcurl4-openssl-dev", "libdb-dev", "libevent-dev", "libffi-dev", "libgdbm-dev"),
    *("libglib2.0-dev", "libgmp-dev", "libjpeg-dev", "libkrb5-dev", "liblzma-dev"),
    *("libmagickcore-dev", "libmagickwand-dev", "libncurses-dev", "libpng-dev", "libpq-dev"),
    *("libreadline-dev", "libsqlite3-dev", "libssl-dev", "libtool", "libwebp-dev", "libxml2-dev"),
    *("libxslt1-dev", "libyaml-dev", "make", "mercurial", "openssh-client", "patch"),
    *("pkg-config", "procps", "python3", "sq", "subversion", "tzdata", "unzip", "wget"),
    *("xz-utils", "zlib1g-dev"),
)
NGINX_PACKAGES = ("nginx", "gettext-base", "curl", "ca-certificates", "tzdata")
#: Taken one by one, without what they depend on; what encrypts is named otherwise in each suite.
NGINX_SLIM_PACKAGES = (
    *("base-files", "busybox-static", "ca-certificates", "gettext-base", "libc6", "libcrypt1"),
    *("libpcre2-8-0", "nginx", "nginx-common", "zlib1g"),
)
#: Likewise: the image has no shell and no package manager.
DISTROLESS_PACKAGES = (
    *("base-files", "ca-certificates", "libatomic1", "libc6", "libgcc-s1", "libstdc++6"),
    *("netbase", "tzdata"),
)
DISTROLESS_DEBUG = ("busybox-static",)
#: Releases of the distribution, by the words that tags use. When the indexes of one are out of
#: step for an architecture, the next one serves.
FALLBACK_SUITES = {
    "bullseye": ("bullseye", "bookworm", "trixie"),
    "bookworm": ("bookworm", "trixie", "testing"),
    "trixie": ("trixie", "testing", "bookworm"),
}


@dataclass(frozen=True)
class Recipe:
    """A look-alike: which family, from which suites in turn, with which flavour of it.

    ``flavour`` is ``slim`` or ``full`` for node; ``slim`` or nothing for nginx; ``nonroot``,
    ``debug`` and so on for distroless.
    """

    family: Family
    suites: tuple[str, ...]
    flavour: str = ""

    @property
    def packages(self) -> tuple[str, ...]:
        """What goes in beyond the distribution's minimum."""
        if self.family == "node":
            return (*NODE_LIBRARIES, *(TOOL_CHAIN if self.flavour == "full" else ()))
        if self.family == "nginx":
            return NGINX_SLIM_PACKAGES if self.unpacked else NGINX_PACKAGES
        return (*DISTROLESS_PACKAGES, *(DISTROLESS_DEBUG if "debug" in self.flavour else ()))

    @property
    def unpacked(self) -> bool:
        """Whether it holds single packages, with neither their dependencies nor an apt."""
        return self.family == "distroless" or (self.family, self.flavour) == ("nginx", "slim")

    @property
    def has_node(self) -> bool:
        """Whether official Node.js binaries go in."""
        return self.family != "nginx"


def match(reference: Reference) -> Recipe | None:
    """The recipe that can stand in for ``reference``.

    None for images without one, and for a digest: that asks for exact bytes.
    """
    if reference.digest:
        return None
    if reference.path == "node" and not reference.host:
        return _node(reference.tag)
    if reference.path.endswith("nginxinc/nginx-unprivileged"):
        return _nginx(reference.tag)
    if reference.path.endswith(DISTROLESS_PATH):
        return _distroless(reference.tag)
    return None


def _node(tag: str) -> Recipe | None:
    found = _NODE.fullmatch(tag)
    if found is None:
        return None
    flavour = "slim" if found["slim"] else "full"
    return Recipe("node", FALLBACK_SUITES[found["suite"] or "bookworm"], flavour)


def _nginx(tag: str) -> Recipe | None:
    """Whatever is made from Alpine is small: its look-alike is, too, and has no curl."""
    if _NGINX_SLIM.fullmatch(tag):
        return Recipe("nginx", FALLBACK_SUITES["bookworm"], "slim")
    found = _NGINX.fullmatch(tag)
    return Recipe("nginx", FALLBACK_SUITES[found["suite"] or "bookworm"]) if found else None


def _distroless(tag: str) -> Recipe | None:
    found = _DISTROLESS.fullmatch(tag)
    if found is None:
        return None
    flavour = "-".join(part for part in (found["debug"], found["nonroot"]) if part)
    return Recipe("distroless", FALLBACK_SUITES["trixie"], flavour)
