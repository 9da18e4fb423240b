"""Build all exhibits in one call of bake, from a repository that is about them and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.errors import BuildFailed
from tests.engine.conftest import make_scratch
from tests.engine.gallery import compiler, context, exhibit
from tests.engine.gallery.exhibit import Exhibit

BUILD_FILE = "build.json"


def build(engine: Engine, root: Path, exhibits: Sequence[Exhibit], project: str) -> Path:
    """The repository at ``root``, whose bake file and policy have the exhibits; all are built.

    ``project`` is in the name of each image, and its label: see `exhibit.reference`. Raises
    OutOfReach where the program cannot be compiled.
    """
    server = compiler.compiled(root.parent / "compiler")
    make_scratch(root)
    (root / "docker-bake.hcl").unlink()
    context.write(root / "context", server)
    (root / "dockerfiles").mkdir()
    for each in exhibits:
        (root / "dockerfiles" / f"{each.name}.Dockerfile").write_text(exhibit.dockerfile(each))
    (root / BUILD_FILE).write_text(exhibit.build_file(exhibits, project))
    (root / "docker-bake.json").write_text(exhibit.told_file(exhibits, project))
    (root / "invoke.yaml").write_text(exhibit.invoke_yaml(exhibits))
    bake = (engine.docker, "buildx", "bake", "--file", BUILD_FILE, "--progress", "quiet")
    process.read(bake, env=engine.environment, cwd=root, timeout=300, error=BuildFailed)
    return root
