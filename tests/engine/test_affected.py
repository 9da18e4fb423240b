"""`ci.affected` and `--since` on this repository, its bake file resolved by the real bake."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.core import settings
from tasks.core.affected import deciding
from tasks.core.endpoint import Engine
from tasks.core.session import Session
from tests.engine.conftest import copy_repository, run_task

Change = Callable[[Path], object]


def of(*names: str) -> set[str]:
    """backend: production debug … -> backend-production, backend-debug, …"""
    service, *kinds = names
    return {f"{service}-{kind}" for kind in kinds}


BACKEND = of(
    "backend",
    *("baseline", "development", "debug", "testing", "production", "multiarch"),
    *("multiarch-debug", "optimized", "optimized-debug"),
)
FRONTEND = of(
    "frontend",
    *("baseline", "development", "testing", "production", "multiarch", "multiarch-debug"),
    *("optimized", "optimized-debug"),
)
#: What nothing is linted and tested for on its way.
UNPROVEN = of("backend", "multiarch-debug", "optimized-debug")
BAKE = "docker-bake.hcl"


def add(name: str, text: str = "\n") -> Change:
    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        with (root / name).open("a") as file:
            file.write(text)

    return change


def swap(name: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return change


CHANGES: dict[str, tuple[Change, set[str]]] = {
    "nothing": (lambda root: None, set()),
    "a page of the documentation": (add("docs/architecture.md"), set()),
    "the tasks": (add("tasks/build.py"), set()),
    "a policy": (add("invoke.yaml", "# more\n"), set()),
    "a source of the backend": (add("backend/src/app.ts"), BACKEND),
    "a new source of the frontend": (add("frontend/src/new.ts"), FRONTEND),
    "what only checks read": (add("backend/eslint.config.js"), BACKEND - UNPROVEN),
    "what .dockerignore leaves out": (add("backend/src/notes.log"), set()),
    "a comment in the bake file": (add(BAKE, "# more\n"), set()),
    "a comment in a Dockerfile": (add("backend/Dockerfile.optimized", "# more\n"), set()),
    "an instruction of the last stage": (
        swap("backend/Dockerfile.optimized", "EXPOSE", "LABEL a=b\nEXPOSE"),
        of("backend", "optimized"),
    ),
    "one target's own argument": (
        swap(
            BAKE, "args        = { NODE_IMAGE = NODE_FULL_IMAGE }", 'args = { NODE_IMAGE = "x:1" }'
        ),
        of("frontend", "baseline"),
    ),
    "a default in .env.example": (
        swap(".env.example", "REACT_APP_API_URL=/api", "REACT_APP_API_URL=/v2"),
        FRONTEND,
    ),
    "a default that the settings override": (
        swap(
            BAKE, 'variable "VERSION" { default = "0.0.0" }', 'variable "VERSION" { default = "1" }'
        ),
        set(),
    ),
    "platforms": (
        swap(".env.example", "PLATFORMS=linux/amd64,", "PLATFORMS="),
        {"backend-multiarch", "frontend-multiarch"},
    ),
    "a base": (
        swap(
            ".env.example",
            "NGINX_SLIM_IMAGE=nginxinc/nginx-unprivileged:1.30",
            "NGINX_SLIM_IMAGE=x:1",
        ),
        of("frontend", "optimized", "optimized-debug"),
    ),
    "a new target": (
        add(
            BAKE,
            'target "more" {\n  inherits = ["_backend"]\n  dockerfile = "Dockerfile.baseline"\n}\n',
        ),
        {"more"},
    ),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("affected") / "devops")


@pytest.fixture
def clean(root: Path) -> Iterator[Path]:
    yield root
    for words in (("checkout", "--quiet", "."), ("clean", "--quiet", "--force", "-d")):
        subprocess.run(["git", *words], cwd=root, check=True)


@pytest.mark.parametrize("name", CHANGES)
def test_exactly_the_right_targets(name: str, clean: Path, engine: Engine) -> None:
    change, expected = CHANGES[name]
    change(clean)
    session = Session(clean, settings.load(clean, environment={}), (), False, {})
    session.__dict__["engine"] = engine
    assert set(deciding.find(session, "HEAD").targets) == expected


def test_the_tasks_say_it_and_build_no_more(clean: Path, engine: Engine) -> None:
    nothing = run_task(clean, "ci.affected", "--since", "HEAD", "--format", "json")
    assert (nothing.code, nothing.json()["targets"]) == (0, [])
    built = run_task(clean, "build.multistage", "--since", "HEAD")
    assert (built.code, built.out) == (0, "")
    assert built.said.startswith("nothing to build: none of ")
    add("frontend/nginx/nginx.conf", "# more\n")(clean)
    found = run_task(
        clean, "ci.affected", "--since", "HEAD", "--target", "*-optimized", "--format=json"
    )
    assert found.json()["include"] == [
        {"target": "frontend-optimized", "service": "frontend", "variant": "optimized"}
    ]
    dry = run_task(clean, "--dry", "build.multistage", "--since", "HEAD")
    assert dry.out.split()[-2:] == ["--load", "frontend-production"]


def test_a_clone_that_is_too_shallow(clean: Path, tmp_path: Path, engine: Engine) -> None:
    first = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=clean, check=True, capture_output=True, text=True
    ).stdout.strip()
    mine = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    more = tmp_path / "more"
    subprocess.run(["git", "clone", "--quiet", str(clean), str(more)], check=True)
    subprocess.run([*mine, "commit", "--quiet", "--allow-empty", "-m", "x"], cwd=more, check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", more.as_uri(), str(clone)], check=True)
    for task in (("ci.affected",), ("build.multistage",)):
        ran = run_task(clone, *task, "--since", first)
        assert ran.code == 2
        assert "fetch-depth: 0" in ran.said
