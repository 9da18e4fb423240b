"""Images that nothing is wrong with, however odd some of them are."""

from __future__ import annotations

from tests.engine.gallery.exhibit import Exhibit

_ZSTD = {"output": ["type=docker,compression=zstd,force-compression=true"]}
_STRICT = {"shell_allowed": False, "package_manager_allowed": False}

EXHIBITS = (
    Exhibit("scratch", "a program and two account files", policy=_STRICT),
    Exhibit("debian", "laid out as Debian is, with a shell", lines=("ADD debian.tar /",)),
    Exhibit(
        "distroless",
        "laid out as distroless images are",
        lines=("ADD distroless.tar /",),
        policy=_STRICT,
    ),
    Exhibit(
        "slim",
        "on node:22-bookworm-slim, as it is",
        base="node:22-bookworm-slim",
        user="1000:1000",
    ),
    Exhibit("other-user", "a user that /etc/passwd does not know", user="10001:10001"),
    Exhibit(
        "other-port",
        "another port",
        words=("port=3000",),
        health=("/server", "health", "3000"),
        port=3000,
        policy={"port": 3000},
    ),
    Exhibit(
        "two-ports",
        "a second port that the policy knows",
        words=("second=9090",),
        policy={"other_ports": [9090]},
    ),
    Exhibit("unchecked", "no health check, only a port", health=None),
    Exhibit(
        "worker",
        "no port at all",
        words=("mute",),
        health=None,
        port=None,
        policy={"port": None, "health": None, "page": None},
    ),
    Exhibit("parent", "children that it waits for", words=("children",)),
    Exhibit(
        "scribe",
        "writes to a path that is declared",
        words=("writes=/data/state",),
        policy={"writable": ["/tmp", "/data"]},
    ),
    Exhibit("silent", "logs nothing", words=("silent",)),
    Exhibit(
        "accepted",
        "a setuid program that the policy accepts",
        lines=("COPY --chmod=4755 server /usr/bin/helper",),
        policy={
            "exceptions": [
                {
                    "proof": "filesystem.setuid",
                    "match": "/usr/bin/helper *",
                    "reason": "for this test",
                    "expires": "2126-01-01",
                }
            ]
        },
    ),
    Exhibit(
        "attested",
        "provenance that the policy wants",
        target={"attest": ["type=provenance,mode=max"]},
        policy={"provenance": True},
    ),
    Exhibit("zstd", "layers that are compressed with zstd", target=_ZSTD),
    Exhibit(
        "hard-links",
        "a file with 20 names",
        lines=("ADD hard.tar /",),
        policy={"max_unpacked_mib": 2},
    ),
    Exhibit("odd-names", "names that are not UTF-8", lines=("ADD names.tar /",)),
    Exhibit("many-files", "5,000 files", lines=("ADD many.tar /",)),
    Exhibit(
        "gibibyte",
        "a layer of 1 GiB",
        lines=('RUN ["/server", "grow", "/zeros", "1073741824"]',),
        target=_ZSTD,
    ),
)
