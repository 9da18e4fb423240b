"""QEMU for the platforms that this machine cannot run by itself; only when one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.provision import apt, machine

BINFMT = Path("/proc/sys/fs/binfmt_misc")
PROGRAMS = {"/usr/bin/qemu-aarch64-static": "qemu-user-static", "update-binfmts": "binfmt-support"}
#: What QEMU calls the processor of a platform.
HANDLERS = {
    "linux/amd64": "qemu-x86_64",
    "linux/arm64": "qemu-aarch64",
    "linux/arm/v7": "qemu-arm",
}
_ENV = {"PATH": machine.SYSTEM_PATH}


def ensure_emulation(platforms: Sequence[str]) -> None:
    """Have every one of ``platforms`` run on this machine.

    Raises OutOfReach naming the platform when one cannot be emulated here.
    """
    wanted = missing(platforms, apt.native_platform())
    if not wanted:
        return
    for platform in wanted:
        if platform not in HANDLERS:
            raise OutOfReach(f"{platform} cannot be emulated here: leave it out of PLATFORMS")
    reason = machine.unsuitable()
    if reason:
        raise OutOfReach(
            f"{', '.join(wanted)} cannot be run here ({reason}): install qemu-user-static and "
            "binfmt-support, or leave the platform out"
        )
    machine.install(PROGRAMS)
    _mount()
    for platform in wanted:
        enable = ("update-binfmts", "--enable", HANDLERS[platform])
        process.read(enable, env=_ENV, timeout=60, check=False)
    still = missing(wanted, apt.native_platform())
    if still:
        raise OutOfReach(
            f"{', '.join(still)} cannot be emulated: the kernel did not take QEMU's handler "
            f"(see {BINFMT})"
        )


def missing(platforms: Sequence[str], native: str) -> tuple[str, ...]:
    """The platforms that neither the processor nor an enabled handler runs, each once."""
    foreign = dict.fromkeys(name for name in platforms if name != native)
    return tuple(name for name in foreign if not is_enabled(name))


def is_enabled(platform: str) -> bool:
    """Whether the kernel has a handler for ``platform`` that works inside containers too.

    That is what the F flag means: the interpreter was opened when it was registered, so it need
    not exist in the container.
    """
    try:
        handler = (BINFMT / HANDLERS[platform]).read_text()
    except (OSError, KeyError):
        return False
    lines = handler.splitlines()
    flags = next((line for line in lines if line.startswith("flags:")), "")
    return "enabled" in lines and "F" in flags.partition(":")[2]


def _mount() -> None:
    if (BINFMT / "register").exists():
        return
    mount = ("mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT))
    done = process.read(mount, env=_ENV, timeout=30, check=False)
    if done.returncode != 0:
        raise OutOfReach(f"this kernel offers no binfmt_misc to emulate with: {done.reason()}")
