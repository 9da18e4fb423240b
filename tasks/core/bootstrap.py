"""Make ``.venv`` from the locked requirements; run by ``inv`` before anything is installed.

Standard library only. A lock file makes two first runs at once safe: the second one waits and then
finds the work done. The stamp, a copy of the requirements, is written last, so that an interrupted
installation is never taken for a finished one.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

OUT_OF_REACH = 3


def main(root: Path) -> int:
    """Bring ``root/.venv`` up to date. Returns the exit code: 0, or 3 with one line on stderr."""
    problem = bring_up_to_date(root, root / "requirements.txt", make)
    if problem:
        print(f"inv: {problem}", file=sys.stderr)
        return OUT_OF_REACH
    return 0


def bring_up_to_date(
    root: Path, requirements: Path, install: Callable[[Path, Path], str | None]
) -> str | None:
    """Have ``requirements`` in ``root/.venv``. Returns what went wrong, if anything."""
    venv = root / ".venv"
    try:
        with (root / ".venv.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if is_ready(venv, requirements):
                return None
            print(f"slipway: installing {requirements.name} into .venv …", file=sys.stderr)
            return install(venv, requirements)
    except OSError as error:
        return f"cannot write {error.filename}: {error.strerror}"


def is_ready(venv: Path, requirements: Path) -> bool:
    """Whether exactly these requirements are in ``venv`` and its Python still runs."""
    stamp = venv / f"{requirements.stem}.stamp"
    return (
        os.access(venv / "bin" / "python", os.X_OK)
        and stamp.is_file()
        and stamp.read_bytes() == requirements.read_bytes()
    )


def ensure_venv_module() -> str | None:
    """Debian ships ``venv`` and ``pip`` apart from Python: install them as root, else say how."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return None
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    by_hand = f"apt-get install {package}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"this Python has no venv or pip; as root: {by_hand}"
    print(f"slipway: installing {package} …", file=sys.stderr)
    run(["apt-get", "update"])
    done = run(["apt-get", "install", "-y", "--no-install-recommends", package])
    return None if done is None else f"{by_hand} failed: {done}"


def make(venv: Path, requirements: Path) -> str | None:
    """Make the environment anew and install into it. Returns what went wrong, if anything."""
    problem = ensure_venv_module()
    if problem:
        return problem
    problem = run([sys.executable, "-m", "venv", "--clear", str(venv)])
    return f"could not make {venv.name}: {problem}" if problem else add(venv, requirements)


def add(venv: Path, requirements: Path) -> str | None:
    """Install into an environment that is there. Returns what went wrong, if anything."""
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    problem = run([*pip, "install", "--quiet", "--require-hashes", "-r", str(requirements)])
    if problem:
        return f"could not install {requirements.name}: {problem}"
    (venv / f"{requirements.stem}.stamp").write_bytes(requirements.read_bytes())
    return None


def run(command: list[str]) -> str | None:
    """Run a command in silence. Returns the last line it said if it failed."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode == 0:
        return None
    lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
    return lines[-1]


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(130)
