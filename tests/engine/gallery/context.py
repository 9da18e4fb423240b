"""The folder that all exhibits are built from: the program, account files, and what flaws need."""

from __future__ import annotations

import base64
import gzip
import json
import platform
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.engine.gallery import fakes
from tests.unit import elves, layers

_NATIVE, _FOREIGN = (
    (elves.AARCH64, elves.X86_64)
    if platform.machine() == "aarch64"
    else (elves.X86_64, elves.AARCH64)
)
#: How many files the image of many files has.
MANY = 5000
ROOT = "root:x:0:0:root:/root:/usr/sbin/nologin\n"
USER = "nonroot:x:65532:65532::/nonexistent:/usr/sbin/nologin\n"
#: cap_net_bind_service, as the kernel stores it.
_CAPABILITY = b"\x01\x00\x00\x02\x00\x04\x00\x00" + bytes(12)


def write(folder: Path, server: Path) -> None:
    """Fill ``folder``; ``server`` is the compiled program."""
    folder.mkdir(parents=True)
    shutil.copy2(server, folder / "server")
    texts = {name: text.encode() for name, text in _texts().items()}
    for name, content in {**texts, **_bytes(server.read_bytes()), **_tars()}.items():
        (folder / name).write_bytes(content)


def _texts() -> Mapping[str, str]:
    return {
        "passwd": ROOT + USER,
        "group": "root:x:0:\nnonroot:x:65532:\n",
        "passwd-mapped": f"{ROOT}app:x:0:0::/:/usr/sbin/nologin\n",
        "passwd-named": f"{ROOT}app:x:1000:1000::/:/usr/sbin/nologin\n",
        "passwd-open": ROOT + USER.replace(":x:", "::"),
        "passwd-twice": f"{ROOT}{USER}backup:x:65532:65532::/:/usr/sbin/nologin\n",
        "page.html": "<!doctype html><title>gallery</title>\n",
        "app.js": "export const answer = 42;\n",
        "app.test.js": "it('answers', () => {});\n",
        "app.js.map": '{"version":3,"mappings":""}\n',
        "settings": "LOG_LEVEL=debug\n",
        "head": "ref: refs/heads/main\n",
        "package.json": json.dumps({"dependencies": {}, "devDependencies": {"typescript": "5"}}),
        "os-release-old": _os_release("8", "jessie"),
        "debian-version-old": "8.11\n",
        "key.pem": fakes.PRIVATE_KEY,
        "npmrc": f"//registry.example/:_authToken={fakes.NPM_TOKEN}\n",
        "encoded": base64.b64encode(f"token={fakes.BUILD_SECRET}\n".encode()).decode(),
    }


def _bytes(server: bytes) -> Mapping[str, bytes]:
    return {
        "empty": b"",
        "bulk": fakes.BULK,
        "bulk-again": fakes.BULK[::-1],
        "addon.node": elves.elf(_FOREIGN),
        "cut": server[:40],
        "loaderless": elves.elf(_NATIVE, interpreter="/lib64/ld-gone.so.2"),
        "state.json.gz": gzip.compress(f'{{"id": "{fakes.KEY_ID}"}}\n'.encode(), mtime=0),
    }


def _tars() -> Mapping[str, bytes]:
    """What COPY cannot make, for ADD; parts of systems too, as one layer each."""
    capable = {"SCHILY.xattr.security.capability": _CAPABILITY.decode("latin-1")}
    return {
        "link.tar": layers.layer(layers.folder("app"), layers.link("app/current", "releases/9")),
        "capable.tar": layers.layer(
            layers.file("bin/helper", elves.elf(_NATIVE), 0o755, pax_headers=capable)
        ),
        "hard.tar": layers.layer(
            layers.folder("data"),
            layers.file("data/one", fakes.BULK),
            *(layers.hard_link(f"data/{number}", "data/one") for number in range(20)),
        ),
        "names.tar": layers.layer(*_named(), format_=tarfile.GNU_FORMAT),
        "many.tar": layers.layer(*_many()),
        "debian.tar": layers.layer(*_debian()),
        "distroless.tar": layers.layer(*_distroless()),
    }


def _named() -> Iterator[layers.Member]:
    yield layers.folder("data")
    for raw in (b"latin-\xe9\xe8", b"\xff\xfe", "über ✓".encode(), b"new\nline", b"tab\t;$(x)"):
        yield layers.file(f"data/{raw.decode('utf-8', 'surrogateescape')}", b"text\n")


def _many() -> Iterator[layers.Member]:
    yield layers.folder("data")
    for number in range(MANY):
        if number % 100 == 0:
            yield layers.folder(f"data/{number // 100}")
        yield layers.file(f"data/{number // 100}/{number}.txt", f"{number}\n".encode())


def _debian() -> Iterator[layers.Member]:
    """As Debian lays itself out: merged /usr, links, a shell, sticky /tmp, a package database."""
    for name in ("usr", "usr/bin", "usr/lib", "usr/sbin", "etc", "var", "var/lib", "var/lib/dpkg"):
        yield layers.folder(name)
    for name in ("bin", "lib", "sbin"):
        yield layers.link(name, f"usr/{name}")
    yield layers.folder("tmp", 0o1777)
    yield layers.folder("root", 0o700)
    yield layers.file("etc/os-release", _os_release("13", "trixie").encode())
    yield layers.file("usr/bin/dash", elves.elf(_NATIVE), 0o755)
    yield layers.link("usr/bin/sh", "dash")
    yield layers.file("var/lib/dpkg/status", b"Package: dash\nStatus: install ok installed\n")
    yield layers.link("usr/lib/os-release", "../../etc/os-release")
    yield layers.link("etc/mtab", "/proc/mounts")


def _distroless() -> Iterator[layers.Member]:
    """As distroless images are: no shell, certificates, time zones, a home for nonroot."""
    for name in ("etc", "etc/ssl", "etc/ssl/certs", "home", "usr", "usr/lib", "usr/share"):
        yield layers.folder(name)
    yield layers.folder("home/nonroot", 0o700, uid=65532, gid=65532)
    yield layers.folder("tmp", 0o1777)
    yield layers.file("usr/lib/os-release", _os_release("13", "trixie").encode())
    yield layers.link("etc/os-release", "../usr/lib/os-release")
    yield layers.file("etc/ssl/certs/ca-certificates.crt", b"-----BEGIN CERTIFICATE-----\n")
    yield layers.folder("usr/share/zoneinfo")
    yield layers.file("usr/share/zoneinfo/UTC", b"TZif2")


def _os_release(version: str, codename: str) -> str:
    return (
        f'PRETTY_NAME="Debian GNU/Linux {version} ({codename})"\nNAME="Debian GNU/Linux"\n'
        f'VERSION_ID="{version}"\nVERSION_CODENAME={codename}\nID=debian\n'
    )
