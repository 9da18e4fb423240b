"""The policy: inheritance by glob, and the place of everything that cannot be meant."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tasks.core.errors import UsageError
from tasks.core.proofs import policy
from tasks.core.verifying import policyfile


def test_without_configuration_the_defaults_hold() -> None:
    assert policyfile.for_target({}, "app") == policy.Policy()


def test_later_entries_refine_earlier_ones() -> None:
    config = {
        "policy": {
            "*": {"stop_seconds": 5, "writable": []},
            "api-*": {"port": 8000, "health": "/health"},
            "api-debug": {"health": None},
        }
    }
    found = policyfile.for_target(config, "api-debug")
    assert (found.port, found.health, found.stop_seconds, found.writable) == (8000, None, 5, ())
    assert policyfile.for_target(config, "web").port is None


def test_exceptions_of_all_matching_entries_add_up() -> None:
    def accepted(proof: str, expires: Any) -> dict[str, Any]:
        return {"proof": proof, "match": "*", "reason": "known", "expires": expires}

    config = {
        "policy": {
            "*": {"exceptions": [accepted("filesystem.setuid", "2026-12-31")]},
            "web": {"exceptions": [accepted("runtime.*", datetime.date(2027, 1, 1))]},
        }
    }
    found = policyfile.for_target(config, "web", ["filesystem.setuid", "runtime.page"]).exceptions
    assert [(one.proof, one.expires.isoformat()) for one in found] == [
        ("filesystem.setuid", "2026-12-31"),
        ("runtime.*", "2027-01-01"),
    ]
    with pytest.raises(UsageError, match=r"entry 1, proof: 'runtime.\*' matches no proof"):
        policyfile.for_target(config, "web", ["filesystem.setuid"])


EXCEPTION = {"proof": "a.b", "match": "*", "reason": "r", "expires": "2026-12-31"}
BAD: dict[str, tuple[Any, str]] = {
    "section": ({"polcy": {}}, "slipway.polcy: unknown key; known: policy"),
    "key": ({"policy": {"web": {"prot": 1}}}, "slipway.policy.web.prot: unknown key; known: port,"),
    "list": ({"policy": []}, r"slipway.policy: \[\] is not a mapping"),
    "port": (
        {"policy": {"*": {"port": "80"}}},
        r"slipway.policy.\*.port: '80' is not a positive whole",
    ),
    "true": (
        {"policy": {"*": {"port": True}}},
        r"slipway.policy.\*.port: True is not a positive whole",
    ),
    "zero": (
        {"policy": {"*": {"stop_seconds": 0}}},
        r"slipway.policy.\*.stop_seconds: 0 is not a number",
    ),
    "texts": ({"policy": {"*": {"writable": "/tmp"}}}, r"writable: '/tmp' is not a list of texts"),
    "number as a key": ({"policy": {1: {}}}, r"slipway.policy.1: the key is not a text; put it in"),
    "number inside": (
        {"policy": {"web": {1: 2}}},
        r"slipway.policy.web.1: unknown key; known: port",
    ),
    "infinite": (
        {"policy": {"*": {"stop_seconds": float("inf")}}},
        r"slipway.policy.\*.stop_seconds: inf is not a number",
    ),
    "nan": (
        {"policy": {"*": {"tests_seconds": float("nan")}}},
        r"slipway.policy.\*.tests_seconds: nan is not a number",
    ),
    "huge": ({"policy": {"*": {"pids": 10**400}}}, "pids: 10+ is not a positive whole number"),
    "no TCP port": ({"policy": {"*": {"port": 65536}}}, r"\*.port: 65536 is not a TCP port from 1"),
    "little memory": ({"policy": {"*": {"memory_mib": 5}}}, "memory_mib: 5 is not at least 6"),
    "relative": (
        {"policy": {"*": {"writable": ["/a", "b"]}}},
        r"writable: \['/a', 'b'\] is not a list of absolute paths",
    ),
    "everything": (
        {"policy": {"*": {"application": ["/"]}}},
        r"application: \['/'\] is not a list of absolute paths below '/'",
    ),
    "upwards": ({"policy": {"*": {"writable": ["/a/../.."]}}}, "writable: .* below '/'"),
    "variable": ({"policy": {"*": {"environment": ["A"]}}}, "'A'.* is not a list of NAME=value"),
    "no address": ({"policy": {"*": {"health": "/a b"}}}, "health: '/a b' is not a path that"),
    "health": ({"policy": {"*": {"health": "up"}}}, "health: 'up' is not a path that starts with"),
    "page": ({"policy": {"*": {"page": "http://x/"}}}, "page: 'http://x/' is not a path that"),
    "text": ({"policy": {"*": {"health": 5}}}, r"health: 5 is not a text"),
    "flag": ({"policy": {"*": {"sbom": "yes"}}}, "sbom: 'yes' is not true or false"),
    "ports": ({"policy": {"*": {"other_ports": [0]}}}, r"other_ports: 0 is not a positive whole"),
    "port list": ({"policy": {"*": {"other_ports": 80}}}, "80 is not a list of whole numbers"),
    "below zero": (
        {"policy": {"*": {"burst_requests": -1}}},
        "burst_requests: -1 is not a whole number from 0 on",
    ),
    "no proof": (
        {"policy": {"*": {"skip": ["nothing.*"]}}},
        r"\*.skip: 'nothing.\*' matches no proof; they are listed by: inv verify.list",
    ),
    "exceptions": ({"policy": {"*": {"exceptions": {}}}}, "exceptions: {} is not a list of exc"),
    "incomplete": (
        {"policy": {"*": {"exceptions": [{"proof": "a.b"}]}}},
        r"\*.exceptions, entry 1: match is missing",
    ),
    "no reason": (
        {"policy": {"*": {"exceptions": [{**EXCEPTION, "reason": " "}]}}},
        "entry 1.reason: ' ' is not a text",
    ),
    "no day": (
        {"policy": {"*": {"exceptions": [{**EXCEPTION, "expires": "soon"}]}}},
        "entry 1.expires: 'soon' is not a day, YYYY-MM-DD",
    ),
    "more": (
        {"policy": {"*": {"exceptions": [{**EXCEPTION, "until": 1}]}}},
        r"entry 1.until: unknown key; known: proof, match, reason, expires",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_policies_name_their_place(case: str) -> None:
    config, expected = BAD[case]
    with pytest.raises(UsageError, match=expected):
        policyfile.for_target(config, "web", ["a.b"])


def test_a_pattern_that_matches_no_target_is_refused() -> None:
    targets = ("web", "api-debug")
    policyfile.check({"policy": {"*": {"port": 1}, "api-*": None, "web": {}}}, targets)
    policyfile.check({"policy": {"*": {}}}, ())
    expected = r"^invoke.yaml: slipway.policy.wbe\*: matches no target; there are: api-debug, web$"
    with pytest.raises(UsageError, match=expected):
        policyfile.check({"policy": {"wbe*": {}}}, targets)
