"""``tasks/`` in somebody else's repository: a two-line Dockerfile, a bake file, nothing more."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.endpoint import Engine
from tests.engine.conftest import Ran, environment

if TYPE_CHECKING:
    from docker import DockerClient


def inv(root: Path, *words: str) -> Ran:
    """As a person would, without the names that the other tests lay over everything."""
    plain = {k: v for k, v in environment().items() if k not in ("PROJECT", "REGISTRY")}
    done = subprocess.run(
        ["./inv", *words],
        cwd=root,
        env=plain,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=600,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_it_builds_reports_and_cleans(scratch: Path, client: DockerClient, engine: Engine) -> None:
    built = inv(scratch, "build.targets", "app")
    assert built.code == 0, built.err
    assert "scratch-app:latest" in built.out
    sizes = inv(scratch, "report.sizes", "--format", "json")
    assert sizes.code == 0, sizes.err
    (image,) = sizes.json()["images"]
    assert (image["target"], image["variant"], image["layers"]) == ("app", "default", 1)
    assert image["reduction_percent"] is None
    assert 0 < image["compressed_bytes"] < image["unpacked_bytes"]
    labels = client.images.get("scratch-app:latest").labels
    assert labels["dev.slipway.project"] == "scratch"
    cleaned = inv(scratch, "clean.all", "--yes")
    assert cleaned.code == 0, cleaned.err
    assert client.images.list(filters={"label": "dev.slipway.project=scratch"}) == []


def test_it_says_what_it_would_do(scratch: Path, client: DockerClient, engine: Engine) -> None:
    dry = inv(scratch, "--dry", "build.targets", "app")
    assert dry.code == 0, dry.err
    assert dry.out.splitlines()[0].endswith("--load app")
    assert "docker-bake.hcl" in dry.out
    assert client.images.list(name="scratch-app") == []


def test_the_whole_pipeline_runs_on_what_there_is(
    scratch: Path, client: DockerClient, engine: Engine
) -> None:
    """No group of that name, no baseline, no testing stage: what is not there is not missed."""
    (scratch / "Dockerfile").rename(scratch / "Dockerfile.multistage")
    (scratch / "Dockerfile.multistage").write_text(
        "FROM node:22-bookworm-slim\nUSER 1000\n"
        'CMD ["node", "-e", "process.on(\'SIGTERM\', () => process.exit()); '
        'setInterval(Date, 9)"]\n'
    )
    lines = (
        'target "app" {',
        'dockerfile = "Dockerfile.multistage"',
        'tags = ["scratch-app:2"]',
        "}",
    )
    (scratch / "docker-bake.hcl").write_text("\n".join(lines))
    ran = inv(scratch, "pipeline")
    assert ran.code == 0, ran.out + ran.err
    assert "nothing to do: no group and no Dockerfile is called baseline" in ran.out
    dry = inv(scratch, "--dry", "pipeline")
    assert dry.code == 0, dry.err
    assert inv(scratch, "clean.all", "--yes").code == 0
    assert client.images.list(filters={"label": "dev.slipway.project=scratch"}) == []


def test_a_variant_that_is_not_there_is_named(scratch: Path, engine: Engine) -> None:
    ran = inv(scratch, "build.multistage")
    assert ran.code == 2
    assert ran.said.startswith("docker-bake.hcl: failed to find target multistage")
