"""What the machine itself has to be and to have: root, Debian or Ubuntu, a few packages."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.provision import apt

OS_RELEASE = Path("/etc/os-release")
#: Programs are looked up where daemons live too: a plain user's PATH often leaves those out.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOW_TO_GET_ONE = (
    "install Docker Engine with buildx and start it, or point DOCKER_HOST to one; "
    "on Debian or Ubuntu Slipway as root brings its own"
)
_UPDATE = ("apt-get", "-qq", "update")
_INSTALL = (
    *("apt-get", "-qq", "-oDPkg::Lock::Timeout=300", "-oDpkg::Use-Pty=0", "install"),
    *("-y", "--no-install-recommends"),
)


def require() -> apt.System:
    """The distribution. Raises OutOfReach where Slipway cannot bring anything up by itself."""
    reason = unsuitable()
    if reason:
        raise OutOfReach(
            f"no Docker Engine, and none can be brought up here ({reason}): {HOW_TO_GET_ONE}"
        )
    return _system() or apt.System("debian", "")


def unsuitable() -> str | None:
    """Why this machine cannot run the embedded engine; None when it can."""
    if sys.platform != "linux":
        return f"this is {sys.platform}, not Linux"
    if _system() is None or shutil.which("apt-get", path=SYSTEM_PATH) is None:
        return "this is neither Debian nor Ubuntu"
    if apt.native_platform() not in apt.ARCHITECTURES:
        return f"{apt.native_platform()} is not supported"
    if os.geteuid() != 0:
        return "that needs root"
    return None


def missing(programs: Mapping[str, str]) -> tuple[str, ...]:
    """The packages to install, of ``programs``: program or file -> the package that brings it."""
    absent = (package for program, package in programs.items() if not _is_there(program))
    return tuple(dict.fromkeys(absent))


def install(programs: Mapping[str, str]) -> None:
    """Install the packages that are missing, by the machine's own apt. One notice line."""
    packages = missing(programs)
    if not packages:
        return
    process.note(f"slipway: installing {' '.join(packages)} with apt-get …")
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}
    read_indexes()
    first = process.read((*_INSTALL, *packages), env=quiet, timeout=600, check=False)
    if first.returncode != 0:
        # Old indexes name files that the mirror no longer has.
        process.read(_UPDATE, env=quiet, timeout=300, check=False)
        process.read((*_INSTALL, *packages), env=quiet, timeout=600)


def read_indexes() -> None:
    """Read the package indexes where there are none yet, as in a fresh container."""
    if not process.read(("apt-get", "indextargets"), timeout=60).stdout.strip():
        process.note("slipway: reading the package indexes …")
        process.read(_UPDATE, timeout=300)


def archive() -> apt.Archive:
    """The machine's package archive, with its indexes read."""
    machine = require()
    read_indexes()
    return apt.configured(machine)


def _is_there(program: str) -> bool:
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=SYSTEM_PATH) is not None


def _system() -> apt.System | None:
    try:
        return apt.system(OS_RELEASE.read_text())
    except OSError:
        return None
