"""Bad input and bad luck: one line, the right exit code, no traceback, nothing left behind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.endpoint import Engine
from tests.engine.conftest import PROJECT, run_task, start_task
from tests.engine.relay import Relay, via


def write(name: str, text: str) -> Callable[[Path], None]:
    """A change to the scratch repository."""

    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    return change


def not_text(root: Path) -> None:
    """An ``invoke.yaml`` in no encoding at all."""
    (root / "invoke.yaml").write_bytes(b"\xff\xfe\xff")


def nothing(root: Path) -> None:
    """No change."""


BAKE = "docker-bake.hcl"

#: case: (change, words, environment, exit code, start or part of the line)
CASES: dict[str, tuple[Callable[[Path], None], str, dict[str, str], int, str]] = {
    "unknown task": (nothing, "verfy.production", {}, 2, "No idea what 'verfy.production' is"),
    "unknown option": (nothing, "build.targets app --psh", {}, 2, "No idea what '--psh' is"),
    "missing name": (nothing, "build.targets", {}, 2, "'build.targets' did not receive required"),
    "unknown target": (nothing, "build.targets nope", {}, 2, "failed to find target nope"),
    "empty name": (nothing, "build.targets ,", {}, 2, "names nothing to build"),
    "glob without a match": (
        nothing,
        "report.sizes --target x*",
        {},
        2,
        "--target 'x*' matches no",
    ),
    "unknown format": (nothing, "report.sizes --format xml", {}, 2, "--format 'xml' is not one of"),
    "unknown format, verify": (nothing, "verify.production --format yaml", {}, 2, "'yaml' is not"),
    "unknown severity": (
        nothing,
        "verify.all --severity grave",
        {},
        2,
        "expected one of low, medi",
    ),
    "no jobs": (nothing, "verify.all --jobs 0", {}, 2, "--jobs '0': expected a number from 1 to"),
    "no folder for the output": (nothing, "verify.all --output no/x.xml", {}, 2, "no folder no"),
    "output without a value": (nothing, "verify.all --output", {}, 2, "--output needs a value"),
    "neither image nor archive": (nothing, "verify.image", {}, 2, "needs either --image REF or"),
    "no such archive": (nothing, "verify.image --archive x.tar", {}, 2, "--archive x.tar: no such"),
    "no such image": (nothing, "verify.image --image nobody/has:1", {}, 3, "no image nobody/has:1"),
    "like nothing": (nothing, "verify.image --image a --like x", {}, 2, "--like 'x' is no target"),
    "structure without a file": (nothing, "verify.structure", {}, 2, "needs --config FILE"),
    "no such file of tests": (nothing, "verify.structure --config x.yaml", {}, 2, "x.yaml"),
    "no such bake file": (nothing, "build.print --file x.hcl", {}, 2, "--file x.hcl: no such file"),
    "bake file missing": (
        lambda root: (root / BAKE).unlink(),
        "build.print",
        {},
        2,
        "no bake file",
    ),
    "bake file broken": (write(BAKE, "target {\n"), "build.print", {}, 2, "docker-bake.hcl:"),
    "bake file empty": (write(BAKE, ""), "build.print", {}, 2, "couldn't find a bake definition"),
    "Dockerfile missing": (
        lambda root: (root / "Dockerfile").unlink(),
        "build.targets app",
        {},
        2,
        "Dockerfile",
    ),
    "Dockerfile broken": (
        write("Dockerfile", "FORM x\n"),
        "build.targets app",
        {},
        2,
        "Dockerfile",
    ),
    "stage missing": (
        write(BAKE, 'target "app" {\n target = "nope"\n}\n'),
        "build.targets app",
        {},
        2,
        "nope",
    ),
    "source missing": (
        write("Dockerfile", "FROM scratch\nCOPY nope /\n"),
        "build.targets app",
        {},
        4,
        "COPY nope /",
    ),
    "base of nobody": (
        write("Dockerfile", "FROM slipway.invalid/nope:1\n"),
        "build.targets app",
        {},
        3,
        "slipway.invalid/nope:1",
    ),
    "option without a value": (
        nothing,
        "build.print --target --file",
        {},
        2,
        "--target needs a value",
    ),
    "file option without a value": (
        nothing,
        "build.print --env-file",
        {},
        2,
        "--env-file needs a value",
    ),
    "policy no text": (not_text, "build.print", {}, 2, "invoke.yaml"),
    "policy a list": (write("invoke.yaml", "- a\n"), "build.print", {}, 2, "invoke.yaml: expected"),
    "inline Dockerfile fails": (
        write(
            BAKE,
            'target "app" {\n dockerfile-inline = "FROM node:22-bookworm-slim\\nRUN exit 9"\n}\n',
        ),
        "build.targets app",
        {},
        4,
        "RUN exit 9: exit code: 9",
    ),
    "setting unknown": (
        nothing,
        "engine.settings --set NOPE=1",
        {},
        2,
        "--set: unknown setting NOPE",
    ),
    "setting empty": (
        nothing,
        "engine.settings",
        {"ENGINE": ""},
        2,
        "environment: ENGINE is empty",
    ),
    "setting bad": (
        nothing,
        "build.targets app",
        {"PLATFORMS": "amiga"},
        2,
        "'amiga' is not a platform",
    ),
    "env file missing": (
        nothing,
        "engine.settings --env-file x",
        {},
        2,
        "--env-file x: no such file",
    ),
    "env file malformed": (
        write(".env", "PROJECT=a\n???\n"),
        "engine.settings",
        {},
        2,
        ".env:2: malformed",
    ),
    "profile missing": (
        nothing,
        "engine.settings --profile x",
        {},
        2,
        "profile 'x': no file .env.x",
    ),
    "policy key unknown": (
        write("invoke.yaml", "slipway: {policy: {app: {prot: 1}}}\n"),
        "verify.production",
        {},
        2,
        "prot: unknown key",
    ),
    "policy not YAML": (write("invoke.yaml", "a: [\n"), "build.print", {}, 2, "invoke.yaml:2: "),
    "no engine at DOCKER_HOST": (
        nothing,
        "build.targets app",
        {"DOCKER_HOST": "unix:///nowhere.sock"},
        3,
        "DOCKER_HOST=unix:///nowhere.sock",
    ),
    "no engine of the system": (
        nothing,
        "build.targets app",
        {"ENGINE": "system", "DOCKER_HOST": "unix:///nowhere.sock"},
        3,
        "does not answer",
    ),
    "no image to verify": (nothing, "verify.production --target app", {}, 3, "no image"),
    "no image to measure": (nothing, "report.sizes", {}, 3, "no image to measure"),
    "no testing stage": (nothing, "verify.tests", {}, 2, "no target with the stage 'testing'"),
    "push without a registry": (
        nothing,
        "build.targets app --push",
        {"REGISTRY": ""},
        2,
        "--push needs a registry",
    ),
    "push to another registry": (
        nothing,
        "build.targets app --push",
        {"REGISTRY": "slipway.test"},
        2,
        "is not in REGISTRY",
    ),
    "output not writable": (
        nothing,
        "build.print --output nope/x",
        {},
        2,
        "--output nope/x: there is no folder nope",
    ),
    "clean without yes": (nothing, "clean.images", {}, 0, "Nothing to remove"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_the_right_exit_code(case: str, scratch: Path, engine: Engine) -> None:
    change, words, env, code, expected = CASES[case]
    # A tag of its own: other files build the scratch repository's meanwhile.
    (scratch / "docker-bake.hcl").write_text('target "app" {\n  tags = ["bad-input:1"]\n}\n')
    change(scratch)
    ran = run_task(scratch, *words.split(), env={"PROJECT": f"{PROJECT}-bad", "REGISTRY": ""} | env)
    assert ran.code == code, (ran.out, ran.err)
    assert expected in (ran.said if code else ran.out), (ran.out, ran.err)
    assert "Traceback" not in ran.err + ran.out


def test_two_first_runs_at_once_are_safe(scratch: Path) -> None:
    runs = [
        subprocess.Popen(["./inv", "--version"], cwd=scratch, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=300)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert sum("installing" in text for text in said) == 1


def test_the_engine_goes_away_during_a_build(scratch: Path, engine: Engine) -> None:
    (scratch / "Dockerfile").write_text("FROM node:22-bookworm-slim\nRUN sleep 47\n")
    with Relay(engine.host, scratch / "s") as relay:
        build = start_task(scratch, "build.targets", "app", env=via(engine, relay.host))
        build.wait_until_it_says("sleep 47")
        relay.close()
        ran = build.finish()
    assert ran.code == 3, ran.err
    assert "went away during the build" in ran.said
    assert "Traceback" not in ran.err
