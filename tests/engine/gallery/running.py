"""Flaws that show when an image runs: of the program, of its health check, of whom it runs as."""

from __future__ import annotations

from tests.engine.gallery.exhibit import Exhibit

#: Everything that asks the port.
_ASKED = ("runtime.*", "supply-chain.version", "supply-chain.commit")
#: What else a user 0 is wrong for.
_ROOT = ("identity.*", "filesystem.app-writable")

RUNTIME = (
    Exhibit(
        "no-program",
        "its entrypoint is not in the image",
        "runtime.starts",
        entrypoint=("/gone",),
    ),
    Exhibit(
        "exits",
        "ends with 0 at once",
        "runtime.healthy",
        words=("exits=0",),
    ),
    Exhibit(
        "exits-unchecked",
        "ends with 0 at once, and has no health check to tell",
        "runtime.starts",
        words=("exits=0",),
        health=None,
    ),
    Exhibit(
        "sick",
        "its health path answers 503",
        "runtime.healthy",
        words=("sick",),
        policy={"healthy_seconds": 3},
    ),
    Exhibit(
        "late",
        "healthy only after the limit",
        "runtime.healthy",
        words=("late=6000",),
        policy={"healthy_seconds": 3},
    ),
    Exhibit(
        "always-well",
        "its health check says yes, and the port is dead",
        "runtime.health-path",
        _ASKED,
        words=("mute",),
        health=("/server", "yes"),
    ),
    Exhibit(
        "loopback",
        "listens on the loopback address alone",
        "runtime.health-path",
        _ASKED,
        words=("loopback",),
    ),
    Exhibit(
        "pageless",
        "answers 500 to a visitor",
        "runtime.page",
        ("runtime.burst",),
        words=("pageless",),
    ),
    Exhibit(
        "deaf",
        "ignores SIGTERM",
        "runtime.stops",
        words=("deaf",),
        policy={"stop_seconds": 2},
    ),
    Exhibit(
        "dirty",
        "stops with exit code 3",
        "runtime.stops",
        words=("dirty",),
    ),
    Exhibit(
        "drops",
        "heeds SIGTERM and drops the request in flight",
        "runtime.drains",
        words=("drops",),
    ),
    Exhibit(
        "second-port",
        "listens on a second port",
        "runtime.ports",
        words=("second=9090",),
    ),
    Exhibit(
        "faints",
        "ends soon after it was healthy",
        "runtime.stays",
        # On a busy machine it is gone before it was asked for its version.
        ("runtime.*", "supply-chain.version", "supply-chain.commit"),
        words=("faints=1200",),
        policy={"observe_seconds": 3},
    ),
    Exhibit(
        "mortal",
        "ends after 25 requests",
        "runtime.burst",
        ("runtime.*",),
        words=("mortal=25",),
    ),
    Exhibit(
        "narrow",
        "answers 503 when more than 6 ask at a time",
        "runtime.burst",
        words=("narrow=6",),
    ),
    Exhibit(
        "writes",
        "writes to a path that nobody declared",
        "runtime.writes",
        words=("writes=/data/state",),
        lines=("COPY --chown=65532:65532 page.html /data/state",),
    ),
    Exhibit(
        "logs-to-file",
        "logs to a file",
        "runtime.logs",
        ("runtime.writes",),
        words=("log=/var/log/server.log",),
        lines=("COPY --chown=65532:65532 empty /var/log/server.log",),
    ),
    Exhibit(
        "zombies",
        "waits for none of its children",
        "runtime.zombies",
        words=("zombies",),
    ),
)

IDENTITY = (
    Exhibit("root", "USER 0", "identity.uids", _ROOT, user="0"),
    Exhibit("no-user", "says nothing of a user", "identity.uids", _ROOT, user=None),
    Exhibit(
        "mapped",
        "USER app, whose number is 0",
        "identity.uids",
        _ROOT,
        lines=("COPY passwd-mapped /etc/passwd",),
        user="app",
    ),
    Exhibit(
        "drops-late",
        "its entrypoint drops root, after a second",
        "identity.user",
        (*_ROOT, "runtime.healthy"),
        words=("become=65532", "after=1000"),
        user="0",
    ),
    Exhibit(
        "drops-never",
        "its entrypoint cannot drop root, and goes on",
        "identity.uids",
        _ROOT,
        words=("become=65532", "anyway"),
        user="0",
    ),
    Exhibit(
        "named",
        "USER app: an orchestrator cannot tell that it is not root",
        "identity.user",
        lines=("COPY passwd-named /etc/passwd",),
        user="app",
    ),
    Exhibit(
        "no-password",
        "a user of it has an empty password",
        "identity.accounts",
        lines=("COPY passwd-open /etc/passwd",),
    ),
    Exhibit(
        "same-uid",
        "two users of it have one uid",
        "identity.accounts",
        lines=("COPY passwd-twice /etc/passwd",),
    ),
    Exhibit(
        "shell-first",
        "PID 1 is a shell",
        "identity.init",
        lines=("COPY server /bin/sh",),
        entrypoint=("/bin/sh", "-c", "/server"),
    ),
    Exhibit(
        "npm-first",
        "PID 1 is npm",
        "identity.init",
        lines=("COPY server /usr/bin/npm",),
        entrypoint=("/usr/bin/npm", "start"),
    ),
)
EXHIBITS = (*RUNTIME, *IDENTITY)
