"""What a person could say to the peers about each exhibit: the best there is, not the usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.engine.gallery import fakes
from tests.engine.gallery.exhibit import LABELS, REVISION, VERSION, Exhibit

Config = Mapping[str, Any]
_IMAGE = "org.opencontainers.image"
_X86_64 = r"(?s)^.ELF.{14}\x3e"
#: Rules of hadolint on labels are in force only for the labels that it is told of.
HADOLINT_LABELS = (f"{_IMAGE}.title:text", f"{_IMAGE}.created:rfc3339")
#: Exhibits that a rule of the tool is about, whether it then speaks up or not.
_ROOT = ("root", "no-user", "mapped", "drops-late", "drops-never")
_LABELS = ("untitled", "undated", "from-the-future")
_SPOKEN = ("history-argument", "environment-password")
_SECRETS = ("removed-key", "label-token", "gzip-key", "npmrc", "build-secret")
ABOUT: Mapping[str, frozenset[str]] = {
    "hadolint": frozenset((*_ROOT, *_SPOKEN, *_LABELS, "named")),
    "trivy": frozenset((*_ROOT, *_SPOKEN, *_SECRETS)),
}


def _content(path: str, *, wanted: Sequence[str] = (), unwanted: Sequence[str] = ()) -> Config:
    test = {"name": path, "path": path, "expectedContents": wanted, "excludedContents": unwanted}
    return {"fileContentTests": [test]}


def _file(path: str, **demands: Any) -> Config:
    return {"fileExistenceTests": [{"name": path, "path": path, "shouldExist": True, **demands}]}


def _absent(path: str) -> Config:
    return _file(path, shouldExist=False)


def _runs(*words: str) -> Config:
    test = {"name": words[0], "command": words[0], "args": words[1:], "exitCode": 0}
    return {"commandTests": [test]}


def _labelled(name: str, value: str, *, pattern: bool = False) -> Config:
    label = {"key": f"{_IMAGE}.{name}", "value": value, "isRegex": pattern}
    return {"metadataTest": {"labels": [label]}}


_USER: Config = {"metadataTest": {"user": "65532:65532"}}
_ENTRYPOINT: Config = {"metadataTest": {"entrypoint": ["/server"], "cmd": []}}
_PLAIN = "-rwxr-xr-x"
#: For container-structure-test: a config that names the paths that the application is known to
#: have, and those where such a flaw usually lies. What is not here, its schema has no words for.
STRUCTURE: Mapping[str, Config] = {
    "no-program": _file("/gone"),
    "root": _USER,
    "no-user": _USER,
    "drops-late": _USER,
    "drops-never": _USER,
    "mapped": _content("/etc/passwd", wanted=["app:x:[1-9]"]),
    "named": {"metadataTest": {"user": "1000"}},
    "no-password": _content("/etc/passwd", unwanted=["(?m)^[^:]+::"]),
    "same-uid": _content("/etc/passwd", wanted=[r"^(.*\n){2}$"]),
    "shell-first": _ENTRYPOINT,
    "npm-first": _ENTRYPOINT,
    "one-missing": _runs("/server", "yes"),
    "same-twice": _content("/server", unwanted=[_X86_64]),
    "wrong-addon": _content("/app/addon.node", wanted=[_X86_64]),
    "empty-program": _runs("/usr/bin/tool"),
    "cut-program": _runs("/usr/bin/tool"),
    "no-loader": _runs("/usr/bin/tool"),
    "setuid": _file("/usr/bin/helper", permissions=_PLAIN),
    "setgid": _file("/usr/bin/helper", permissions=_PLAIN),
    "capable": _file("/bin/helper", permissions=_PLAIN),
    "own-code": _file("/app/app.js", uid=0),
    "open-to-all": _file("/etc/server.conf", permissions="-rw-r--r--"),
    "shell": _absent("/bin/sh"),
    "package-manager": _absent("/usr/bin/apt-get"),
    "tests-left": _absent("/app/app.test.js"),
    "map-left": _absent("/app/app.js.map"),
    "env-left": _absent("/app/.env"),
    "git-left": _absent("/app/.git"),
    "development-left": _absent("/app/node_modules/typescript"),
    "unknown-owner": _file("/etc/server.conf", uid=0),
    "broken-link": _file("/app/current"),
    "removed-key": _absent("/key.pem"),
    "environment-password": {"metadataTest": {"unboundEnvVars": [{"key": "DATABASE_PASSWORD"}]}},
    "npmrc": _absent("/app/.npmrc"),
    "build-secret": _content("/app/cache.bin", unwanted=[fakes.BUILD_SECRET]),
    "stale-revision": _labelled("revision", REVISION),
    "stale-version": _labelled("version", VERSION),
    "untitled": _labelled("title", ".+", pattern=True),
    "undated": _labelled("created", r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", pattern=True),
    "from-the-future": _labelled("created", r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", pattern=True),
    "past-its-end": _content("/etc/os-release", wanted=['VERSION_ID="(12|13)"']),
}
#: The platform that container-structure-test is run for where it is not the engine's.
PLATFORM: Mapping[str, str] = {"one-missing": "linux/arm64", "same-twice": "linux/arm64"}


def structure(exhibit: Exhibit) -> Config | None:
    """The config for an exhibit; None where it cannot be said. Sound ones: all that is declared."""
    if not exhibit.sound:
        return STRUCTURE.get(exhibit.name)
    labels = [{"key": key, "value": value} for key, value in LABELS.items()]
    metadata = {
        "user": exhibit.user,
        "entrypoint": list(exhibit.entrypoint),
        "exposedPorts": [str(exhibit.port)] if exhibit.port else [],
        "labels": labels,
    }
    return {"metadataTest": metadata, **_runs("/server", "yes")}
