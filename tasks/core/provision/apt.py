"""Packages from the machine's own package mirror, without touching the machine's own apt.

The mirror's address and keyring are read from apt's configuration. A private sources list, with
private lists and caches, then serves other suites and architectures of the same archive.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach

KEYRINGS = {
    "debian": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    "ubuntu": Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
}
COMPONENTS = {"debian": ("main",), "ubuntu": ("main", "universe")}
#: What docker calls a platform, and what Debian calls its architecture.
ARCHITECTURES = {
    "linux/amd64": "amd64",
    "linux/arm64": "arm64",
    "linux/arm/v7": "armhf",
}
_MACHINES = {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "armv7l": "linux/arm/v7"}
_REACHING = re.compile(
    r'Acquire::(?:https?::(?:Proxy\b|CAInfo|Verify)|Check-Valid-Until|Check-Date)\S* "[^"]+";$'
)


@dataclass(frozen=True)
class System:
    """The distribution of this machine: ``name`` is debian or ubuntu, ``codename`` its release."""

    name: str
    codename: str


@dataclass(frozen=True)
class Archive:
    """A package archive, and how the machine's apt is told to reach it.

    ``settings`` are lines of apt configuration: proxies, certificates, how old indexes may be.
    """

    system: System
    uri: str
    security_uri: str | None
    keyring: str | None
    settings: tuple[str, ...] = ()

    def line(self, suite: str, components: Sequence[str], uri: str | None = None) -> str:
        """One line of a sources list."""
        signed = f"[signed-by={self.keyring}] " if self.keyring else ""
        return f"deb {signed}{uri or self.uri} {suite} {' '.join(components)}"

    def release(self, suite: str, *, testing: bool = False) -> tuple[str, ...]:
        """The sources lines of a release with its updates, and security fixes where known."""
        components = COMPONENTS[self.system.name]
        lines = [self.line(suite, components)]
        if testing:
            return tuple(lines)
        lines.append(self.line(f"{suite}-updates", components))
        if self.security_uri:
            lines.append(self.line(f"{suite}-security", components, self.security_uri))
        return tuple(lines)


def native_platform() -> str:
    """This machine's platform as docker writes it, such as ``linux/amd64``."""
    machine = platform.machine()
    return _MACHINES.get(machine, f"linux/{machine}")


def system(os_release: str) -> System | None:
    """The distribution that an ``os-release`` file describes; None when it is not ours."""
    pairs = (line.partition("=") for line in os_release.splitlines())
    values = {name: value.strip("\"'") for name, _, value in pairs}
    family = [values.get("ID", ""), *values.get("ID_LIKE", "").split()]
    name = next((known for known in ("ubuntu", "debian") if known in family), None)
    codename = values.get("UBUNTU_CODENAME") or values.get("VERSION_CODENAME", "")
    return System(name, codename) if name else None


def records(index_targets: str) -> Iterator[Mapping[str, str]]:
    """The paragraphs of ``apt-get indextargets``, as mappings."""
    for paragraph in index_targets.split("\n\n"):
        lines = [line.partition(": ") for line in paragraph.splitlines() if ": " in line]
        if lines:
            yield {name: value.strip() for name, _, value in lines}


def archive(index_targets: str, machine: System) -> Archive | None:
    """The distribution's main archive among what apt is configured with; never a third party's."""
    ours = [
        target
        for target in records(index_targets)
        if target.get("Created-By") == "Packages"
        and target.get("Origin", "").lower() == machine.name
        and target.get("Repo-URI", "").startswith(("http://", "https://"))
    ]
    main = [t for t in ours if t.get("Release") == t.get("Codename", t.get("Release"))]
    main = [t for t in main if "-" not in t.get("Release", "-")] or [
        t for t in ours if "-" not in t.get("Release", "-")
    ]
    security = [t for t in ours if t.get("Release", "").endswith("-security")]
    if not main:
        return None
    return Archive(
        machine,
        main[0]["Repo-URI"],
        security[0]["Repo-URI"] if security else None,
        _keyring(main[0].get("Signed-By", ""), machine),
    )


def _keyring(signed_by: str, machine: System) -> str | None:
    """The keyring file: the one configured, otherwise the distribution's own if it is there."""
    if signed_by.startswith("/"):
        return signed_by.split()[0]
    known = KEYRINGS[machine.name]
    return str(known) if known.exists() else None


def options(folder: Path, architecture: str | None = None) -> tuple[str, ...]:
    """apt options that keep everything inside ``folder`` and out of the machine's own state.

    Files are unpacked under folders that only root may enter, so apt's sandbox user is root too.
    """
    settings = {
        "Dir::Etc::SourceList": f"{folder}/sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": f"{folder}/state",
        "Dir::State::Status": f"{folder}/status",
        "Dir::Cache": f"{folder}/cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
    }
    if architecture:
        settings |= {"APT::Architecture": architecture, "APT::Architectures": architecture}
    return tuple(f"-o{name}={value}" for name, value in settings.items())


def update(folder: Path, architecture: str | None) -> tuple[str, ...]:
    """The command that reads the indexes; any that cannot be had makes it fail."""
    return ("apt-get", *options(folder, architecture), "--error-on=any", "-qq", "update")


def download(folder: Path, architecture: str | None, names: Sequence[str]) -> tuple[str, ...]:
    """The command that puts the packages' files into the current folder."""
    return ("apt-get", *options(folder, architecture), "-qq", "download", *names)


def fetch(
    folder: Path,
    lines: Sequence[str],
    names: Sequence[str],
    architecture: str | None = None,
    optional: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Download packages into ``folder`` from the sources ``lines``. Returns their files.

    Raises OutOfReach when an index or a package cannot be had; ``optional`` ones may be unknown.
    """
    for part in ("state/lists/partial", "cache/archives/partial", "packages"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text("\n".join(lines) + "\n")
    packages = folder / "packages"
    _run(update(folder, architecture), packages, "the package indexes")
    known = _known(folder, architecture, optional) if optional else ()
    _run(download(folder, architecture, (*names, *known)), packages, "the packages")
    return tuple(sorted(packages.glob("*.deb")))


def _known(folder: Path, architecture: str | None, names: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` that the indexes hold, from lines like ``crane | 0.20.7-1 | http://…``."""
    command = ("apt-cache", *options(folder, architecture), "madison", *names)
    said = process.read(command, timeout=60, check=False).stdout
    found = {line.partition("|")[0].strip() for line in said.splitlines()}
    return tuple(name for name in names if name in found)


def _run(command: Sequence[str], folder: Path, what: str) -> None:
    """Run apt-get; its options would fill the screen, so an error tells only what apt said."""
    done = process.read(command, cwd=folder, timeout=600, check=False)
    if done.returncode != 0:
        raise OutOfReach(f"apt-get could not fetch {what}: {done.reason()}")


def unpack(packages: Sequence[Path], tree: Path) -> None:
    """Unpack packages without running anything of theirs."""
    tree.mkdir(parents=True, exist_ok=True)
    for package in packages:
        process.read(("dpkg", "--extract", str(package), str(tree)), timeout=120)


def settings(dumped: str) -> tuple[str, ...]:
    """The lines of ``apt-config dump`` that decide how an archive is reached."""
    return tuple(line for line in dumped.splitlines() if _REACHING.match(line))


def validity(lines: Sequence[str]) -> tuple[str, ...]:
    """Those of the ``settings`` that tell how old indexes may be; they hold no secret."""
    return tuple(line for line in lines if "Proxy" not in line and "::Check-" in line)


def configured(machine: System) -> Archive:
    """The main archive that this machine uses. Raises OutOfReach when apt knows none."""
    found = archive(process.read(("apt-get", "indextargets"), timeout=60).stdout, machine)
    if found is None:
        raise OutOfReach(
            f"apt knows no {machine.name} archive over http or https: "
            "add it to the sources and run apt-get update"
        )
    dumped = process.read(("apt-config", "dump", "Acquire"), timeout=60).stdout
    return replace(found, settings=settings(dumped))
