"""The embedded engine's home, daemons and network, as far as they go without starting it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core import process
from tasks.core.errors import OutOfReach
from tasks.core.provision import daemons, embedded, emulation, machine, network, registry, tools
from tasks.core.provision import home as homes
from tasks.core.provision.daemons import Daemon
from tasks.core.provision.home import Home

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000D50A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
slip0\t0000D60A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home", tmp_path / "run")
    homes.prepare(made)
    return made


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def daemon(home: Home, *code: str) -> Daemon:
    return Daemon("it", (sys.executable, "-c", *code), home.record("it"), home.logs / "it.log")


def test_home_is_shared_unless_another_is_named() -> None:
    assert homes.current({}).root == Path("/var/lib/slipway")
    assert homes.current({}).socket == Path("/run/slipway/docker.sock")


def test_a_long_home_still_has_a_short_socket() -> None:
    long = homes.current({"SLIPWAY_HOME": "/" + "x" * 200})
    assert len(str(long.socket)) < 50
    assert long.runtime != homes.current({"SLIPWAY_HOME": "/" + "x" * 201}).runtime


def test_the_configuration_folder_is_private(home: Home) -> None:
    assert home.config.stat().st_mode & 0o777 == 0o700
    assert (home.config / "config.json").stat().st_mode & 0o777 == 0o600


def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutOfReach, match=r"cannot use .*: Not a directory: .*SLIPWAY_HOME"):
        homes.prepare(Home(tmp_path / "file" / "home", tmp_path / "run"))


def test_a_disk_without_room_is_told_before_it_is_full(home: Home) -> None:
    homes.need_room(home, 1)
    with pytest.raises(OutOfReach, match=r"MiB free and 1073741824 MiB are needed: make room"):
        homes.need_room(home, 2**50)


def test_a_workspace_is_gone_afterwards_and_leftovers_are_swept(home: Home) -> None:
    def interrupted() -> None:
        with homes.workspace(home, "bases") as work:
            (work / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(home.work.iterdir()) == []
    (home.work / "bases-killed").mkdir()
    homes.sweep(home, "bases")
    assert list(home.work.iterdir()) == []


def test_nothing_is_removed_through_a_mount(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = home.work / "bases-x"
    (folder / "dev").mkdir(parents=True)
    (folder / "dev/keep").write_text("x")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 2 0:5 / {folder}/dev rw - devtmpfs none rw\n")
    monkeypatch.setattr(homes, "MOUNTS", mounts)
    homes.remove(folder)
    assert (folder / "dev/keep").exists()


def test_the_port_is_remembered_until_somebody_takes_it(home: Home) -> None:
    import socket

    first = homes.port(home)
    assert homes.port(home) == first == homes.remembered_port(home)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert homes.port(home) != first


def test_half_a_state_file_is_no_state(home: Home) -> None:
    (home.root / "state.json").write_text("{")
    assert homes.remembered_port(home) is None


def test_a_daemon_is_started_recorded_and_ended(home: Home) -> None:
    it = daemon(home, "import sys, time; print('up', flush=True); time.sleep(60)")
    daemons.start(it, lambda: "up" in it.log.read_text(), env={}, seconds=10)
    pid = daemons.running(it.record)
    assert pid is not None
    assert os.getsid(pid) == pid, "Ctrl-C here must not reach it"
    assert daemons.stop(it.record, seconds=5)
    assert daemons.running(it.record) is None
    assert not it.record.exists()
    assert not daemons.stop(it.record, seconds=5)


def test_a_daemon_that_ends_at_once_tells_why(home: Home) -> None:
    it = daemon(home, "print('level=error msg=\"no space\"'); print('bye')")
    with pytest.raises(OutOfReach, match=r'it did not start: level=error msg="no space" \(log: '):
        daemons.start(it, lambda: False, env={}, seconds=10)


def test_a_daemon_that_never_gets_ready_is_ended(home: Home) -> None:
    it = daemon(home, "import time; time.sleep(60)")
    with pytest.raises(OutOfReach, match=r"not ready within 0\.2 s"):
        daemons.start(it, lambda: False, env={}, seconds=0.2)
    assert daemons.running(it.record) is None


def test_a_daemon_that_ignores_sigterm_is_killed(home: Home) -> None:
    it = daemon(
        home,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('up', flush=True); time.sleep(60)",
    )
    daemons.start(it, lambda: "up" in it.log.read_text(), env={}, seconds=10)
    assert daemons.stop(it.record, seconds=0.2)
    assert daemons.running(it.record) is None


def test_a_recycled_process_id_is_never_ended(home: Home, sleeper: subprocess.Popen[bytes]) -> None:
    known = daemons.identity(sleeper.pid)
    assert known is not None
    for other in ({"started": known.started - 1}, {"boot": "another"}):
        home.record("it").write_text(json.dumps({**vars(known), **other}))
        assert daemons.running(home.record("it")) is None
        assert not daemons.stop(home.record("it"), seconds=1)
    assert sleeper.poll() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_broken_record_is_nobody(home: Home, content: str) -> None:
    home.record("it").write_text(content)
    assert daemons.running(home.record("it")) is None


def test_other_engines_are_seen(home: Home, sleeper: subprocess.Popen[bytes]) -> None:
    name = Path(f"/proc/{sleeper.pid}/comm").read_text().strip()
    assert sleeper.pid in daemons.others(name, [])
    known = daemons.identity(sleeper.pid)
    assert known is not None
    home.record("it").write_text(json.dumps(vars(known)))
    assert sleeper.pid not in daemons.others(name, [home.record("it")])


def test_engine_configuration(home: Home) -> None:
    settings = embedded.configuration(home, "127.0.0.1:5000", None)
    assert settings["features"] == {"containerd-snapshotter": True}
    assert settings["registry-mirrors"] == ["http://127.0.0.1:5000"]
    assert settings["hosts"] == [f"unix://{home.socket}"]
    assert "iptables" not in settings, "alone on the machine, the engine's own defaults serve"


def test_a_guest_keeps_to_its_own_network(home: Home) -> None:
    guest = network.Guest("slipx", network.CANDIDATES[0])
    settings = embedded.configuration(home, "127.0.0.1:5000", guest)
    assert settings["bridge"] == "slipx"
    assert settings["iptables"] is False
    assert "default-address-pools" not in settings, "they make dockerd remove the other's docker0"
    assert guest.address == "10.213.0.1/24"
    for rule in network.rules(guest):
        assert "slipx" in rule
        command = network.iptables("-D", rule)
        assert command[:5] == ("iptables", "--wait", "10", "-t", rule[0])


def test_a_range_in_use_is_left_alone_but_the_own_one_is_kept() -> None:
    assert str(network.free_range(ROUTES, "slip0")) == "10.214.0.0/16"
    assert str(network.free_range(ROUTES, "other")) == "10.215.0.0/16"


def test_the_registry_listens_on_loopback_only(home: Home) -> None:
    settings = registry.configuration(home, "127.0.0.1:5000")
    assert settings["http"] == {"addr": "127.0.0.1:5000"}


def test_nobody_answers_at_a_stale_socket(home: Home) -> None:
    assert not embedded.answers(home.socket)
    home.socket.touch()
    assert not embedded.answers(home.socket)
    assert not registry.answers("127.0.0.1:1")


def test_down_without_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "none"))
    assert embedded.down() is False
    assert not (tmp_path / "none").exists()


def test_a_tree_without_stamp_is_not_there(home: Home) -> None:
    (home.tools / "usr/bin").mkdir(parents=True)
    assert not tools.are_there(home)
    (home.tools / tools.STAMP).write_text(tools.stamp(["docker.io_28.deb"]))
    assert tools.are_there(home)
    (home.tools / tools.STAMP).write_text("# other packages\n")
    assert not tools.are_there(home), "a newer Slipway may want more"


def test_plugins_are_linked_again_when_they_moved(home: Home) -> None:
    plugins = home.tools / tools.PLUGINS[0]
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").touch()
    (home.config / "cli-plugins").mkdir()
    (home.config / "cli-plugins/docker-buildx").symlink_to("/gone")
    tools.link_plugins(home)
    assert (home.config / "cli-plugins/docker-buildx").readlink() == plugins / "docker-buildx"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("platform", "darwin"), "this is darwin, not Linux"),
        (("os_release", "ID=fedora\n"), "neither Debian nor Ubuntu"),
        (("uid", "1000"), "that needs root"),
    ],
)
def test_unsuitable_machines_say_why_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    facts = {"platform": "linux", "os_release": "ID=debian\n", "uid": "0"} | dict([change])
    (tmp_path / "os-release").write_text(facts["os_release"])
    monkeypatch.setattr(machine, "OS_RELEASE", tmp_path / "os-release")
    monkeypatch.setattr("tasks.core.provision.machine.sys.platform", facts["platform"])
    monkeypatch.setattr("tasks.core.provision.machine.os.geteuid", lambda: int(facts["uid"]))
    monkeypatch.setattr(
        "tasks.core.provision.machine.shutil.which", lambda *_, **__: "/usr/bin/apt-get"
    )
    with pytest.raises(OutOfReach, match=f"{reason}.*install Docker Engine"):
        machine.require()


def test_missing_packages_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.core.provision.machine.shutil.which", lambda name, path: None)
    programs = {"a": "one", "b": "one", "/no/such/file": "two", "/": "three"}
    assert machine.missing(programs) == ("one", "two")


def test_emulation_counts_only_handlers_that_reach_into_containers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(emulation, "BINFMT", tmp_path)
    (tmp_path / "qemu-aarch64").write_text("enabled\ninterpreter /q\nflags: OCF\noffset 0\n")
    (tmp_path / "qemu-arm").write_text("enabled\ninterpreter /q\nflags: OC\noffset 0\n")
    wanted = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v7"]
    assert emulation.missing(wanted, "linux/amd64") == ("linux/arm/v7",)
    (tmp_path / "qemu-aarch64").write_text("disabled\nflags: F\n")
    assert emulation.missing(["linux/arm64"], "linux/amd64") == ("linux/arm64",)


def test_a_platform_without_emulator_is_named() -> None:
    with pytest.raises(OutOfReach, match="linux/s390x cannot be emulated"):
        emulation.ensure_emulation(["linux/s390x"])


def test_programs_run_side_by_side_keep_their_order() -> None:
    codes = ["import sys; print('a'); sys.exit(3)", "print('b')"]
    done = process.together([(sys.executable, "-c", code) for code in codes], at_once=2)
    assert [(one.returncode, one.stdout.strip()) for one in done] == [(3, "a"), (0, "b")]


def test_an_interruption_ends_what_runs_side_by_side(tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    code = (
        "import signal, sys, time, pathlib\n"
        f"def end(*_): pathlib.Path({str(mark)!r}).touch(); sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"pathlib.Path({str(tmp_path / 'up')!r}).touch()\n"
        "time.sleep(30)\n"
    )
    wait = f"while [ ! -e {tmp_path / 'up'} ]; do sleep 0.05; done; kill -TERM {os.getpid()}"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            process.together([(sys.executable, "-c", code), ("sh", "-c", wait)], at_once=2)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert mark.exists(), "what was running was asked to end, and waited for"
