"""What is changed in the scratch copy: its sources from run to run, its Dockerfiles once.

Every change of a source is a new one: ``mark`` differs from bench to bench and ``run`` from run to
run, so that no cache has the answer.
"""

from __future__ import annotations

import re
from pathlib import Path

from tasks.core.rebuilds import edits

#: The two sides of one comparison: the same steps, as the target platform and as the builder's own.
EMULATED, CROSS_BUILT = "emulated", "crossbuilt"

#: Texts that a service shows or logs, and that no test is strict about: they reach the bundle, as
#: a comment would not. Each stands on a line of its own.
TEXTS = {
    "backend": (
        ("src/app.ts", "there is nothing at this path"),
        ("src/item-routes.ts", "the list is full: delete an item first"),
        ("src/http-error.ts", "something went wrong here; the log says what"),
        ("src/server.ts", "unexpected failure"),
        ("src/database.ts", "it was made by a newer version of this service"),
    ),
    "frontend": (
        ("src/App.tsx", "What is on the slipway, and what is afloat."),
        ("src/components/ItemList.tsx", "still to do"),
        ("src/components/TokenField.tsx", "Reading needs none; changes do."),
        ("src/components/ItemList.tsx", "Add the first item above."),
        ("src/App.tsx", "Slipway board"),
    ),
}

#: Under emulation tests take long: file, text, and what it becomes so that none runs out of time.
PATIENCE = (
    ("backend/vitest.config.ts", "testTimeout: 60_000,", "testTimeout: 900_000,"),
    ("backend/vitest.config.ts", "hookTimeout: 60_000,", "hookTimeout: 900_000,"),
    ("frontend/vite.config.ts", "testTimeout: 30_000,", "testTimeout: 900_000,"),
    ("frontend/src/test/setup.ts", "import { cleanup }", "import { cleanup, configure }"),
    (
        "frontend/src/test/setup.ts",
        "afterEach(() => {",
        "configure({ asyncUtilTimeout: 300_000 });\n\nafterEach(() => {",
    ),
)

_CACHE = re.compile(r"(--mount=type=cache,id=)([a-z-]+)-\$BUILDARCH")
_INTEGRATION = re.compile(r"^ *--mount=type=bind,from=integration-test,.*\\\n", re.MULTILINE)
_BAKE = """
target "{service}-{side}" {{
  inherits   = ["_{service}-multiarch"]
  dockerfile = "Dockerfile.{side}"
  target     = "runtime"
  platforms  = split(",", PLATFORMS)
  tags       = [image("devops-{service}", "{side}")]
}}
"""


def change_line(root: Path, service: str, run: int, mark: str) -> None:
    """Change one line of the sources of ``service`` in the copy at ``root``."""
    name, text = TEXTS[service][run % len(TEXTS[service])]
    _replace(root / service / name, text, f"{text} ({mark} {run})")


def change_dependency(root: Path, service: str, run: int, mark: str) -> None:
    """Add a development dependency with its lock entry, or take it away if it is there."""
    edits.change_npm(root / service, run, mark)


def prepare(root: Path) -> None:
    """Give the copy at ``root`` emulated targets, patient tests, and every variant its own caches.

    The emulated build shares its caches with the cross-built one, which is what it is compared
    with; the others share none: what one side downloads must not be a gift to the other.
    """
    for name, old, new in PATIENCE:
        _replace(root / name, old, new)
    with (root / "docker-bake.hcl").open("a", encoding="utf-8") as bake:
        for path in sorted(root.glob("*/Dockerfile.multiarch")):
            compared = own_caches(
                without_integration(path.read_text(encoding="utf-8")), "emulation"
            )
            for side, text in ((CROSS_BUILT, compared), (EMULATED, emulated(compared))):
                path.with_name(f"Dockerfile.{side}").write_text(text, encoding="utf-8")
                bake.write(_BAKE.format(service=path.parent.name, side=side))
    for path in root.glob("*/Dockerfile.*"):
        variant = path.suffix.removeprefix(".")
        path.write_text(own_caches(path.read_text(encoding="utf-8"), variant), encoding="utf-8")


def own_caches(text: str, variant: str) -> str:
    """A Dockerfile whose cache mounts are nobody else's: those of real builds are left alone."""
    return _CACHE.sub(rf"\1slipway-bench-{variant}-\2", text)


def without_integration(text: str) -> str:
    """A Dockerfile.multiarch without the integration tests.

    They check time limits of the server, which it cannot keep in QEMU: neither side has them.
    """
    return _INTEGRATION.sub("", text)


def emulated(text: str) -> str:
    """A Dockerfile.multiarch all of whose stages run as the target, as naive ones do."""
    return text.replace("--platform=$BUILDPLATFORM ", "").replace("BUILDARCH", "TARGETARCH")


def _replace(path: Path, old: str, new: str) -> None:
    edits.replace_once(path, old, new, "bench/edits.py")
