"""Flaws that lie in the image: of its platforms, files, layers and texts."""

from __future__ import annotations

from tests.engine.gallery import fakes
from tests.engine.gallery.exhibit import Exhibit

_PAIR = ("linux/amd64", "linux/arm64")

PLATFORMS = (
    Exhibit(
        "one-missing",
        "an image of one platform where two are promised",
        "platforms.index",
        told={"platforms": list(_PAIR)},
    ),
    Exhibit(
        "same-twice",
        "an index for two platforms, both of which hold the same program",
        "platforms.elf",
        target={"platforms": list(_PAIR)},
    ),
    Exhibit(
        "wrong-addon",
        "a .node file of another architecture in an image that is right",
        "platforms.elf",
        lines=("COPY addon.node /app/addon.node",),
    ),
    Exhibit(
        "empty-program",
        "a program of zero bytes",
        "platforms.elf",
        lines=("COPY --chmod=755 empty /usr/bin/tool",),
    ),
    Exhibit(
        "cut-program",
        "a program whose end is missing",
        "platforms.elf",
        lines=("COPY --chmod=755 cut /usr/bin/tool",),
    ),
    Exhibit(
        "no-loader",
        "a program whose interpreter is missing",
        "platforms.interpreter",
        lines=("COPY --chmod=755 loaderless /usr/bin/tool",),
    ),
    Exhibit(
        "strange-arch",
        "reports another architecture than the image's",
        "platforms.reported",
        words=("arch",),
    ),
)

FILES = (
    Exhibit(
        "setuid",
        "a setuid program: whoever gets in becomes root",
        "filesystem.setuid",
        lines=("COPY --chmod=4755 server /usr/bin/helper",),
    ),
    Exhibit(
        "setgid",
        "a setgid program",
        "filesystem.setuid",
        lines=("COPY --chmod=2755 server /usr/bin/helper",),
    ),
    Exhibit(
        "capable",
        "a program with file capabilities",
        "filesystem.setuid",
        lines=("ADD capable.tar /",),
    ),
    Exhibit(
        "own-code",
        "the runtime user may change the application",
        "filesystem.app-writable",
        lines=("COPY --chown=65532:65532 app.js /app/app.js",),
    ),
    Exhibit(
        "open-to-all",
        "a file that everybody may change",
        "filesystem.world-writable",
        lines=("COPY --chmod=666 settings /etc/server.conf",),
    ),
    Exhibit(
        "shell",
        "a shell where the policy wants none",
        "filesystem.shell",
        lines=("COPY server /bin/sh",),
        policy={"shell_allowed": False},
    ),
    Exhibit(
        "package-manager",
        "a package manager where the policy wants none",
        "filesystem.package-manager",
        lines=("COPY server /usr/bin/apt-get",),
        policy={"package_manager_allowed": False},
    ),
    Exhibit(
        "tests-left",
        "a test of the application",
        "filesystem.leftovers",
        lines=("COPY app.test.js /app/app.test.js",),
    ),
    Exhibit(
        "map-left",
        "a source map",
        "filesystem.leftovers",
        lines=("COPY app.js.map /app/app.js.map",),
    ),
    Exhibit(
        "env-left",
        "a .env file",
        "filesystem.leftovers",
        lines=("COPY settings /app/.env",),
    ),
    Exhibit(
        "git-left",
        "a .git folder",
        "filesystem.leftovers",
        lines=("COPY head /app/.git/HEAD",),
    ),
    Exhibit(
        "development-left",
        "a package that package.json names for development",
        "filesystem.leftovers",
        lines=(
            "COPY package.json /app/package.json",
            "COPY app.js /app/node_modules/typescript/index.js",
        ),
    ),
    Exhibit(
        "unknown-owner",
        "a file of a user whom the image does not know",
        "filesystem.owners",
        lines=("COPY --chown=4711 settings /etc/server.conf",),
    ),
    Exhibit(
        "broken-link",
        "a link that leads nowhere",
        "filesystem.links",
        lines=("ADD link.tar /",),
    ),
)

SECRETS = (
    Exhibit(
        "removed-key",
        "a private key in one layer, removed in the next",
        "secrets.private-keys",
        lines=("COPY key.pem /key.pem", 'RUN ["/server", "remove", "/key.pem"]'),
    ),
    Exhibit(
        "label-token",
        "a token in a label",
        "secrets.tokens",
        labels={"dev.example.source": f"https://{fakes.TOKEN}@git.example/app"},
    ),
    Exhibit(
        "history-argument",
        "a password in the history, by ARG",
        "secrets.variables",
        lines=(
            "ARG DATABASE_PASSWORD",
            "COPY empty /gone",
            'RUN ["/server", "remove", "/gone"]',
        ),
        target={"args": {"DATABASE_PASSWORD": fakes.PASSWORD}},
    ),
    Exhibit(
        "environment-password",
        "a password in the environment",
        "secrets.variables",
        lines=(f"ENV DATABASE_PASSWORD={fakes.PASSWORD}",),
    ),
    Exhibit(
        "gzip-key",
        "a cloud key in a gzip file",
        "secrets.cloud-keys",
        lines=("COPY state.json.gz /data/state.json.gz",),
    ),
    Exhibit(
        "npmrc",
        "a login to a package registry",
        "secrets.npmrc",
        lines=("COPY npmrc /app/.npmrc",),
    ),
    Exhibit(
        "build-secret",
        "a secret that the build was given, in base64",
        "secrets.values",
        lines=("COPY encoded /app/cache.bin",),
        target={"secret": [f"type=env,id=gallery,env={fakes.VARIABLE}"]},
    ),
)
EXHIBITS = (*PLATFORMS, *FILES, *SECRETS)
