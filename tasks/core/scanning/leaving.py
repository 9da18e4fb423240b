"""A secret in a file, and the ways by which it would leave -> a finding, without its value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.core import untrusted
from tasks.core.bake.definitions import Target
from tasks.core.proofs.policy import Accepted
from tasks.core.scanning import leaks, sending
from tasks.core.scanning.findings import SECRETS, Finding, Severity
from tasks.core.scanning.leaks import Leak
from tasks.core.scanning.sending import Context
from tasks.core.session import Session
from tasks.core.verifying import policyfile

TREE = "the working tree"
#: What is no more than likely, by the name of a file or a variable.
LIKELY = (leaks.VARIABLE, leaks.KEY_STORE)


@dataclass(frozen=True)
class Ways:
    """How a file leaves: with which contexts, and whether git tracks it, or may soon."""

    contexts: tuple[Context, ...] = ()
    tracked: bool = False
    loose: bool = False


def finding(place: str, leak: Leak, ways: Ways, root: Path, mark: str) -> Finding:
    """A secret and the ways that it would leave by; never its value."""
    likely = leak.rule in LIKELY
    severity = Severity.HIGH if likely or not ways.contexts else Severity.CRITICAL
    told = ", ".join(_told(ways, root))
    place = place if place.isprintable() else untrusted.shown(place, 8 * len(place))
    return Finding(
        SECRETS, leak.rule, severity, f"{leak.name}: {told}", place, line=leak.line, mark=mark
    )


def exceptions_of(session: Session, targets: Iterable[Target]) -> tuple[Accepted, ...]:
    """The exceptions of all ``targets``: a file may be sent for several, and be in the tree."""
    return tuple(
        dict.fromkeys(
            each
            for name in [target.name for target in targets] or ["*"]
            for each in policyfile.for_target(session.config, name).exceptions
        )
    )


def marked(found: Iterable[Leak]) -> Iterator[tuple[Leak, str]]:
    """Each with what tells it apart from others like it in one file, whatever its line is."""
    seen: Counter[tuple[str, str]] = Counter()
    for leak in found:
        seen[leak.rule, leak.name] += 1
        number = seen[leak.rule, leak.name]
        yield leak, f"{leak.name}\0{number}" if number > 1 else leak.name


def _told(ways: Ways, root: Path) -> Iterator[str]:
    for context in ways.contexts:
        names = context.targets
        few = names[0] if len(names) == 1 else f"{len(names)} targets"
        yield f"sent with the context {sending.shown(root, context.folder)} ({few})"
    if ways.tracked:
        yield "tracked by git"
    if ways.loose:
        yield f"in {TREE}, not ignored by git"
