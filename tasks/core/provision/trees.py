"""Root file systems of small look-alikes: packages unpacked one by one, and what ties them up."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.provision import apt, layers
from tasks.core.provision.layers import Entry
from tasks.core.provision.recipes import Recipe
from tasks.core.provision.rootfs import Rootfs

#: What busybox answers to in the debug flavour of distroless.
BUSYBOX = ("sh", "ash", "cat", "echo", "env", "find", "grep", "id", "ls", "ps", "sleep", "wget")
#: And in the slim nginx, where the entrypoint and everybody's scripts have nothing else.
BUSYBOX_SLIM = (
    *("[", "ash", "awk", "base64", "basename", "cat", "chgrp", "chmod", "chown", "cmp", "cp"),
    *("cut", "date", "dd", "df", "diff", "dirname", "du", "echo", "egrep", "env", "expr"),
    *("false", "fgrep", "find", "free", "grep", "gunzip", "gzip", "head", "hexdump", "hostname"),
    *("id", "kill", "killall", "less", "ln", "ls", "md5sum", "mkdir", "mkfifo", "mktemp", "more"),
    *("mv", "nc", "netstat", "nslookup", "od", "pidof", "ping", "printf", "ps", "pwd"),
    *("readlink", "realpath", "rm", "rmdir", "sed", "seq", "sh", "sha256sum", "sleep", "sort"),
    *("stat", "strings", "tail", "tar", "tee", "test", "time", "timeout", "top", "touch", "tr"),
    *("true", "uname", "uniq", "vi", "wc", "wget", "which", "whoami", "xargs", "xxd", "yes"),
)
#: Suites from before 64-bit time; the later ones' libcrypto needs a library more.
_OLD_NAMES = ("bookworm", "jammy")
_SSL = {True: ("libssl3",), False: ("libssl3t64", "libzstd1")}
#: Without one of these there is no web server; a suite may have them under another name.
_SLIM_NEEDS = ("usr/sbin/nginx", "usr/bin/busybox", "usr/bin/envsubst", "usr/lib/*/libssl.so.3")
#: Beside documentation: what serves other programs, and pages and sites that nobody asked for.
_SLIM_LEAVES_OUT = re.compile(
    r"etc/(?:default|init\.d|logrotate\.d|nginx/(?:modules|sites|snippets)|ufw)"
    r"|usr/bin/n?gettext|usr/lib/(?:systemd|[^/]+/(?:audit|engines-3|gconv|libmvec|ossl-modules))"
    r"|usr/share/(?:apport|ca-certificates|gettext|locale|nginx|vim)"
)
USERS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "distroless": {
        "root": (0, "/root"),
        "nobody": (65534, "/nonexistent"),
        "nonroot": (65532, "/home/nonroot"),
    },
    "nginx": {
        "root": (0, "/root"),
        "nobody": (65534, "/nonexistent"),
        "nginx": (101, "/nonexistent"),
    },
}


def entries(made: Rootfs, work: Path) -> Iterator[Entry]:
    """The entries of a small root file system: ``work`` holds its packages while it is made.

    Raises OutOfReach when the release lacks a package, or has something else under its name.
    """
    recipe, architecture = made.recipe, apt.ARCHITECTURES[made.platform]
    names = packages(recipe, made.release.suite)
    found = apt.fetch(work, made.release.lines, names, architecture)
    root = work / "tree"
    apt.unpack(found, root)
    merge_usr(root)
    _check(recipe, root, made.release.name)
    yield from (owned(recipe, entry) for entry in layers.tree(root) if ships(recipe, entry.path))
    for package in found:
        control = process.read(("dpkg-deb", "--field", str(package)), timeout=30).stdout
        yield Entry(f"var/lib/dpkg/status.d/{package.name.partition('_')[0]}", control.encode())
    yield from _identity(recipe, root)
    yield from _finish(recipe)


def merge_usr(root: Path) -> None:
    """Make /bin and its like links into /usr: afterwards, as unpacking would replace the links."""
    for name in ("bin", "sbin", "lib", "lib64"):
        old, merged = root / name, root / "usr" / name
        if old.is_symlink():
            continue
        merged.mkdir(parents=True, exist_ok=True)
        if old.is_dir():
            shutil.copytree(old, merged, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(old)
        old.symlink_to(f"usr/{name}")


def packages(recipe: Recipe, suite: str) -> tuple[str, ...]:
    """What is taken from ``suite``."""
    encrypting = _SSL[suite in _OLD_NAMES] if recipe.family == "nginx" else ()
    return (*recipe.packages, *encrypting)


def ships(recipe: Recipe, path: str) -> bool:
    """Leave out documentation but copyrights, and the scripts that a shell would be needed for."""
    if path.startswith("usr/share/doc/") and "." not in path.rpartition("/")[2]:
        return path.endswith("/copyright") or path.count("/") <= 3
    if recipe.family == "nginx" and _SLIM_LEAVES_OUT.match(path):
        return False
    return not path.startswith(
        ("usr/share/doc/", "usr/share/man/", "usr/share/lintian", "usr/sbin/update-", "etc/update-")
    )


def owned(recipe: Recipe, entry: Entry) -> Entry:
    """The web server may write its own configuration, as in the original."""
    if recipe.family == "nginx" and f"{entry.path}/".startswith("etc/nginx/"):
        return replace(entry, uid=101, mode=entry.mode | 0o020)
    return entry


def _check(recipe: Recipe, root: Path, release: str) -> None:
    needs = _SLIM_NEEDS if recipe.family == "nginx" else ()
    for pattern in needs:
        if not any(root.glob(pattern)):
            raise OutOfReach(f"the packages of {release} hold no {pattern}")


def _identity(recipe: Recipe, root: Path) -> Iterator[Entry]:
    """Users, and the bundle of certificate authorities."""
    users = USERS[recipe.family].items()
    passwd = (f"{name}:x:{uid}:{uid}:{name}:{home}:/sbin/nologin\n" for name, (uid, home) in users)
    yield Entry("etc/passwd", "".join(passwd).encode())
    yield Entry("etc/group", "".join(f"{n}:x:{uid}:\n" for n, (uid, _) in users).encode())
    bundle = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    yield Entry("etc/ssl/certs/ca-certificates.crt", b"".join(f.read_bytes() for f in bundle))
    yield Entry("tmp", mode=0o1777)


def _finish(recipe: Recipe) -> Iterator[Entry]:
    """What maintainer scripts would make: homes, logs, links to busybox."""
    if recipe.family == "distroless":
        yield Entry("home/nonroot", mode=0o700, uid=65532, gid=65532)
        if "debug" in recipe.flavour:
            yield from (Entry(f"busybox/{name}", link="/usr/bin/busybox") for name in BUSYBOX)
        return
    yield from (Entry(f"usr/bin/{name}", link="busybox") for name in BUSYBOX_SLIM)
    for folder in ("etc/nginx/conf.d", "var/cache/nginx"):
        yield Entry(folder, mode=0o775, uid=101)
    yield Entry("var/log/nginx", mode=0o755)
    yield Entry("var/log/nginx/access.log", link="/dev/stdout")
    yield Entry("var/log/nginx/error.log", link="/dev/stderr")
