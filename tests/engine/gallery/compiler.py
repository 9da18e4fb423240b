"""server.c -> a static program, by a compiler of 900 KB that is unpacked from packages."""

from __future__ import annotations

from pathlib import Path

from tasks.core import process
from tasks.core.provision import apt, machine

SOURCE = Path(__file__).with_name("server.c")
#: The C library is musl: a small compiler can link it as it is.
PACKAGES = ("tcc", "musl-dev")


def compiled(folder: Path) -> Path:
    """The program, made in ``folder`` for this machine. Raises OutOfReach without the packages.

    Nothing is installed: the machine may have no compiler, or one that makes something else.
    """
    archive = machine.archive()
    lines = archive.release(archive.system.codename)
    tree = folder / "tree"
    apt.unpack(apt.fetch(folder / "packages", lines[:1], PACKAGES), tree)
    program = folder / "server"
    process.read(command(tree, program), timeout=60)
    return program


def command(tree: Path, program: Path) -> tuple[str, ...]:
    """The command that compiles, with the packages' files in ``tree`` and nothing else."""
    musl = _only(tree, "usr/lib/*-linux-musl*")
    tcc = _only(tree, "usr/lib/*-linux-gnu*/tcc")
    return (
        *(str(tree / "usr/bin/tcc"), f"-B{tcc}", "-static", "-nostdlib", "-nostdinc"),
        *(f"-I{tree / 'usr/include' / musl.name}", f"-I{tcc / 'include'}"),
        *("-o", str(program), f"{musl}/crt1.o", f"{musl}/crti.o", str(SOURCE)),
        *(f"{musl}/libc.a", f"{tcc}/libtcc1.a", f"{musl}/crtn.o"),
    )


def _only(tree: Path, pattern: str) -> Path:
    [found] = tree.glob(pattern)
    return found
