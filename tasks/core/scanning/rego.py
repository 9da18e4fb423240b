"""The exceptions of a policy as trivy's ignore policy: what is accepted in the gate of a build.

A policy in Rego and not an ignore file: the ``match`` of an exception is a glob over rule, package
and version, which an ignore file cannot say. It looks at the clock itself, so that an exception
ends in the gate on the same day as in `scan.vulnerabilities`.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from tasks.core.proofs.policy import Accepted
from tasks.core.scanning.findings import IDS, VULNERABILITIES

_HEAD = """package trivy

import rego.v1

default ignore := false

names := [
	input.VulnerabilityID,
	sprintf("%s %s", [input.VulnerabilityID, input.PkgName]),
	sprintf("%s %s@%s", [input.VulnerabilityID, input.PkgName, input.InstalledVersion]),
]
"""
_RULE = """
# {reason}, until {expires}
ignore if {{
	time.now_ns() < {end}
	some name in names
	regex.match({pattern}, name)
}}
"""


#: For a target whose policy leaves the scan out.
EVERYTHING = "package trivy\n\nimport rego.v1\n\ndefault ignore := true\n"


def policy(exceptions: Iterable[Accepted]) -> str:
    """The policy that ignores what ``exceptions`` accept of vulnerabilities; "" for none."""
    rules = list(_rules(exceptions))
    return "".join([_HEAD, *rules]) if rules else ""


def _rules(exceptions: Iterable[Accepted]) -> Iterator[str]:
    for each in dict.fromkeys(exceptions):
        if fnmatchcase(IDS[VULNERABILITIES], each.proof):
            yield _RULE.format(
                reason=" ".join(each.reason.split()),
                expires=each.expires,
                end=_end(each.expires),
                pattern=json.dumps(pattern(each.match)),
            )


def _end(expires: datetime.date) -> int:
    """The nanosecond at which an exception is over: its last day counts, in UTC."""
    over = datetime.datetime.combine(expires, datetime.time(), datetime.UTC)
    return int((over + datetime.timedelta(days=1)).timestamp()) * 10**9


def pattern(glob: str) -> str:
    """The glob of an exception as a regular expression that RE2 takes: Python's own is not one.

    As there, ``[`` without an end stands for itself; and the glob word for word is always meant.
    """
    found, at = "", 0
    while at < len(glob):
        letter = glob[at]
        if letter == "[":
            end = glob.find("]", at + 2 if glob[at + 1 : at + 2] != "!" else at + 3)
            if end > 0:
                found += _letters(glob[at + 1 : end])
                at = end + 1
                continue
        found += {"*": ".*", "?": "."}.get(letter, re.escape(letter))
        at += 1
    return f"^(?s:{found}|{re.escape(glob)})$"


def _letters(inner: str) -> str:
    """What stands between brackets: a set of letters, ``!`` for all others."""
    other = "^" if inner.startswith("!") else ""
    escaped = re.sub(r"([\\\[\]^])", r"\\\1", inner.removeprefix("!"))
    return f"[{other}{escaped}]"
