"""Nodes and builders: what is made of options, of buildx's notes and of what it prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tasks.core import settings
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.machines import builders, joining, nodes, probing
from tasks.core.machines.builders import Builder
from tasks.core.machines.nodes import NodeSpec
from tasks.core.machines.probing import Node
from tasks.core.render import builders as table
from tasks.core.session import Session
from tasks.core.untrusted import Malformed

NOTE = (
    '{"Name":"pair","Driver":"remote","Nodes":[{"Name":"a","Endpoint":"tcp://127.0.0.1:7101",'
    '"Platforms":[{"architecture":"amd64","os":"linux"}],"DriverOpts":null,"Flags":null,'
    '"Files":null},{"Name":"b","Endpoint":"tcp://127.0.0.1:7102","Platforms":[{"architecture":'
    '"arm64","os":"linux"}],"DriverOpts":null,"Flags":null,"Files":null}],"Dynamic":false}'
)
INSPECTED = """Name:          pair
Driver:        remote
Last Activity: 2026-11-24 00:43:14 +0000 UTC

Nodes:
Name:             a
Endpoint:         tcp://127.0.0.1:7101
Status:           running
BuildKit version: v0.25.1
Platforms:        linux/amd64*, linux/amd64/v2, linux/arm64, linux/arm/v7
Labels:
 org.mobyproject.buildkit.worker.executor:             containerd
GC Policy rule#0:
 All:            false
"""
USED = "Shared:\t\t8.3kB\nPrivate:\t384.1MB\nReclaimable:\t384.1MB\nTotal:\t\t384.1MB\n"


def node(name: str, *preferred: str, up: bool = True, able: tuple[str, ...] = ()) -> Node:
    platforms = tuple(dict.fromkeys((*preferred, *able)))
    reason = "" if up else "connection refused"
    return Node(name, f"tcp://{name}:1", up, reason, platforms, "", preferred)


@pytest.mark.parametrize(
    ("word", "spec"),
    [
        ("docker-container", NodeSpec("docker-container")),
        ("build-farm", NodeSpec("docker-container", "build-farm")),
        ("ssh://ci@arm.example", NodeSpec("docker-container", "ssh://ci@arm.example")),
        ("unix:///run/buildkit.sock", NodeSpec("remote", "unix:///run/buildkit.sock")),
        ("kubernetes", NodeSpec("kubernetes")),
        ("kubernetes://ci", NodeSpec("kubernetes", options=("namespace=ci",))),
        (
            "tcp://arm.example:1234=linux/aarch64,linux/arm/v7",
            NodeSpec("remote", "tcp://arm.example:1234", platforms=("linux/arm64", "linux/arm/v7")),
        ),
        (
            "tcp://h:1?cacert=ca.pem&servername=b=linux/amd64",
            NodeSpec("remote", "tcp://h:1", ("cacert=ca.pem", "servername=b"), ("linux/amd64",)),
        ),
    ],
)
def test_endpoints(word: str, spec: NodeSpec) -> None:
    assert nodes.parse(word) == spec


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "expected a docker context"),
        ("--bootstrap", "expected a docker context"),
        ("ftp://h", "expected a docker context"),
        ("tcp://", "expected a docker context"),
        ("tcp://[::1", "Invalid IPv6 URL"),
        ("tcp://me:hunter2@h:1", "holds no password"),
        ("kubernetes://A_B", "not a namespace"),
        ("tcp://h:1=", "no platform after"),
        ("tcp://h:1=arm64", "'arm64' is not a platform"),
        ("tcp://h:1?cacert=/nowhere.pem", "cacert=/nowhere.pem is not a file"),
        ("tcp://h:1?token=x", "'token' means nothing here"),
        ("ssh://h?key=x", "'key' means nothing here"),
    ],
)
def test_endpoints_that_cannot_be_meant(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        nodes.parse_all([word])
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nodes_of_one_builder_have_one_driver() -> None:
    with pytest.raises(UsageError, match="these have docker-container, remote"):
        nodes.parse_all(["tcp://h:1", "ssh://h"])
    specs = nodes.parse_all(["tcp://h:1", "ssh://h"], "docker-container")
    assert {spec.driver for spec in specs} == {"docker-container"}
    assert nodes.parse_all([]) == (NodeSpec("docker-container"),)
    with pytest.raises(UsageError, match="--driver 'qemu' is not one of"):
        nodes.parse_all([], "qemu")
    with pytest.raises(UsageError, match="driver remote needs an address"):
        nodes.parse_all([], "remote")


def test_commands() -> None:
    spec = NodeSpec("remote", "tcp://h:1", ("cacert=ca.pem",), ("linux/arm64", "linux/arm/v7"))
    first = ("docker", "buildx", "create", "--name", "pair", "--node", "pair0")
    rest = ("--driver", "remote", "--driver-opt", "cacert=ca.pem")
    platforms = ("--platform", "linux/arm64,linux/arm/v7", "tcp://h:1")
    assert nodes.create("docker", "pair", 0, spec) == (*first, *rest, *platforms)
    assert "--append" in nodes.create("docker", "pair", 1, spec)
    assert nodes.create("docker", "own", 0, NodeSpec("docker-container"))[-1] == "docker-container"


@pytest.mark.parametrize("name", ["", "default", "Pair", "-x", "a b", "../x", "a/b"])
def test_names_that_no_builder_may_have(name: str) -> None:
    with pytest.raises(UsageError):
        nodes.builder_name(name)


def test_a_note_of_buildx() -> None:
    noted = probing.parse_note(NOTE.encode(), "pair")
    assert [(each.name, each.preferred) for each in noted.nodes] == [
        ("a", ("linux/amd64",)),
        ("b", ("linux/arm64",)),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"Name":"x"}',
        b'{"Name":1,"Driver":"remote"}',
        b'{"Name":"x","Driver":"remote","Nodes":7}',
        b'{"Name":"x","Driver":"remote","Nodes":["a"]}',
        b'{"Name":"x","Driver":"remote","Nodes":[{"Name":"a","Platforms":7}]}',
        b'{"Name":"x","Driver":"remote","Nodes":[{"Name":"a","Platforms":[{"os":1}]}]}',
        b'{"Name":"../../x","Driver":"remote","Nodes":[]}',
    ],
)
def test_a_note_that_is_none(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        probing.parse_note(content, "x")
    (tmp_path / "x").write_bytes(content)
    assert probing.read_note(tmp_path / "x") is None


def test_what_buildx_prints() -> None:
    fields = probing.parse_inspect(INSPECTED)
    assert (fields["Status"], fields["BuildKit version"]) == ("running", "v0.25.1")
    assert probing.platform_list(fields["Platforms"]) == (
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
    )
    assert probing.platform_list("linux/arm64/v8, linux/arm, \x1b[31m, x") == (
        "linux/arm64",
        "linux/arm/v7",
    )
    assert probing.parse_inspect("nothing of the kind") == {}
    assert probing.parse_total(USED) == 384_100_000
    assert probing.parse_total("Total:\t0B\n") == 0
    assert probing.parse_total("Total: NaNGB") is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "ERROR: failed to call diskusage: Unavailable: connection error: desc = "
            '"transport: Error while dialing: dial tcp 127.0.0.1:7199: connect: connection '
            'refused"',
            "Error while dialing: dial tcp 127.0.0.1:7199: connect: connection refused",
        ),
        ("no answer within 10 s", "no answer within 10 s"),
        ("odd\x1b[2J\nline", r"odd\x1b[2J line"),
    ],
)
def test_why_a_node_is_down(said: str, reason: str) -> None:
    assert probing.plain(said) == reason


def test_native_and_emulated_are_told_apart_only_where_that_is_known() -> None:
    known = Node("a", "", True, "", (), "", native="linux/arm64")
    assert [known.how(name) for name in ("linux/arm64", "linux/amd64", "linux/arm/v7")] == [
        "native",
        "emulated",
        "unknown",
    ]
    assert node("b").how("linux/amd64") == "unknown"


AMD, ARM, V7 = "linux/amd64", "linux/arm64", "linux/arm/v7"


@pytest.mark.parametrize(
    ("found", "platforms", "said"),
    [
        ((node("a", AMD), node("b", ARM, up=False)), (AMD,), ""),
        ((node("a", AMD), node("b", ARM, up=False)), (), ""),
        (
            (node("a", AMD), node("b", ARM, up=False)),
            (AMD, ARM),
            r"node b \(tcp://b:1\) of builder x is down: connection refused; "
            "without it can still be built: --platform linux/amd64$",
        ),
        # buildx asks all nodes for a platform that was given to none, and waits for the dead one.
        (
            (node("a", AMD, able=(AMD, V7)), node("b", ARM, up=False)),
            (V7,),
            "node b .*nothing can be built meanwhile",
        ),
        ((node("a", able=(AMD,)), node("b", up=False)), (AMD,), "node b .* is down"),
        ((node("a", up=False), node("b", able=(AMD,))), (), "node a .* is down"),
        ((node("a", AMD, up=False), node("b", AMD)), (AMD,), "node a .* is down"),
        ((node("a", able=(AMD,)),), (ARM,), "no node of builder x builds linux/arm64; it builds"),
        ((node("a", able=(AMD,)),), (AMD,), ""),
        ((node("a"),), (ARM,), ""),  # not started yet: its platforms are not known
    ],
)
def test_what_a_builder_can_build(
    found: tuple[Node, ...], platforms: tuple[str, ...], said: str
) -> None:
    builder = Builder("x", "remote", found)
    if not said:
        builders.require(builder, platforms)
        return
    with pytest.raises(OutOfReach, match=said) as raised:
        builders.require(builder, platforms)
    assert raised.value.code == 3
    assert "\n" not in str(raised.value)


def test_where_nothing_runs_on_the_target_any_node_builds_it() -> None:
    builders.require(Builder("x", "remote", (node("a", able=(AMD,)),)), (ARM,), cross=True)


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("", "pair", "BUILDER=pair\n"),
        ("A=1", "pair", "A=1\nBUILDER=pair\n"),
        ("A=1\r\n", "pair", "A=1\r\nBUILDER=pair\r\n"),
        ("A=1\n\n# why\nBUILDER=old # mine\nB=2\n", "new", "A=1\n\n# why\nBUILDER=new\nB=2\n"),
        ("A=1\n\nexport BUILDER='old'\nB=2", "", "A=1\n\nB=2"),
        ("BUILDER=old", "", ""),
        ("A='x\nBUILDER=no\n'\n", "new", "A='x\nBUILDER=no\n'\nBUILDER=new\n"),
        ("#BUILDER=no\nA=1\n", "", "#BUILDER=no\nA=1\n"),
    ],
)
def test_one_line_of_a_settings_file(before: str, value: str, after: str) -> None:
    assert joining.with_line(before, "BUILDER", value) == after


def test_rendering() -> None:
    first = Node("a", "tcp://u:p@h:1", True, "", (AMD, ARM), "0.25.1", (AMD,), AMD, 2**20)
    found = [Builder("x", "remote", (first, node("b", ARM, up=False)))]
    lines = table.as_text(found, "x").splitlines()
    assert "x*" in lines[2]
    assert "linux/amd64*" in lines[2]
    assert "linux/arm64 emulated" in lines[2]
    assert "1.0 MiB" in lines[2]
    assert "down: connection refused" in lines[3]
    document = json.loads(table.as_json(found, "x"))
    assert document["schema"] == 1
    described = document["builders"][0]["nodes"][0]
    assert "u:p" not in described["endpoint"]
    assert described["platforms"][1] == {"platform": ARM, "how": "emulated", "preferred": False}


def test_files_of_tls_are_noted_down_for_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").touch()
    (spec,) = nodes.parse_all(["tcp://h:1?cacert=ca.pem&servername=b"])
    assert spec.options == (f"cacert={tmp_path}/ca.pem", "servername=b")


def test_a_path_is_no_name_of_a_builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine("system", "unix:///x", {}, "docker", None, False, "linux/amd64")
    monkeypatch.setattr(Session, "engine", engine)
    monkeypatch.setattr(builders, "exists", lambda *_: True)
    session = Session(tmp_path, settings.load(tmp_path, environment={}), (), False, {})
    with pytest.raises(UsageError, match=r"there is no builder '\.\./current'"):
        joining.use(session, tmp_path / ".env", "../current")
    with pytest.raises(UsageError, match=r"there is no builder '\.\./current'"):
        joining.remove(session, tmp_path / ".env", "../current", yes=True)
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize(
    ("sizes", "counted", "cache_bytes", "reason"),
    [
        (False, ("", "must not be asked"), None, ""),
        (True, ("Reclaimable:\t1kB\nTotal:\t2kB\n", ""), 2000, ""),
        (True, ("", "no answer within 60 s"), None, "the size of its cache: no answer within 60 s"),
    ],
)
def test_a_node_that_counts_its_cache_for_long_is_not_down(
    sizes: bool,
    counted: tuple[str, str],
    cache_bytes: int | None,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def attempt(argv: Sequence[str], *_: object) -> tuple[str, str]:
        return counted if "du" in argv else (INSPECTED, "")

    monkeypatch.setattr(probing, "attempt", attempt)
    engine = Engine("system", "unix:///x", {}, "docker", None, False, "linux/amd64")
    told = probing.asked(engine, "remote", node("a"), "x", sizes=sizes)
    assert told.reachable
    assert (told.cache_bytes, told.reason) == (cache_bytes, reason)
