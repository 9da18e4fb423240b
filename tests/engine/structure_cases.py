"""Structure tests that cover every feature, each so that it passes and so that it fails."""

from __future__ import annotations

from typing import Any

#: Every feature, as tests that pass and tests that fail; the names are their verdicts.
TESTS: dict[str, list[dict[str, Any]]] = {
    "commandTests": [
        {"name": "no entrypoint", "command": "true"},
        {"name": "fails", "command": "false"},
        {"name": "may fail", "command": "false", "exitCode": 1},
        {"name": "not there", "command": "no-such-command", "exitCode": 127},
        {"name": "user", "command": "id", "args": ["-u"], "expectedOutput": ["^1000\n$"]},
        {"name": "folder", "command": "pwd", "expectedOutput": ["^/srv\n"]},
        {
            "name": "both outputs",
            "command": "sh",
            "args": ["-c", "echo out; echo err >&2; exit 3"],
            "exitCode": 3,
            "expectedOutput": ["^out\n$"],
            "excludedOutput": ["err"],
            "expectedError": ["(?m)^err$"],
            "excludedError": ["out"],
        },
        {"name": "wrong output", "command": "echo", "args": ["a"], "expectedOutput": ["b"]},
        {"name": "excluded", "command": "echo", "args": ["a"], "excludedOutput": ["a"]},
        {
            "name": "global variables",
            "command": "printenv",
            "expectedOutput": ["(?m)^WIDE=/own:/usr", "(?m)^GREETING=hello there$"],
        },
        {
            "name": "own variables are not replaced",
            "command": "printenv",
            "args": ["OWN"],
            "envVars": [{"key": "OWN", "value": "$GREETING!"}],
            "expectedOutput": [r"^\$GREETING!\n"],
        },
        {
            "name": "arguments are",
            "command": "echo",
            "args": ["$GREETING", "${AT}", "$NONE.", "$$", "$WIDE", "$"],
            "expectedOutput": ["^hello there /srv .  /own:.* [$]\n"],
        },
        {
            "name": "setup",
            "setup": [["touch", "/tmp/a"], ["sh", "-c", 'echo "$OWN" >> /tmp/a'], ["false"]],
            "teardown": [["rm", "/tmp/a"]],
            "command": "sh",
            "args": ["-c", "cat /tmp/a; printenv OWN; echo $OWN"],
            "envVars": [{"key": "OWN", "value": "<$GREETING>"}],
            "expectedOutput": [r"^<hello there>\n<\$GREETING>\n"],
        },
        {"name": "setup is gone", "command": "test", "args": ["-e", "/tmp/a"]},
    ],
    "fileExistenceTests": [
        *(
            {"name": f"there {path}", "path": path}
            for path in (
                *("/", "/srv", "/srv/", "srv/page", "/srv/../srv//page", "$AT/page", "/srv/page/"),
                *("/srv/link", "/srv/lost", "/srv/queue", "/srv/hard", "/bin/sh", "/bin/", "/none"),
                *(
                    "/etc/hosts",
                    "/.dockerenv",
                    "/proc",
                    "/sys",
                    "/dev/pts",
                    "/dev/console",
                    "/data",
                ),
                *("/etc/resolv.conf", "/etc/mtab", "/dev/null", "/dev"),
            )
        ),
        *(
            {"name": f"not there {path}", "path": path, "shouldExist": False}
            for path in (
                *("/srv/page", "/srv/lost", "/srv/queue", "/none", "/srv/page/x", "/dev/shm"),
            )
        ),
        *(
            {"name": f"mode {path} {mode}", "path": path, "permissions": mode}
            for path, mode in (
                *(("/srv/page", "-rw-r-----"), ("/srv/page", "-rw-r--r--"), ("/srv", "drwxr-xr-x")),
                *(("/srv/shared", "dtrwxrwxrwx"), ("/srv/shared", "drwxrwxrwt")),
                *(
                    ("/srv/su", "urwxr-xr-x"),
                    ("/srv/link", "Lrwxrwxrwx"),
                    ("/etc/hosts", "-rwxr-xr-x"),
                ),
                *(("/dev/pts", "drwxr-xr-x"), ("/", "drwxr-xr-x"), ("/etc/mtab", "Lrwxrwxrwx")),
            )
        ),
        *(
            {"name": f"by {who} {path}", "path": path, "isExecutableBy": who}
            for path, who in (
                *(("/srv/su", "other"), ("/srv/page", "any"), ("/srv/link", "owner")),
                *(("/srv", "group"), ("/srv/hard", "group")),
            )
        ),
        {"name": "owner", "path": "/srv/page", "uid": 7, "gid": 8},
        {"name": "owner of a link", "path": "/srv/link", "uid": 0},
        {"name": "wrong owner", "path": "/srv/page", "uid": 0},
        {"name": "wrong group", "path": "/srv/page", "gid": 0},
        {"name": "root", "path": "/", "uid": 0, "gid": 0},
    ],
    "fileContentTests": [
        {"name": "content", "path": "/srv/page", "expectedContents": ["^first\nsecond\n$"]},
        {"name": "a line", "path": "/srv/page", "expectedContents": ["^second"]},
        {"name": "excluded content", "path": "/srv/page", "excludedContents": ["third", "s.c"]},
        {"name": "through a link", "path": "/srv/far", "expectedContents": ["first"]},
        {"name": "hard link", "path": "/srv/hard", "expectedContents": ["first"]},
        {"name": "below a link", "path": "/bin/../srv/page", "expectedContents": ["first"]},
        {"name": "release", "path": "/etc/os-release", "expectedContents": ["(?i)debian"]},
        {"name": "folder", "path": "/srv", "excludedContents": ["x"]},
        {"name": "no file", "path": "/none", "excludedContents": ["x"]},
        {"name": "pipe", "path": "/srv/queue", "excludedContents": ["x"]},
        {"name": "bytes", "path": "/srv/bytes", "expectedContents": ["^..$"]},
        {"name": "empty", "path": "/srv/empty", "expectedContents": ["^$"]},
        {"name": "hosts", "path": "/etc/hosts", "expectedContents": ["^$"]},
        {"name": "not replaced", "path": "$AT/page", "expectedContents": ["first"]},
    ],
}
METADATA: dict[str, dict[str, Any]] = {
    "as it is": {
        "envVars": [
            {"key": "EMPTY", "value": ""},
            {"key": "GREETING", "value": "^h.* there$", "isRegex": True},
        ],
        "unboundEnvVars": [{"key": "NONE"}],
        "labels": [{"key": "org.example.version", "value": r"^\d+\.", "isRegex": True}],
        "exposedPorts": ["8080", "53"],
        "unexposedPorts": ["80"],
        "volumes": ["/data"],
        "unmountedVolumes": ["/srv"],
        "entrypoint": ["/bin/false"],
        "cmd": ["node", "main.js"],
        "workdir": "/srv",
        "user": "1000",
    },
    "variable": {"envVars": [{"key": "GREETING", "value": "hello"}]},
    "label": {"labels": [{"key": "none", "value": ""}]},
    "port": {"exposedPorts": ["8080/tcp"]},
    "cmd": {"cmd": []},
    "entrypoint": {"entrypoint": []},
    "user": {"user": "root"},
    "workdir": {"workdir": "/"},
}
LICENSES: dict[str, dict[str, Any]] = {
    "packages": {"debian": True},
    "own": {"debian": False, "files": ["/usr/share/doc/ours/copyright"]},
    "bad": {"debian": False, "files": ["/srv/page", "/usr/share/doc/ours/agpl"]},
}
GLOBAL = {"globalEnvVars": [{"key": "WIDE", "value": "/own:$PATH"}]}
