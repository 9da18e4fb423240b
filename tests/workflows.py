"""What the files of CI run: their steps in order, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invoke.vendor.yaml import SafeLoader

ROOT = Path(__file__).parents[1]
PULL_REQUEST = ROOT / ".github/workflows/pull-request.yml"
RELEASE = ROOT / ".github/workflows/release.yml"
GITLAB = ROOT / "docs/examples/gitlab-ci.yml"


@dataclass(frozen=True)
class Step:
    """One step of a job; ``run`` is "" for one that calls an action."""

    job: str
    name: str
    run: str
    uses: str
    options: Mapping[str, Any]
    environment: Mapping[str, str]
    folder: str

    @property
    def commands(self) -> tuple[str, ...]:
        """The lines that it runs."""
        return tuple(line.strip() for line in self.run.splitlines() if line.strip())


def read(path: Path) -> Any:
    """A file of YAML."""
    loader: Any = SafeLoader  # without annotations
    return loader(path.read_text()).get_single_data()


def steps(path: Path, job: str = "") -> tuple[Step, ...]:
    """The steps of a workflow of GitHub's, of one job or of all."""
    jobs = read(path)["jobs"]
    return tuple(
        _step(name, jobs[name].get("env", {}), step)
        for name in jobs
        if job in ("", name)
        for step in jobs[name]["steps"]
    )


def _step(job: str, environment: Mapping[str, str], step: Mapping[str, Any]) -> Step:
    return Step(
        job,
        step["name"],
        step.get("run", ""),
        step.get("uses", ""),
        step.get("with", {}),
        {**environment, **step.get("env", {})},
        step.get("working-directory", "."),
    )


def scripts(path: Path) -> dict[str, tuple[str, ...]]:
    """The lines of `script` of each job of a GitLab file."""
    jobs = read(path)
    return {name: tuple(jobs[name]["script"]) for name in jobs if "script" in jobs[name]}
