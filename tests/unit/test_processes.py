"""Processes as the kernel records them: here, through a helper, and as `top` tells."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tasks.core.containers import helping, processes, watching
from tasks.core.containers.processes import Process, Sample
from tasks.core.containers.watching import Watch

WHOLE = "         0          0 4294967295\n"
#: As Linux 6.1 wrote it, shortened: Node.js as the first process of a container.
STATUS = """\
Name:\tnode
Umask:\t0022
State:\tS (sleeping)
Tgid:\t4242
Pid:\t4242
PPid:\t4200
Uid:\t1000\t1000\t1000\t1000
Gid:\t1000\t1000\t1000\t1000
NSpid:\t4242\t1
Threads:\t11
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
"""
#: 8000 on all addresses, an established connection, the engine's name server, a debugger.
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1
   1: 020011AC:1F40 010011AC:C350 01 00000000:00000000 00:00000000 00000000  1000        0 2 1
   2: 0B00007F:A9B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1
   3: 0100007F:240D 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4 1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000
"""


def process(pid: int = 7, name: str = "node", uid: int = 1000) -> Process:
    return Process(pid, name, (uid,) * 4, zombie=False)


def changed(**fields: str) -> str:
    lines = [line.partition(":\t") for line in STATUS.splitlines()]
    return "".join(f"{key}:\t{fields.get(key, value)}\n" for key, _, value in lines)


def test_a_status_is_read() -> None:
    found = processes.parse(STATUS, WHOLE, ("node", "/server.js"))
    assert found == Process(
        1, "node", (1000,) * 4, False, (0, 0), 2, True, 4200, ("node", "/server.js")
    )


def test_a_process_that_ended_meanwhile_is_none() -> None:
    assert processes.parse("") is None
    assert processes.parse("Name:\tnode\nState:\tX (dead)\n") is None


def test_rights_and_zombies_are_seen() -> None:
    found = processes.parse(
        changed(State="Z (zombie)", CapEff="00000000a80425fb", NoNewPrivs="0", Seccomp="0")
    )
    assert found is not None
    assert found.zombie
    assert found.capabilities == (0xA80425FB, 0)
    assert (found.seccomp, found.no_new_privileges) == (0, False)


def test_a_name_cannot_steer_the_terminal() -> None:
    found = processes.parse(changed(Name="\x1b[2Jnode"))
    assert found is not None
    assert found.name == "\\x1b[2Jnode"


def test_uids_are_real_effective_saved_and_file_system() -> None:
    assert processes.inner_uids("1\t2\t3\t4", WHOLE) == (1, 2, 3, 4)


def test_root_of_a_rootless_engine_is_root() -> None:
    rootless = "         0       1000          1\n         1     100000      65536\n"
    assert processes.inner_uids("1000 1000 1000 1000", rootless) == (0, 0, 0, 0)
    assert processes.inner_uids("100999 100999 100999 100999", rootless) == (1000,) * 4


def test_remapped_users_are_translated_back() -> None:
    assert processes.inner_uids("165536 165536 165536 165536", "0 165536 65536\n") == (0, 0, 0, 0)


def test_what_listens_but_not_the_engines_name_server() -> None:
    assert processes.listening(TCP, TCP6) == {8000, 9229, 8080}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"node\0/server.js\0", ("node", "/server.js")),
        (b"npm start\0\0\0", ("npm", "start")),
        (b"", ()),
    ],
)
def test_command_lines(content: bytes, words: tuple[str, ...]) -> None:
    assert processes.command_line(content) == words


def test_top_tells_uids_only() -> None:
    row = {"PID": "41", "RUID": "0", "EUID": "1", "SUID": "2", "FUID": "3", "COMMAND": "sh"}
    assert processes.of_top(row) == Process(41, "sh", (0, 1, 2, 3))


class TestHelper:
    def test_its_looks_leave_out_itself_and_its_children(self) -> None:
        helper = changed(Pid="30", NSpid="30", Name="sh")
        sleep = changed(Pid="31", NSpid="31", PPid="30", Name="sleep")
        said = ["noise"]
        for status in (changed(Pid="1", NSpid="1"), helper, sleep):
            said += ["@ status", *status.splitlines()]
        said += ["@ tcp", *TCP.splitlines(), "@ end 30"]
        [first, second] = helping.samples([*said, *said, "@ status", "Name:\tcut"])
        assert first == second
        assert [(one.pid, one.name) for one in first.processes] == [(1, "node")]
        assert first.ports == frozenset({8000, 9229})

    def test_its_words_come_in_any_pieces(self) -> None:
        assert list(helping._lines([b"@ st", b"atus\nName:", b"\tx\n"])) == ["@ status", "Name:\tx"]

    def test_one_that_never_comes_to_an_end_is_given_up(self) -> None:
        assert list(helping.samples(itertools.repeat("@ status"))) == []
        assert list(helping._lines(itertools.repeat(b"x" * 1000))) == []

    def test_it_is_made_of_the_shell_or_of_node(self) -> None:
        config = {"Entrypoint": ["/nodejs/bin/node"], "Cmd": ["server.js"]}
        assert [way[0] for way in helping.ways(config)] == ["/bin/sh", "/nodejs/bin/node"]
        assert [way[0] for way in helping.ways({"Entrypoint": None, "Cmd": ["x"]})] == ["/bin/sh"]


class TestWatch:
    def test_it_remembers_every_state_and_every_port(self) -> None:
        samples = [
            Sample((process(1, uid=0),), frozenset({9229})),
            Sample((process(1),), frozenset({8000})),
            Sample((process(1),), None),
        ]
        seen = Watch(iter(samples))
        seen.follow()
        assert [one.uids[0] for one in seen.seen] == [0, 1000]
        assert seen.ports == frozenset({8000, 9229})
        assert seen.fresh() == ()

    def test_where_ports_are_not_seen_there_are_none(self) -> None:
        seen = Watch(iter([Sample((process(),), None)]))
        seen.follow()
        assert seen.ports is None

    def test_a_runtimes_own_process_is_root_for_a_moment_only(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        becoming = Sample((process(9, "runc:[2:INIT]", 0),), None)
        seen = Watch(iter([becoming, becoming, Sample((process(9),), None)]))
        seen.follow()
        assert [one.name for one in seen.seen] == ["node"]
        monkeypatch.setattr(watching, "_BECOMING_SECONDS", 0.0)
        pretender = Watch(iter([becoming, becoming]))
        pretender.follow()
        assert [one.uids[0] for one in pretender.seen] == [0]


class TestKernelsRecord:
    """A /proc with: the container's first process, its child, a runtime's helper, a stranger."""

    @pytest.fixture
    def proc(self, tmp_path: Path) -> Path:
        def add(pid: int, status: str, group: str) -> None:
            folder = tmp_path / str(pid)
            (folder / "net").mkdir(parents=True)
            (folder / "status").write_text(status)
            (folder / "cgroup").write_text(f"0::/{group}\n")
            (folder / "uid_map").write_text(WHOLE)
            (folder / "cmdline").write_bytes(b"node\0server.js\0")
            (folder / "net/tcp").write_text(TCP)

        add(4242, STATUS, "docker/abc")
        add(4300, changed(Pid="4300", NSpid="4300\t12", Name="sleep"), "docker/abc")
        add(4301, changed(Pid="4301", NSpid="4301", Name="runc", Uid="0 0 0 0"), "docker/abc")
        add(1, changed(Pid="1", NSpid="1", Name="init", Uid="0 0 0 0"), "init.scope")
        return tmp_path

    def test_what_is_in_the_group_and_inside_the_namespace_is_the_containers(
        self, proc: Path
    ) -> None:
        sample = next(watching.from_proc("abc", 4242, proc))
        assert [(one.pid, one.name) for one in sample.processes] == [(1, "node"), (12, "sleep")]
        assert sample.processes[0].argv == ("node", "server.js")
        assert sample.ports == frozenset({8000, 9229})

    @pytest.mark.parametrize(("pace", "again"), [(60.0, None), (0.0, frozenset({8000, 9229}))])
    def test_ports_are_looked_at_at_their_own_pace(
        self,
        proc: Path,
        monkeypatch: pytest.MonkeyPatch,
        pace: float,
        again: frozenset[int] | None,
    ) -> None:
        monkeypatch.setattr(watching, "PORTS_PACE_SECONDS", pace)
        samples = watching.from_proc("abc", 4242, proc)
        assert next(samples).ports == frozenset({8000, 9229})
        second = next(samples)
        assert (second.ports, len(second.processes)) == (again, 2)

    def test_a_container_that_has_ended_has_none(self, proc: Path) -> None:
        assert list(watching.from_proc("abc", 777, proc)) == []
