"""What is removed and what is left alone, from lists that a real engine gave."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, cast

import pytest

from tasks.core import cleaning, daemon, process
from tasks.core.cleaning import Item
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.process import Completed
from tasks.core.session import Session

DATA = Path(__file__).parents[1] / "data"
IMAGES = json.loads((DATA / "engine-images.json").read_text())
CONTAINERS = json.loads((DATA / "engine-containers.json").read_text())
PROJECT = "sizetest"


class FakeApi:
    """The engine's lists as they were captured."""

    def containers(self, all: bool) -> Any:
        assert all
        return CONTAINERS

    def images(self, filters: dict[str, str]) -> Any:
        wanted = filters["label"].split("=")[1]
        return [each for each in IMAGES if each["Labels"]["dev.slipway.project"] == wanted]


class FakeClient:
    api = FakeApi()

    def close(self) -> None:
        """Nothing is open."""


class FakeEngine:
    docker = "docker"
    environment: dict[str, str] = {}  # noqa: RUF012 - a stand-in


class FakeSession:
    engine = FakeEngine()

    def __init__(self, project: str, dry: bool) -> None:
        self.dry = dry
        self.settings = type("Settings", (), {"project": project})()


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The commands that were run instead of running them."""
    commands: list[tuple[str, ...]] = []

    def read(argv: tuple[str, ...], **_options: Any) -> Completed:
        commands.append(argv)
        return Completed(argv, 0, "", "", 0.1)

    monkeypatch.setattr(process, "read", read)
    monkeypatch.setattr(daemon, "connect", lambda _engine: FakeClient())
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return commands


def clean(
    *, project: str = PROJECT, dry: bool = False, yes: bool = False, both: bool = True
) -> None:
    session = cast("Session", FakeSession(project, dry))
    cleaning.clean(session, containers=both, images=True, yes=yes)


def item(kind: str = "image", names: tuple[str, ...] = (), **more: Any) -> Item:
    return Item(kind, "sha256:" + "0" * 64, names, "1.0 MiB", 100, **more)


class TestWhatIsOurs:
    def test_only_containers_that_a_run_started(self) -> None:
        """Containers started by hand from our image carry the project's label too."""
        [own] = cleaning.own_containers(CONTAINERS, PROJECT)
        assert own.names == ("sizetest-own",)
        assert cleaning.own_containers(CONTAINERS, "another") == []

    def test_tagged_and_untagged_images(self) -> None:
        found = cleaning.own_images(IMAGES, [], frozenset())
        assert sorted(each.names for each in found) == [
            (),
            ("sizetest/multi:1", "sizetest/multi:two"),
            ("sizetest/run:1",),
            ("sizetest/used:1",),
        ]
        assert all(each.kept is None for each in found)

    def test_an_image_that_a_foreign_container_needs_is_kept_with_the_reason(self) -> None:
        own = frozenset(each.id for each in cleaning.own_containers(CONTAINERS, PROJECT))
        kept = {each.names: each.kept for each in cleaning.own_images(IMAGES, CONTAINERS, own)}
        assert kept["sizetest/used:1",] == "used by container sizetest-foreign"
        assert kept["sizetest/run:1",] == "used by container sizetest-byhand"
        assert kept[()] is None

    def test_an_image_that_only_our_container_needs_goes_with_it(self) -> None:
        ours = [each for each in CONTAINERS if each["Names"] == ["/sizetest-own"]]
        leaving = frozenset(each["Id"] for each in ours)
        assert {each.kept for each in cleaning.own_images(IMAGES, ours, leaving)} == {None}
        staying = cleaning.own_images(IMAGES, ours, frozenset())
        assert "used by container sizetest-own" in {each.kept for each in staying}


class TestCommands:
    def test_a_container_goes_with_its_volumes(self) -> None:
        assert cleaning.remove_command("docker", item("container")) == (
            ("docker", "rm", "--force", "--volumes", "sha256:" + "0" * 64)
        )

    def test_an_image_goes_by_all_of_its_tags(self) -> None:
        assert cleaning.remove_command("docker", item(names=("a:1", "a:2"))) == (
            ("docker", "image", "rm", "a:1", "a:2")
        )

    def test_an_untagged_image_goes_by_its_id(self) -> None:
        assert cleaning.remove_command("docker", item())[-1].startswith("sha256:")

    @pytest.mark.parametrize(
        ("stderr", "gone"),
        [
            ("Error response from daemon: No such image: a:1", True),
            ("Error response from daemon: No such container: 1", True),
            ("Error response from daemon: removal of container 1 is already in progress", True),
            ("Error response from daemon: conflict: unable to delete 1", False),
            ("Error: No such image: a:1\nError: conflict: unable to delete 2", False),
            ("Cannot connect to the Docker daemon", False),
            ("", False),
        ],
    )
    def test_somebody_else_may_be_faster(self, stderr: str, gone: bool) -> None:
        assert cleaning.is_gone(stderr) is gone


class TestClean:
    def test_shows_then_removes_containers_before_images(
        self, ran: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        clean(yes=True)
        assert [command[1] for command in ran] == ["rm", "image", "image"]
        shown = capsys.readouterr().out
        assert "keep: used by container sizetest-foreign" in shown
        assert shown.rstrip().endswith("Removed: 1 container and 2 images.")

    def test_without_a_terminal_it_wants_yes(self, ran: list[tuple[str, ...]]) -> None:
        with pytest.raises(UsageError, match="add --yes"):
            clean()
        assert ran == []

    @pytest.mark.parametrize(
        ("answer", "removes"), [("y", True), ("YES", True), ("", False), ("n", False)]
    )
    def test_asks_on_a_terminal(
        self,
        ran: list[tuple[str, ...]],
        monkeypatch: pytest.MonkeyPatch,
        answer: str,
        removes: bool,
    ) -> None:
        terminal = type("Terminal", (), {"isatty": lambda _: True, "readline": lambda _: answer})
        monkeypatch.setattr("sys.stdin", terminal())
        clean()
        assert bool(ran) is removes

    def test_dry_prints_the_commands_alone_and_runs_none(
        self, ran: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        clean(dry=True)
        printed = capsys.readouterr()
        assert ran == []
        assert all(line.startswith("docker ") for line in printed.out.splitlines())
        assert "sizetest-own" in printed.err

    def test_nothing_to_do_is_said(
        self, ran: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        clean(project="another")
        assert ran == []
        assert capsys.readouterr().out == "Nothing to remove for project another.\n"

    def test_a_refusal_is_an_error_after_the_rest_is_done(
        self, ran: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(argv: tuple[str, ...], **_options: Any) -> Completed:
            ran.append(argv)
            return Completed(argv, 1, "", "Error response from daemon: conflict", 0.1)

        monkeypatch.setattr(process, "read", refuse)
        with pytest.raises(OutOfReach, match=r"docker rm .*conflict \(and 2 more\)"):
            clean(yes=True)
        assert len(ran) == 3


def test_age_has_one_unit() -> None:
    assert [cleaning.age(each) for each in (-5, 59, 60, 7200, 200_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "2 h",
        "2 d",
    ]
