"""Production cannot be built when one of its checks fails, and the message names the step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.endpoint import Engine
from tests.engine.conftest import copy_repository, run_task

TEST = """
import {{ test, expect }} from "vitest";
test("broken on purpose", () => {{ expect({actual}).toBe(2); }});
"""

BREAKS = {
    "backend lint": ("backend/src/broken.ts", "var unused = 1\n", "npm run lint"),
    "backend types": (
        "backend/src/broken.ts",
        "export const n: number = 'one';\n",
        "npm run type-check",
    ),
    "backend unit test": (
        "backend/test/unit/broken.test.ts",
        TEST.format(actual=1),
        "npm run test",
    ),
    "backend integration test": (
        "backend/test/integration/broken.test.ts",
        TEST.format(actual=1),
        "npm run test:integration",
    ),
    "backend secret": (
        "backend/config/broken.pem",
        "-----BEGIN {} KEY-----\n".format("PRIVATE"),
        "check-release",
    ),
    "frontend lint": ("frontend/src/broken.ts", "var unused = 1\n", "npm run lint"),
    "frontend types": (
        "frontend/src/broken.ts",
        "export const n: number = 'one';\n",
        "npm run type-check",
    ),
    "frontend unit test": ("frontend/src/broken.test.ts", TEST.format(actual=1), "npm run test"),
    "frontend secret": (
        "frontend/public/broken.pem",
        "-----BEGIN {} KEY-----\n".format("PRIVATE"),
        "check:release",
    ),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_check_stops_production(case: str, tmp_path: Path, engine: Engine) -> None:
    name, text, step = BREAKS[case]
    root = copy_repository(tmp_path / "devops")
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    target = f"{case.split()[0]}-production"
    ran = run_task(root, "build.targets", target, env={"REGISTRY": "slipway.gates"})
    assert ran.code == 4, ran.err[-4000:]
    assert ran.said.startswith("the build failed at [")
    assert step in ran.said
    assert "Traceback" not in ran.err
