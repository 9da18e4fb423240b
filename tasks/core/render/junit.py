"""Verdicts as JUnit's XML: a suite for each platform of a target, a case for each proof."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.core.proofs.verdicts import Status, Verdict
from tasks.core.render import grouping
from tasks.core.render.grouping import Failure

if TYPE_CHECKING:
    from junitparser import TestCase

#: Findings of a failure that are listed; JSON has all.
SHOWN = 100


def render(verdicts: Sequence[Verdict]) -> str:
    """The XML document; the texts are printable, so that XML can hold them."""
    from junitparser import JUnitXml, TestSuite

    suites: dict[tuple[str, str], list[TestCase]] = {}
    for verdict in verdicts:
        suites.setdefault((verdict.target, verdict.platform), []).append(_case(verdict))
    document = JUnitXml("slipway")
    for (target, platform), cases in suites.items():
        suite = TestSuite(f"{target} ({platform})" if platform else target)
        suite.add_testcases(cases)
        document.add_testsuite(suite)
    document.update_statistics()
    stream = io.BytesIO()
    document.write(stream, pretty=True)
    return stream.getvalue().decode().rstrip("\n")


def _case(verdict: Verdict) -> TestCase:
    from junitparser import Failure as Failed
    from junitparser import Skipped, SystemOut, TestCase

    case = TestCase(verdict.proof, grouping.family(verdict.proof))
    if verdict.status is Status.SKIPPED:
        case.append(Skipped(verdict.message))
    elif verdict.status is Status.FAILED:
        failed = Failed(verdict.message, verdict.severity.value)
        failed.text = _details(Failure(verdict, ()))
        case.append(failed)
    else:
        case.append(SystemOut(verdict.message))
    return case


def _details(failure: Failure) -> str:
    left = len(failure.findings) - SHOWN
    more = [f"… and {left} more: --format json"] if left > 0 else []
    remark = [failure.remark] if failure.remark else []
    return "\n".join([*failure.findings[:SHOWN], *more, *remark, failure.figures])
