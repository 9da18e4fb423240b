"""Proofs on the file system that a container sees: rights, tools and leftovers.

Each check gives a line for everything that is wrong; they start no container.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence

from tasks.core.images import accounts, filetree
from tasks.core.images.accounts import AccountInspector
from tasks.core.images.contents import Contents, shown
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.proofs import leftovers
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.leftovers import PackageInspector
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Severity, Verdict

#: What has to look at the files while they go by, for `contents.read`.
INSPECTORS = (AccountInspector(), PackageInspector())
SHELLS = (
    *("sh", "bash", "rbash", "ash", "dash", "zsh", "ksh", "ksh93", "mksh"),
    *("csh", "tcsh", "fish", "busybox", "toybox", "pwsh"),
)
PACKAGE_MANAGERS = (
    *("apt", "apt-get", "dpkg", "apk", "yum", "dnf", "microdnf", "rpm", "zypper", "pacman"),
    *("opkg", "pip", "pip3", "gem", "npm", "npx", "yarn", "yarnpkg", "pnpm", "pnpx", "corepack"),
)
#: Setuid and setgid programs of Debian, Ubuntu, Alpine, Fedora and their like, as they bring them.
#: They ask for a password or only help others to; without new privileges they give nobody any.
SYSTEM_SETUID = (
    *("chage", "chfn", "chsh", "expiry", "gpasswd", "mount", "newgrp", "passwd", "su", "umount"),
    *("crontab", "newgidmap", "newuidmap", "pam_timestamp_check", "ssh-agent", "unix_chkpwd"),
    *("wall", "write", "lib/openssh/ssh-keysign", "libexec/openssh/ssh-keysign"),
    *("lib/dbus-1.0/dbus-daemon-launch-helper", "libexec/utempter/utempter"),
)
_SYSTEM_FOLDERS = ("usr/bin/", "usr/sbin/", "bin/", "sbin/", "usr/")
#: Where systems keep what is about programs, under their names.
_DATA_FOLDERS = ("usr/share/", "var/lib/dpkg/", "etc/")
#: Folders that everybody may write to by convention, if they are sticky.
_SHARED = ("tmp", "var/tmp", "run/lock", "var/lock", "dev/shm", "dev/mqueue")
#: What the engine mounts when a container starts.
_MOUNTED = ("proc", "sys", "dev", "run")
#: What the engine, or who runs the image, brings.
_PROVIDED = ("etc/hostname", "etc/hosts", "etc/localtime", "etc/resolv.conf")
#: Slim bases leave out manuals and keep the links to them.
_MANUALS = ("usr/share/man/", "usr/share/doc/", "usr/share/locale/", "etc/alternatives/")


Check = Callable[[Contents, Policy], Iterator[str]]


def setuid(contents: Contents, policy: Policy) -> Iterator[str]:
    """Files that run with the rights of their owner or group, or with capabilities."""
    for path, entry in contents.files.items():
        if policy.system_setuid_allowed and _of_the_system(entry):
            continue
        if entry.kind is Kind.FILE and entry.mode & 0o6000:
            yield f"{shown(path)} has mode {entry.mode:04o} and belongs to {entry.uid}:{entry.gid}"
        elif entry.has_capabilities:
            yield f"{shown(path)} has file capabilities"


def app_writable(contents: Contents, policy: Policy) -> Iterator[str]:
    """Files of the application that the runtime user may change: an owner may grant it himself.

    A folder of the application that is empty holds none: it is somebody's home.
    """
    user = accounts.user(contents)
    if user is None:
        yield "the image's user is not in its /etc/passwd"
        return
    if user.uid == 0:
        yield "the image runs as root, who may write to everything"
        return
    full = {path.rpartition("/")[0] for path in contents.files}
    folders = [name.strip("/") for name in application(contents, policy)]
    folders = [name for name in folders if name in full or name not in contents.files]
    for path, entry in contents.files.items():
        if entry.kind is Kind.LINK or not _below(path, folders) or _below(path, policy.writable):
            continue
        by_group = entry.gid in user.gids and entry.mode & 0o020
        if entry.uid == user.uid or by_group or entry.mode & 0o002:
            why = "belongs to" if entry.uid == user.uid else "is writable by"
            yield f"{shown(path)} {why} the user that it runs as ({user.uid})"


def world_writable(contents: Contents, policy: Policy) -> Iterator[str]:
    """What everybody may write to, but for shared sticky folders and what is meant for it."""
    for path, entry in contents.files.items():
        if entry.kind not in (Kind.FILE, Kind.DIRECTORY, Kind.PIPE) or not entry.mode & 0o002:
            continue
        sticky = entry.kind is Kind.DIRECTORY and entry.mode & 0o1000 and path in _SHARED
        if not sticky and not _below(path, policy.writable):
            yield f"{shown(path)} has mode {entry.mode:04o}"


def shell(contents: Contents, policy: Policy) -> Iterator[str]:
    """Executables with a shell's name."""
    return _programs(contents.files, SHELLS)


def package_manager(contents: Contents, policy: Policy) -> Iterator[str]:
    """Executables with a package manager's name."""
    return _programs(contents.files, PACKAGE_MANAGERS)


def left_over(contents: Contents, policy: Policy) -> Iterator[str]:
    """What a build needs and a container does not."""
    return leftovers.find(contents.files, application(contents, policy))


def owners(contents: Contents, policy: Policy) -> Iterator[str]:
    """Entries of users that the image does not know."""
    user = accounts.user(contents)
    known = {0, *policy.owners, *accounts.uids(contents), *((user.uid,) if user else ())}
    for path, entry in contents.files.items():
        if entry.uid not in known:
            yield f"{shown(path)} belongs to the unknown user {entry.uid}"


def links(contents: Contents, policy: Policy) -> Iterator[str]:
    """Links that lead nowhere; not those into what the engine mounts, nor to manuals left out."""
    for path, entry in contents.files.items():
        if entry.kind is Kind.HARD_LINK:
            yield f"{shown(path)} is a hard link to {shown(entry.link)}, which is not there"
        elif entry.kind is Kind.LINK and not path.startswith(_MANUALS):
            target = _absolute(path, entry.link)
            later = target.partition("/")[0] in _MOUNTED or target in _PROVIDED
            if not later and filetree.follow(contents.files, path) is None:
                link = shown(entry.link.lstrip("/")) if entry.link[:1] == "/" else shown(target)
                yield f"{shown(path)} leads to {link}, which is not there"


_SEEN = "Read from the layers as they are put together, for every platform; nothing is started."
CHECKS: tuple[tuple[Proof, Check, str], ...] = (
    (
        Proof(
            "filesystem.setuid",
            "No file is setuid, setgid or has capabilities",
            Severity.HIGH,
            "Such a program gives whoever gets into the container more rights than it was given.",
            f"{_SEEN} What distributions bring along (su, mount …, of root) is counted, and a "
            "failure where the policy says `system_setuid_allowed: false`.",
        ),
        setuid,
        "none",
    ),
    (
        Proof(
            "filesystem.app-writable",
            "The runtime user cannot change the application",
            Severity.HIGH,
            "What the process can rewrite, an attacker can make permanent.",
            f"{_SEEN} Owners count as writers: they may change the mode.",
        ),
        app_writable,
        "nothing writable",
    ),
    (
        Proof(
            "filesystem.world-writable",
            "Nothing outside /tmp is writable by everybody",
            Severity.MEDIUM,
            "Any process in the container could plant files there.",
            _SEEN,
        ),
        world_writable,
        "none",
    ),
    (
        Proof(
            "filesystem.shell",
            "There is no shell",
            Severity.MEDIUM,
            "Most attacks need one to go on after the first hole.",
            f"{_SEEN} By name, in any folder of programs.",
        ),
        shell,
        "none",
    ),
    (
        Proof(
            "filesystem.package-manager",
            "There is no package manager",
            Severity.MEDIUM,
            "It brings an attacker's tools, and what it installs is in no inventory.",
            f"{_SEEN} By name, in any folder of programs.",
        ),
        package_manager,
        "none",
    ),
    (
        Proof(
            "filesystem.leftovers",
            "Nothing of the build is left",
            Severity.MEDIUM,
            "Tests, source maps, .git, .env, caches and development packages are bulk, and tell.",
            f"{_SEEN} Development packages are those of the application's package.json.",
        ),
        left_over,
        "none",
    ),
    (
        Proof(
            "filesystem.owners",
            "Every file belongs to a user that the image knows",
            Severity.LOW,
            "An unknown owner may be a user of the host, or whoever gets that number next.",
            f"{_SEEN} Compared with /etc/passwd, the image's user and root.",
        ),
        owners,
        "known users",
    ),
    (
        Proof(
            "filesystem.links",
            "No link leads nowhere",
            Severity.LOW,
            "What it should lead to was forgotten, and is missed only when it is needed.",
            f"{_SEEN} Links are followed inside the image, as the kernel does.",
        ),
        links,
        "none broken",
    ),
)
PROOFS = tuple(proof for proof, _, _ in CHECKS)


def prove(target: str, contents: Contents, policy: Policy) -> tuple[Verdict, ...]:
    """The verdicts on one platform; ``contents`` were read with INSPECTORS."""
    entries = f"{len(contents.files)} entries looked at"
    allowances = {
        "filesystem.shell": policy.shell_allowed,
        "filesystem.package-manager": policy.package_manager_allowed,
    }
    usual = sum(map(_of_the_system, contents.files.values()))
    notes = {"filesystem.setuid": f"; {usual} setuid programs of the distribution"} if usual else {}
    found = []
    for proof, check, allowed in CHECKS:
        if allowances.get(proof.id):
            found.append(proof.skip(target, contents.platform, "the policy allows it"))
            continue
        problems = sorted(check(contents, policy))
        measured = entries + notes.get(proof.id, "")
        found.append(proof.judge(target, contents.platform, problems, measured, allowed))
    return tuple(found)


def application(contents: Contents, policy: Policy) -> tuple[str, ...]:
    """The application's folders: of the policy, or else the working directory and usual places.

    Where one is a link, what it leads to is one too.
    """
    if policy.application:
        named = policy.application
    else:
        section = contents.config.get("config")
        working = str((section.get("WorkingDir") if isinstance(section, dict) else "") or "")
        usual = ("/app", "/srv", "/usr/share/nginx/html", "/usr/src/app")
        named = (*usual, working) if working.strip("/") else usual
    real = (filetree.follow(contents.files, folder) for folder in named)
    behind = (f"/{entry.path}" for entry in real if entry and entry.path)
    return tuple(dict.fromkeys((*named, *behind)))


def _of_the_system(entry: FileEntry) -> bool:
    """Whether it is a setuid program that distributions bring along, and still root's."""
    if not entry.mode & 0o6000 or entry.kind is not Kind.FILE:
        return False
    folder = next((one for one in _SYSTEM_FOLDERS if entry.path.startswith(one)), "")
    usual = bool(folder) and entry.path.removeprefix(folder) in SYSTEM_SETUID
    tampered = entry.uid != 0 or entry.mode & 0o022 or entry.has_capabilities
    return bool(usual and not tampered)


def _programs(files: Mapping[str, FileEntry], names: tuple[str, ...]) -> Iterator[str]:
    for path, entry in files.items():
        if path.rpartition("/")[2] not in names or path.startswith(_DATA_FOLDERS):
            continue
        real = filetree.follow(files, path)
        if real and real.kind is Kind.FILE and real.mode & 0o111 and entry.kind is not Kind.PIPE:
            yield f"{shown(path)} is there"


def _below(path: str, folders: Sequence[str]) -> bool:
    for folder in folders:
        name = folder.strip("/")
        if path == name or path.startswith(f"{name}/"):
            return True
    return False


def _absolute(path: str, link: str) -> str:
    """Where a link points to by its text, without a leading slash."""
    folder = posixpath.dirname(path)
    return posixpath.normpath(posixpath.join("/", folder, link)).strip("/")
