"""What is known before a start, and what is made of what a running container shows."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tasks.core.containers.processes import Process
from tasks.core.proofs import answering, burst, identity, living, readiness, stopping, twin
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.readiness import Readiness
from tasks.core.proofs.subject import Answer, Subject, fetch
from tasks.core.proofs.twin import Traces
from tasks.core.proofs.verdicts import Status, Verdict

HEALTHY_STATE = {"Running": True, "StartedAt": "1", "Health": {"Status": "healthy"}}
SERVER = Process(1, "node", (1000,) * 4, False, (0, 0), 2, True)


def subject(platform: str = "linux/amd64", **config: Any) -> Subject:
    return Subject("app", "app:1", platform, config, Policy())


def demanding(**policy: Any) -> Subject:
    return replace(subject(), policy=Policy(**policy))


@pytest.mark.parametrize(
    ("exposed", "port"),
    [
        ({"8000/tcp": {}}, 8000),
        ({"8000/tcp": {}, "53/udp": {}}, 8000),
        ({"8000/tcp": {}, "9229/tcp": {}}, None),
        ({"8000-8010/tcp": {}}, None),
        ({"x/tcp": {}}, None),
        (None, None),
    ],
)
def test_the_only_tcp_port_is_asked(exposed: Any, port: int | None) -> None:
    assert subject(ExposedPorts=exposed).port == port


@pytest.mark.parametrize(
    ("platform", "said", "status"),
    [
        ("linux/arm64", "aarch64", Status.PASSED),
        ("linux/arm/v7", "arm", Status.PASSED),
        ("linux/arm64", "x64", Status.FAILED),
        ("linux/mips64le", "mips64el", Status.SKIPPED),
    ],
)
def test_the_architecture_that_it_reports(platform: str, said: str, status: Status) -> None:
    assert answering.reported(subject(platform), said).status is status


class TestReadiness:
    @pytest.mark.parametrize(
        ("config", "command"),
        [
            ({}, []),
            ({"Healthcheck": None}, []),
            ({"Healthcheck": {"Test": ["NONE"]}}, []),
            ({"Healthcheck": {"Test": ["CMD", "node", "x"]}}, ["node", "x"]),
            ({"Healthcheck": {"Test": ["CMD-SHELL", "a | b"]}}, ["/bin/sh", "-c", "a | b"]),
            (
                {"Healthcheck": {"Test": ["CMD-SHELL", "a"]}, "Shell": ["bash", "-ec"]},
                ["bash", "-ec", "a"],
            ),
        ],
    )
    def test_the_health_check_is_run_as_the_engine_does(
        self, config: dict[str, Any], command: list[str]
    ) -> None:
        assert readiness.command(config) == command

    def test_it_is_ready_when_all_that_could_be_asked_says_so(self) -> None:
        ready = Readiness(answered=0.4, healthy=0.6)
        assert str(ready) == "healthy after 0.60 s, answered after 0.40 s"
        assert ready.seconds == 0.6
        assert Readiness().seconds is None

    def test_the_budget_is_for_that(self) -> None:
        slow = Readiness(answered=2.0)
        assert readiness.prove_startup(subject(), slow).status is Status.SKIPPED
        assert readiness.prove_startup(subject(), slow).measured == "2.00 s"
        strict = demanding(max_startup_seconds=1)
        assert readiness.prove_startup(strict, slow).status is Status.FAILED
        emulated = replace(strict, slowness=10)
        assert readiness.prove_startup(emulated, slow).status is Status.PASSED


class TestBurst:
    def test_answers_below_500_are_fine(self) -> None:
        assert burst.judge([Answer(200, b""), Answer(404, b""), Answer(429, b"")], "/", 10) == []

    def test_bad_ones_are_counted_by_kind(self) -> None:
        answers = [Answer(503, b""), Answer(0, b"reset"), Answer(503, b""), None]
        assert burst.judge(answers, "/x", 10) == [
            "GET /x: HTTP 503, 2 times",
            "GET /x: reset, 1 times",
            "GET /x: 1 of 4 not even sent after 10 s",
        ]


class TestLiving:
    @pytest.mark.parametrize(
        ("now", "problems"),
        [
            ({}, []),
            ({"Health": {"Status": "starting"}}, []),
            ({"Health": {"Status": "unhealthy"}}, ["the engine's health check says unhealthy"]),
            ({"Running": False, "ExitCode": 3}, ["exited with 3"]),
            ({"StartedAt": "2"}, ["was restarted"]),
            ({"OOMKilled": True}, ["a process was killed for lack of memory"]),
        ],
    )
    def test_what_must_not_change(self, now: dict[str, Any], problems: list[str]) -> None:
        assert living.changes(HEALTHY_STATE, HEALTHY_STATE | now) == problems

    @pytest.mark.parametrize(
        ("listening", "problems"),
        [
            ({8000}, ()),
            ({8000, 9090}, ()),
            (set(), ()),
            ({8000, 9229}, ("port 9229 listens",)),
        ],
    )
    def test_only_the_ports_of_the_policy_may_listen(
        self, listening: set[int], problems: tuple[str, ...]
    ) -> None:
        wanted = demanding(port=8000, other_ports=(9090,))
        assert living.prove_ports(wanted, frozenset(listening)).findings == problems

    def test_without_a_policy_the_exposed_ones_may(self) -> None:
        exposing = subject(ExposedPorts={"80/tcp": {}, "443/tcp": {}})
        assert living.prove_ports(exposing, frozenset({80, 443})).status is Status.PASSED
        assert living.prove_ports(subject(), frozenset({80})).status is Status.FAILED
        assert living.prove_ports(subject(), None).status is Status.SKIPPED

    def test_memory_is_without_what_can_be_given_back(self) -> None:
        v2 = {"usage": 30 * 2**20, "stats": {"inactive_file": 10 * 2**20}}
        v1 = {"usage": 30 * 2**20, "stats": {"total_inactive_file": 10 * 2**20}}
        assert living.used_bytes(v2) == living.used_bytes(v1) == 20 * 2**20
        assert living.used_bytes({}) is None

    def test_the_budget_for_memory(self) -> None:
        used = 20 * 2**20
        assert living.prove_memory(demanding(max_idle_mib=20), used).status is Status.PASSED
        failed = living.prove_memory(demanding(max_idle_mib=19.5), used)
        assert failed.message == "20.0 MiB when idle, allowed are 19.5 MiB"
        assert living.prove_memory(demanding(), used).measured == "20.0 MiB"


class TestTwin:
    #: As the engine told them, of nginx on a writable root: folders above count as changed.
    CHANGED = (
        ("/etc", 0),
        ("/etc/hosts", 1),
        ("/var", 0),
        ("/var/cache", 0),
        ("/var/cache/nginx", 0),
        ("/var/cache/nginx/client_temp", 1),
        ("/var/cache-old", 2),
        ("/tmp", 0),
        ("/data/new", 1),
        ("/srv", 1),
    )

    def test_only_what_is_not_meant_to_be_written_counts(self) -> None:
        keeping = subject(Volumes={"/data": {}}, WorkingDir="/srv")
        assert twin.stray(keeping, self.CHANGED) == [
            "/var/cache/nginx/client_temp is added",
            "/var/cache-old is removed",
        ]

    def test_log_files_are_found_in_memory_too(self) -> None:
        traces = Traces((("/var/log/nginx/access", 0), ("/old.log", 2)), ("/tmp/app.log", "/tmp/x"))
        assert twin.log_files(traces) == [
            "/tmp/app.log is a log file",
            "/var/log/nginx/access is a log file",
        ]

    def logs(self, traces: Traces, logged: bool) -> Verdict:
        return list(twin.prove(subject(), traces, logged))[1]

    def test_silence_is_no_failure(self) -> None:
        assert self.logs(Traces(), True).status is Status.PASSED
        assert self.logs(Traces(), False).status is Status.SKIPPED
        assert self.logs(Traces(written=("/tmp/a.log",)), True).status is Status.FAILED

    def test_a_twin_that_does_not_start_says_nothing(self) -> None:
        [writes, _] = twin.prove(subject(), Traces(reason="the twin did not get ready"), True)
        assert writes.status is Status.SKIPPED


class TestIdentity:
    def failing(self, *seen: Process, filters: bool = True) -> dict[str, tuple[str, ...]]:
        verdicts = identity.prove(subject(), seen, seen, filters)
        return {one.proof: one.findings for one in verdicts if one.status is Status.FAILED}

    def test_a_sound_process_passes(self) -> None:
        assert self.failing(SERVER) == {}

    def test_any_of_the_four_uids_counts_at_any_time(self) -> None:
        saved = replace(SERVER, pid=9, name="sh", uids=(1000, 1000, 0, 1000))
        assert self.failing(SERVER, saved, saved) == {
            "identity.uids": ("sh (process 9) has the uids 1000 1000 0 1000",)
        }

    def test_nothing_seen_is_not_nobody_is_root(self) -> None:
        assert self.failing() == {"identity.uids": ("no process was seen",)}

    def test_rights_are_told_apart(self) -> None:
        free = replace(SERVER, capabilities=(0, 0x20), seccomp=0, no_new_privileges=False)
        assert self.failing(free) == {
            "identity.capabilities": ("node (process 1) has the capabilities 0, permitted 20",),
            "identity.seccomp": ("node (process 1) has seccomp in mode 0",),
            "identity.no-new-privileges": ("node (process 1) may gain privileges",),
        }
        assert "identity.seccomp" not in self.failing(free, filters=False)

    def test_what_top_does_not_tell_is_skipped(self) -> None:
        verdicts = identity.prove(subject(), [Process(1, "x", (1,) * 4)], [], True)
        statuses = [one.status for one in verdicts]
        assert statuses == [Status.PASSED, Status.SKIPPED, Status.SKIPPED, Status.SKIPPED]

    @pytest.mark.parametrize(
        ("words", "status"),
        [
            (["node", "server.js"], Status.PASSED),
            (["/usr/bin/dumb-init", "--", "node", "npm"], Status.PASSED),
            (["nginx:", "master", "process"], Status.PASSED),
            (["/bin/sh", "/start.sh"], Status.FAILED),
            (["-bash"], Status.FAILED),
            (["npm", "start"], Status.FAILED),
            (["node", "/usr/local/bin/yarn", "start"], Status.FAILED),
            (["/usr/bin/qemu-aarch64-static", "/bin/sh", "-c", "x"], Status.FAILED),
            (["/usr/bin/qemu-aarch64-static", "/usr/bin/node", "node", "x"], Status.PASSED),
            (["/usr/libexec/qemu-binfmt/arm-binfmt-P", "/bin/sh", "sh", "x"], Status.FAILED),
            ([], Status.SKIPPED),
            (["/bin/busybox", "sh", "-c", "x"], Status.FAILED),
            (["/bin/busybox", "httpd", "-f"], Status.PASSED),
        ],
    )
    def test_the_first_process(self, words: list[str], status: Status) -> None:
        assert identity.prove_init(subject(), words).status is status


class TestConnections:
    """Against real sockets: what a server sends for one connection, then it hangs up."""

    @pytest.fixture
    def listener(self) -> Iterator[socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as made:
            yield made

    def serve(self, listener: socket.socket, answer: bytes) -> int:
        def once() -> None:
            taken = listener.accept()[0]
            with taken:
                head = b""
                while answer and b"\r\n\r\n" not in head:
                    head += taken.recv(4096)
                taken.sendall(answer)

        threading.Thread(target=once, daemon=True).start()
        return int(listener.getsockname()[1])

    @pytest.mark.parametrize(
        ("answer", "status", "said"),
        [
            (b"HTTP/1.1 204 No Content\r\n\r\n", 204, "HTTP 204"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "HTTP 200"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", 0, "HTTP 200, but 7 bytes"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", 0, "IncompleteRead"),
            (b"\x00\x01", 0, "BadStatusLine"),
            (b"", 0, "RemoteDisconnected|ConnectionReset"),
        ],
    )
    def test_an_answer_that_is_cut_is_none(
        self, listener: socket.socket, answer: bytes, status: int, said: str
    ) -> None:
        found = fetch(self.serve(listener, answer), "/")
        assert found.status == status
        assert any(str(found).startswith(word) for word in said.split("|"))

    def test_the_second_half_of_a_request_follows(self, listener: socket.socket) -> None:
        port = self.serve(listener, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        with stopping._half_sent(port, "/health") as request:
            assert stopping._rest(request, subject()) == Answer(200, b"ok")

    def test_a_request_that_is_dropped_has_no_answer(self, listener: socket.socket) -> None:
        with stopping._half_sent(self.serve(listener, b""), "/") as request:
            assert stopping._rest(request, subject()).status == 0

    def test_nobody_there_shows_at_the_end(self, listener: socket.socket) -> None:
        port = int(listener.getsockname()[1])
        listener.close()
        with stopping._half_sent(port, "/") as request:
            assert stopping._rest(request, subject()).status == 0
