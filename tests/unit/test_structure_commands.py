"""Structure tests of commands: what is started with which variables, and what is removed again."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from docker.types import CancellableStream

from tasks.core.containers.sandbox import Run
from tasks.core.errors import UsageError
from tasks.core.structure import commands, reading
from tasks.core.structure.commands import Ended, Place, Start
from tasks.core.structure.config import CommandTest, Config

PLACE = Place("app", "app:1", "linux/amd64", {"PATH": "/bin", "HOME": "/root"})


@dataclass
class Container:
    """Says ``stdout`` and ends with ``code``."""

    id: str
    stdout: bytes
    code: int
    attrs: Mapping[str, Any] = field(default_factory=lambda: {"State": {"OOMKilled": False}})
    killed: bool = False

    def start(self) -> None:
        pass

    def reload(self) -> None:
        pass

    def kill(self) -> None:
        self.killed = True

    def wait(self, timeout: float) -> dict[str, int]:
        return {"StatusCode": self.code}

    def logs(self, stdout: bool, stderr: bool, stream: bool, follow: bool) -> Any:
        pieces = iter([self.stdout if stdout else b""])
        answer = requests.Response()
        answer.raw = io.BytesIO()
        answer.raw.close()
        return CancellableStream(pieces, answer)


class Engine:
    """Notes which containers are made, and which images are made and removed."""

    def __init__(self, stdout: bytes = b"", code: int = 0) -> None:
        self.made: list[tuple[str, Mapping[str, Any]]] = []
        self.images: list[str] = []
        self.committed = 0
        self.client = self.api = self
        self._ended = (stdout, code)

    @contextmanager
    def container(self, target: str, image: str, options: Mapping[str, Any]) -> Iterator[Container]:
        self.made.append((image, options))
        yield Container(f"c{len(self.made)}", *self._ended)

    def commit(self, container_id: str) -> dict[str, str]:
        self.committed += 1
        self.images.append(f"sha256:{container_id}")
        return {"Id": self.images[-1]}

    def remove_image(self, image: str, force: bool) -> None:
        self.images.remove(image)

    def environments(self) -> list[Sequence[str]]:
        return [options["environment"] for _, options in self.made]


def config(text: str) -> Config:
    return reading.parse(f"schemaVersion: 2.0.0\n{text}".encode(), "t.yaml")


def problems(engine: Engine, text: str, started: Start | None = None) -> list[str]:
    given = config(text)
    (test,) = given.commands
    begin = started or commands.start(given, {})
    return list(commands.problems(cast(Run, engine), PLACE, given, begin, test))


def test_a_command_has_no_entrypoint_its_platform_and_limits() -> None:
    engine = Engine()
    assert problems(engine, "commandTests: [{name: n, command: ls, args: [$HOME, '']}]") == []
    ((image, options),) = engine.made
    assert image == "app:1"
    assert options["entrypoint"] == [""]
    assert options["command"] == ["ls", "/root", ""]
    assert options["platform"] == "linux/amd64"
    assert options["mem_limit"] == "2048m"
    assert "read_only" not in options


def test_variables_without_setup_are_as_they_are_written() -> None:
    engine = Engine()
    problems(
        engine,
        "globalEnvVars: [{key: PATH, value: '/own:$PATH'}, {key: G, value: '$PATH'}]\n"
        "commandTests: [{name: n, command: $PATH, args: [$A], envVars: [{key: A, value: $HOME}]}]",
    )
    assert engine.environments() == [["PATH=/own:/bin", "G=/bin", "A=$HOME"]]
    assert engine.made[0][1]["command"] == ["/own:/bin", ""]


def test_setup_commands_change_the_image_and_leave_none() -> None:
    engine = Engine()
    problems(
        engine,
        "commandTests: [{name: n, setup: [[touch, $HOME], [b]], teardown: [[never]], command: $A,"
        " envVars: [{key: A, value: $HOME/x}]}]",
    )
    assert [(image, options["command"]) for image, options in engine.made] == [
        ("app:1", ["touch", "$HOME"]),
        ("sha256:c1", ["b"]),
        ("sha256:c2", ["/root/x"]),
    ]
    assert engine.environments() == [["A=/root/x"], ["A=/root/x"], ["A=$HOME/x"]]
    assert (engine.committed, engine.images) == (2, [])


def test_what_goes_wrong_after_setup_leaves_no_image() -> None:
    class Broken(Engine):
        @contextmanager
        def container(
            self, target: str, image: str, options: Mapping[str, Any]
        ) -> Iterator[Container]:
            if image != "app:1":
                raise KeyboardInterrupt
            with super().container(target, image, options) as made:
                yield made

    engine = Broken()
    with pytest.raises(KeyboardInterrupt):
        problems(engine, "commandTests: [{name: n, setup: [[a]], command: b}]")
    assert (engine.committed, engine.images) == (1, [])


RUN_OPTIONS = """
containerRunOptions:
  user: root
  privileged: true
  capabilities: [NET_ADMIN]
  bindMounts: ["/a:/b"]
"""


class TestRunOptions:
    def test_they_are_the_engines(self) -> None:
        started = commands.start(config(f"commandTests: [{{name: n, command: c}}]{RUN_OPTIONS}"))
        assert started.options == {
            "user": "root",
            "privileged": True,
            "cap_add": ["NET_ADMIN"],
            "volumes": ["/a:/b"],
        }

    def test_a_tests_own_variables_then_hold_for_its_setup_only(self) -> None:
        engine = Engine()
        problems(
            engine,
            "commandTests: [{name: n, setup: [[s]], command: c, envVars: [{key: A, value: 1}]},]"
            + RUN_OPTIONS,
        )
        assert engine.environments() == [["A=1"], ["A=1"]]
        engine = Engine()
        problems(
            engine,
            "commandTests: [{name: n, command: c, envVars: [{key: A, value: 1}]}]" + RUN_OPTIONS,
        )
        assert engine.environments() == [[]]

    def test_variables_of_ours_and_of_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "own.env").write_text("FILE='from a file'\nBOTH=1\nNONE=\n")
        given = config(
            "commandTests: [{name: n, command: c}]\n"
            f"containerRunOptions: {{envVars: [TOKEN, BOTH], envFile: {tmp_path}/own.env}}"
        )
        started = commands.start(given, {"TOKEN": "hidden value", "BOTH": "2", "OTHER": "3"})
        assert started.variables == {
            "FILE": "from a file",
            "BOTH": "2",
            "TOKEN": "hidden value",
        }
        assert "hidden value" not in repr(started)

    def test_one_that_is_not_set(self) -> None:
        given = config(
            "commandTests: [{name: n, command: c}]\ncontainerRunOptions: {envVars: [TOKEN]}"
        )
        with pytest.raises(UsageError, match=r"^t.yaml: .*envVars: TOKEN is not set: export it"):
            commands.start(given, {"TOKEN": ""})

    def test_a_file_that_is_not_there(self) -> None:
        given = config(
            "commandTests: [{name: n, command: c}]\ncontainerRunOptions: {envFile: /none.env}"
        )
        with pytest.raises(UsageError, match=r"none\.env"):
            commands.start(given, {})

    def test_their_values_are_not_shown(self) -> None:
        engine = Engine(b"TOKEN=hidden value\n")
        (problem,) = problems(
            engine,
            "commandTests: [{name: n, command: env, expectedOutput: [x]}]",
            Start({}, {"TOKEN": "hidden value"}),
        )
        assert problem == "stdout has no match for 'x': it said 'TOKEN=••••••'"


class TestJudging:
    def judge(self, test: CommandTest, ended: Ended) -> list[str]:
        return list(commands.judged(ended, test))

    def test_all_of_it(self) -> None:
        test = CommandTest("n", ("c",), (), (), 3, ("^out\n$",), ("err",), ("err",), ("out",))
        assert self.judge(test, Ended(3, b"out\n", b"an err\n")) == []
        assert self.judge(test, Ended(0, b"an err\n", b"out\n")) == [
            "stderr has no match for 'err': it said 'out'",
            "stderr has a match for 'out': it said 'out'",
            "stdout has no match for '^out\\n$': it said 'an err'",
            "stdout has a match for 'err': it said 'an err'",
            "exit 0, not 3: it said 'out'",
        ]

    def test_nothing_was_said(self) -> None:
        test = CommandTest("n", ("c",), expected_output=("x",))
        assert self.judge(test, Ended(1, b"", b"")) == [
            "stdout has no match for 'x': it said nothing",
            "exit 1, not 0",
        ]

    def test_what_steers_a_terminal_is_not_shown(self) -> None:
        (problem,) = self.judge(CommandTest("n", ("c",)), Ended(1, b"", b"\x1b[2J\xff boo\n"))
        assert problem.isprintable()

    def test_a_command_that_was_cut_short_says_only_that(self) -> None:
        ended = Ended(137, b"", b"", "it needs more than 2048 MiB of memory")
        assert self.judge(CommandTest("n", ("c",)), ended) == [ended.trouble]


def test_more_output_than_is_looked_at_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MAX_OUTPUT_BYTES", 2**20)
    engine = Engine(b"x" * (2**20 + 1))
    assert problems(engine, "commandTests: [{name: n, command: yes}]") == [
        "it says more than 1 MiB"
    ]
