"""The engine's programs, unpacked from the distribution's packages into a folder of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.provision import apt, machine
from tasks.core.provision import home as homes
from tasks.core.provision.home import Home

REQUIRED = ("docker.io", "docker-buildx", "containerd", "docker-registry")
#: What is cut differently from release to release: the CLI may lie in docker.io, what
#: `docker run --init` starts in either package, and not every release has crane.
OPTIONAL = {
    "debian": ("docker-cli", "docker-compose", "crane", "tini", "tini-static"),
    "ubuntu": ("docker-compose-v2", "crane", "tini"),
}
#: Programs that have to answer before the tree counts as complete, and how they are asked.
PROBES = (
    ("dockerd", "--version"),
    ("containerd", "--version"),
    ("docker", "--version"),
    ("docker-registry", "--version"),
)
#: Packages and what is unpacked from them, for a moment both.
ROOM_BYTES = 700 * 2**20
STAMP = "packages.txt"
PLUGINS = ("usr/libexec/docker/cli-plugins", "usr/lib/docker/cli-plugins")


def path(home: Home) -> str:
    """PATH with the tools first, and the folders of system programs last."""
    folders = (home.tools / "usr/bin", home.tools / "usr/sbin")
    inherited = os.environ.get("PATH", "")
    return os.pathsep.join([*map(str, folders), inherited, machine.SYSTEM_PATH])


def docker(home: Home) -> Path:
    """The docker CLI."""
    return home.tools / "usr/bin/docker"


def crane(home: Home) -> Path:
    """The program that pushes images from disk. Raises OutOfReach where no package brought it."""
    program = home.tools / "usr/bin/crane"
    if not program.exists():
        raise OutOfReach(
            "look-alikes of base images need crane, which this release has no package of; "
            "use a registry that can be reached"
        )
    return program


def are_there(home: Home) -> bool:
    """Whether a complete tree of what is wanted is in place; its stamp is written last."""
    try:
        return (home.tools / STAMP).read_text().startswith(_wanted())
    except OSError:
        return False


def stamp(files: Sequence[str]) -> str:
    """What the stamp of a complete tree says: the packages wanted, and the files they came in."""
    return _wanted() + "".join(f"{name}\n" for name in files)


def _wanted() -> str:
    return (
        f"# {' '.join([*REQUIRED, *sorted({n for names in OPTIONAL.values() for n in names})])}\n"
    )


def ensure(home: Home) -> None:
    """Download and unpack the tools where they are missing. Call it under the lock."""
    if are_there(home):
        return
    homes.need_room(home, ROOM_BYTES)
    archive = machine.archive()
    problems = []
    for lines in sources(archive):
        try:
            _install(home, lines, OPTIONAL[archive.system.name])
        except OutOfReach as problem:
            problems.append(str(problem))
        else:
            return
    raise OutOfReach(f"no suite of {archive.uri} gave a working engine: {problems[0]}")


def sources(archive: apt.Archive) -> tuple[tuple[str, ...], ...]:
    """Sources lists to try in turn, the newest engine first."""
    own = archive.release(archive.system.codename)
    if archive.system.name == "ubuntu":
        return (own,)
    components = apt.COMPONENTS[archive.system.name]
    testing, stable = (archive.line(suite, components) for suite in ("testing", "stable"))
    return ((testing, stable), (stable,), own)


def link_plugins(home: Home) -> None:
    """Show the CLI its plugins, which it looks for in its configuration folder."""
    plugins = home.config / "cli-plugins"
    plugins.mkdir(mode=0o700, exist_ok=True)
    for found in (home.tools / folder for folder in PLUGINS):
        for plugin in sorted(found.glob("docker-*")):
            link = plugins / plugin.name
            if not link.is_symlink() or link.readlink() != plugin:
                link.unlink(missing_ok=True)
                link.symlink_to(plugin)


def _install(home: Home, lines: Sequence[str], optional: Sequence[str]) -> None:
    process.note("slipway: downloading the engine's packages …")
    with homes.workspace(home, "engine") as work, homes.usable(home.root):
        packages = apt.fetch(work, lines, REQUIRED, optional=optional)
        tree = work / "tree"
        apt.unpack(packages, tree)
        _probe(tree)
        (tree / STAMP).write_text(stamp([package.name for package in packages]))
        homes.remove(home.tools)
        tree.rename(home.tools)
    link_plugins(home)


def _probe(tree: Path) -> None:
    """Run the programs once: packages of a newer suite may ask for a newer C library."""
    env = {"PATH": f"{tree}/usr/bin:{tree}/usr/sbin:{machine.SYSTEM_PATH}"}
    for name, *arguments in PROBES:
        program = next((f for f in (tree / "usr").glob(f"*bin/{name}")), None)
        if program is None:
            raise OutOfReach(f"the packages bring no {name}")
        process.read((str(program), *arguments), env=env, timeout=30)
