"""Start-up: listing the tasks imports nothing heavy, and the tree has what the README names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = (
    *("docker", "requests", "urllib3", "tabulate", "dotenv", "zstandard", "elftools", "hcl2"),
    *("junitparser", "lark", "regex", "jinja2"),
)


def listed(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", *flags, str(ROOT / "tasks/core/program.py")]
    return subprocess.run(
        [*command, "--search-root", str(ROOT), "--list"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )


def test_listing_imports_nothing_heavy() -> None:
    lines = listed("-X", "importtime").stderr.splitlines()
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "invoke" in imported
    assert imported.isdisjoint(HEAVY)


def test_every_task_says_what_it_does_on_one_line() -> None:
    lines = listed().stdout.strip().splitlines()[2:]
    assert all(len(line) <= 80 for line in lines)
    assert {line.split()[0] for line in lines if line.strip()} >= {
        *("pipeline", "test", "build.multistage", "build.baseline", "build.targets"),
        *("build.print", "verify.production", "verify.tests", "report.sizes", "clean.all"),
        *("engine.status", "engine.up", "engine.down", "engine.settings"),
        *("bases.list", "bases.make", "bases.pin", "bases.outdated", "bases.update"),
        *("bases.mirror", "ci.affected", "clean.images", "clean.containers"),
        *("compare.images", "compare.sizes", "compare.baseline"),
    }
    assert all(len(line.split()) > 1 for line in lines if line.strip())


def test_every_module_can_be_the_first() -> None:
    """Tasks import what they call, so any module may come before those that it goes round with."""
    alone = """
import importlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root))
for path in sorted((root / "tasks" / "core").rglob("*.py")):
    if path.name not in ("program.py", "bootstrap.py", "__init__.py"):
        for name in [name for name in sys.modules if name.startswith("tasks")]:
            del sys.modules[name]
        importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", alone, str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
