"""Root file systems of look-alikes that are whole distributions: commands for mmdebstrap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core.provision import apt
from tasks.core.provision.layers import Entry
from tasks.core.provision.recipes import BASIC, Recipe

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
}
HOOKS = "/usr/share/mmdebstrap/hooks/maybe-merged-usr"
KEYRING_PACKAGES = {"debian": "debian-archive-keyring", "ubuntu": "ubuntu-keyring"}
#: What the slim originals leave out: pages for people. Copyright files stay.
NO_DOCUMENTATION = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)
#: Where nothing is run, the files that maintainer scripts would make have to be made here.
PREPARE = (
    'test -e "$1/etc/passwd" || cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"',
    'test -e "$1/etc/group" || cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"',
    'test -e "$1/usr/bin/awk" || ln -s mawk "$1/usr/bin/awk"',
    # What is chosen between alternatives when a package is configured leads nowhere here.
    'test -e "$1/usr/sbin/rmt" || rm -f "$1/etc/rmt"',
    'rm -f "$1/etc/hostname" "$1/etc/resolv.conf" "$1/etc/apt/apt.conf.d/99mmdebstrap"',
)
NODE_HOOKS = (
    'echo "node:x:1000:" >> "$1/etc/group"',
    'echo "node:x:1000:1000::/home/node:/bin/bash" >> "$1/etc/passwd"',
    'install -d -m 755 -o 1000 -g 1000 "$1/home/node"',
)
NGINX_HOOKS = (
    'test -s "$1/etc/ssl/certs/ca-certificates.crt" || cat "$1"/usr/share/ca-certificates/mozilla/*'
    ' > "$1/etc/ssl/certs/ca-certificates.crt"',
    # The original's numeric user; whatever Debian's packages put there is not used.
    'sed -i "/^[^:]*:[^:]*:101:/d" "$1/etc/passwd" "$1/etc/group"',
    'echo "nginx:x:101:" >> "$1/etc/group"',
    'echo "nginx:x:101:101:nginx user:/nonexistent:/bin/false" >> "$1/etc/passwd"',
    'rm -rf "$1/etc/nginx/sites-enabled" "$1/etc/nginx/sites-available"'
    ' "$1/etc/nginx/modules-enabled" "$1/usr/share/nginx/html" "$1/usr/share/nginx/modules"',
    'ln -sf /dev/stdout "$1/var/log/nginx/access.log"',
    'ln -sf /dev/stderr "$1/var/log/nginx/error.log"',
    'install -d -o 101 -g 0 "$1/var/cache/nginx" "$1/etc/nginx/conf.d"',
    'chown -R 101:0 "$1/etc/nginx" "$1/var/cache/nginx"',
    'chmod -R g+w "$1/etc/nginx" "$1/var/cache/nginx"',
)


@dataclass(frozen=True)
class Release:
    """A suite to take packages from: sources lines, and what to call it when it fails."""

    suite: str
    lines: tuple[str, ...]
    name: str


@dataclass(frozen=True)
class Rootfs:
    """A root file system to make: for a recipe and a platform, of one release, into ``target``."""

    recipe: Recipe
    platform: str
    release: Release
    target: Path


def configuration(target: Path) -> Path:
    """The apt configuration to make ``target`` with: a file, as a proxy's URL may be a secret."""
    return target.with_suffix(".conf")


def apt_lines(archive: apt.Archive) -> str:
    """What that file says: the folders we work in may be entered by root alone."""
    own = ('APT::Sandbox::User "root";', 'Acquire::Retries "2";')
    return "".join(f"{line}\n" for line in (*own, *archive.settings))


def command(made: Rootfs, archive: apt.Archive, native: str) -> tuple[str, ...]:
    """The mmdebstrap command for a root file system.

    For the machine's own architecture packages are configured, so that apt works in a RUN. For
    another one they are only unpacked: their scripts would need emulation, and a minute each.
    """
    own = made.platform == native
    hooks = (*PREPARE, *(NODE_HOOKS if made.recipe.family == "node" else NGINX_HOOKS))
    return (
        *("mmdebstrap", "--mode=root", f"--variant={'minbase' if own else 'extract'}"),
        f"--architectures={apt.ARCHITECTURES[made.platform]}",
        f"--include={','.join(packages(made, archive, own=own))}",
        f"--hook-dir={HOOKS}",
        # The folders we work in may be entered by root alone.
        f"--aptopt={configuration(made.target)}",
        *(f"--dpkgopt={option}" for option in NO_DOCUMENTATION if made.recipe.flavour != "full"),
        # Nothing is customized where nothing is configured: there only these hooks are run.
        *(f"--{'customize' if own else 'extract'}-hook={hook}" for hook in hooks),
        *("--skip=output/dev", made.release.suite, str(made.target)),
        *made.release.lines,
    )


def packages(made: Rootfs, archive: apt.Archive, *, own: bool) -> tuple[str, ...]:
    """What goes in by name; a configured system brings the essential packages by itself."""
    basic = () if own else BASIC
    keyring = KEYRING_PACKAGES[archive.system.name]
    named = (keyring if name == "debian-archive-keyring" else name for name in basic)
    return tuple(dict.fromkeys((*named, "netbase", *made.recipe.packages)))


def sources(archive: apt.Archive, suite: str) -> tuple[str, ...]:
    """The sources lines for ``suite``; testing has neither updates nor its own security suite."""
    return archive.release(suite, testing=suite == "testing")


def releases(recipe: Recipe, archive: apt.Archive) -> tuple[Release, ...]:
    """What to try in turn: a suite with its updates, the suite as it was released, the next suite.

    A mirror's indexes can be out of step for hours, often those of one architecture's updates
    alone. Ubuntu's archive has no Debian suite: its own has to do.
    """
    suites = recipe.suites if archive.system.name == "debian" else (archive.system.codename,)
    found: list[Release] = []
    for suite in suites:
        lines = sources(archive, suite)
        found.append(Release(suite, lines, suite))
        if len(lines) > 1:
            found[-1] = Release(suite, lines, f"{suite} with its updates")
            found.append(Release(suite, lines[:1], suite))
    return tuple(found)


def system_overlay(archive: apt.Archive, suite: str) -> Iterator[Entry]:
    """Files that the originals carry for apt: sources without this machine's paths, tidy habits."""
    keyring = apt.KEYRINGS[archive.system.name]
    own = apt.Archive(archive.system, archive.uri, archive.security_uri, str(keyring))
    text = "".join(f"{line}\n" for line in sources(own, suite))
    yield Entry("etc/apt/sources.list", text.encode())
    validity = "".join(f"{line}\n" for line in apt.validity(archive.settings))
    if validity:
        # The mirror is a frozen one, or the machine's clock is: apt in the image must know too.
        yield Entry("etc/apt/apt.conf.d/mirror-validity", validity.encode())


def missing_programs(recipes: Sequence[Recipe]) -> dict[str, str]:
    """The programs that ``recipes`` need on this machine, with the packages that bring them."""
    return {} if all(recipe.unpacked for recipe in recipes) else PROGRAMS
