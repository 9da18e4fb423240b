"""What hadolint and BuildKit say of every Dockerfile of the bake file, each looked at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core import process
from tasks.core.bake import definitions
from tasks.core.bake.definitions import Definition, Target
from tasks.core.errors import UsageError
from tasks.core.proofs.policy import Policy
from tasks.core.scanning import buildcheck, hadolint, tools
from tasks.core.scanning.findings import (
    DOCKERFILES,
    IDS,
    Finding,
    Judged,
    Report,
    Rules,
    Subject,
    judge,
    unused,
)
from tasks.core.scanning.hadolint import Remark
from tasks.core.session import Session
from tasks.core.verifying import accepting, catalogue, policyfile

CHECKER = "docker build --check"


@dataclass(frozen=True)
class Source:
    """One Dockerfile, and the targets that are built from it.

    ``place`` is the file it stands in, from the root of the repository; ``ahead`` how many lines of
    that file come before it, None where that cannot be told. ``content`` is None where the file
    is not on this machine: BuildKit alone can look at it.
    """

    place: str
    content: bytes | None
    targets: tuple[str, ...]
    ahead: int | None = 0


def scan(session: Session, patterns: Sequence[str], rules: Rules) -> Report | None:
    """Check the Dockerfiles of the targets that ``patterns`` name, of all without. None when dry.

    Raises UsageError for a Dockerfile that is not there; OutOfReach where hadolint, a base image or
    the builder cannot be had: what was not looked at has not passed.
    """
    policies, notes = _policies(session, session.everything().narrowed(patterns))
    wanted = session.everything()
    wanted = Definition(
        {name: wanted.targets[name] for name in policies}, wanted.groups, wanted.raw
    )
    found = sources(session.root, definitions.bake_files(session.root, session.files)[0], wanted)
    texts = [each.content for each in found if each.content is not None]
    tool = tools.find(session, tools.HADOLINT)
    if session.dry:
        names = [each.place for each in found if each.content is not None]
        process.would_run(hadolint.argv(tool.program or tool.image, names, configured=False))
        buildcheck.check(session, wanted)
        return None
    linted = iter(hadolint.lint(session, tool, texts) if texts else ())
    said = {each: next(linted) if each.content is not None else () for each in found}
    checked = buildcheck.check(session, wanted) if found else {}
    everything: list[Finding] = []
    judged: list[Judged] = []
    for source, remarks in said.items():
        each = (*remarks, *(one for name in source.targets for one in checked[name]))
        some = tuple(findings(source, each))
        accepted = [one for name in source.targets for one in policies[name].exceptions]
        judged += judge(some, accepted, rules)
        everything += some
    # Of a part of the targets it cannot be said what is of no use to the others.
    accepted = [one for policy in policies.values() for one in policy.exceptions]
    idle = () if patterns else tuple(unused(everything, accepted, DOCKERFILES))
    return Report(tuple(_subjects(found, tool.told)), tuple(judged), idle, tuple(notes))


def sources(root: Path, bake_file: str, definition: Definition) -> tuple[Source, ...]:
    """Every Dockerfile of ``definition`` once. Raises UsageError for one that is not there."""
    grouped: dict[tuple[str, str], list[Target]] = {}
    for target in definition.targets.values():
        key = ("", target.inline) if target.inline is not None else (_place(root, target), "")
        grouped.setdefault(key, []).append(target)
    bake_text = (root / bake_file).read_text(encoding="utf-8", errors="replace")
    found = []
    for (place, inline), targets in grouped.items():
        names = tuple(sorted(each.name for each in targets))
        if inline:
            ahead = _ahead(bake_text, inline)
            found.append(Source(bake_file, inline.encode("utf-8", "replace"), names, ahead))
        elif not place:
            found.append(Source(bake_file, None, names, None))
        else:
            found.append(Source(place, _read(targets[0]), names))
    return tuple(found)


def findings(source: Source, remarks: Iterable[Remark]) -> Iterator[Finding]:
    """The remarks on a Dockerfile as findings: each once, though several targets are built of it.

    ``mark`` numbers what a rule says of one file in the same words, line by line.
    """
    seen: dict[tuple[str, str], int] = {}
    for each in sorted(dict.fromkeys(remarks), key=lambda one: (one.line, one.rule, one.title)):
        number = seen[each.rule, each.title] = seen.get((each.rule, each.title), 0) + 1
        inline = source.ahead is None or source.content is None or source.ahead > 0
        told = f" (the Dockerfile of {', '.join(source.targets)}" if inline else ""
        line = f", line {each.line})" if told and each.line else ")" if told else ""
        yield Finding(
            DOCKERFILES,
            each.rule,
            each.severity,
            f"{each.title}{told}{line}",
            source.place,
            line=source.ahead + each.line if each.line and source.ahead is not None else 0,
            url=each.url,
            mark=f"{each.title}\0{number}" if number > 1 else each.title,
        )


def _policies(session: Session, chosen: Definition) -> tuple[dict[str, Policy], list[str]]:
    """The policy of each target that is to be looked at, and which ones the policy leaves out."""
    policyfile.check(session.config, session.everything().targets, catalogue.IDS)
    policies, notes = {}, []
    for name in chosen.targets:
        policy = policyfile.for_target(session.config, name, catalogue.IDS)
        if accepting.applies(policy, IDS[DOCKERFILES]):
            policies[name] = policy
        else:
            notes.append(f"{DOCKERFILES}: {name}: the policy leaves it out")
    return policies, notes


def _subjects(found: Sequence[Source], linter: str) -> Iterator[Subject]:
    for each in found:
        if each.content is not None:
            yield Subject(DOCKERFILES, each.place, by=linter)
    for each in found:
        yield Subject(DOCKERFILES, each.place, by=CHECKER)


def _place(root: Path, target: Target) -> str:
    """Where a Dockerfile lies, from the root; "" for one that is not on this machine."""
    return Path(os.path.relpath(target.dockerfile, root)).as_posix() if target.dockerfile else ""


def _read(target: Target) -> bytes:
    assert target.dockerfile is not None  # noqa: S101 - it has a place
    try:
        return target.dockerfile.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{target.name}: cannot read its Dockerfile {target.dockerfile}: {error.strerror}"
        ) from None


def _ahead(text: str, inline: str) -> int | None:
    """The lines before a Dockerfile that stands word for word in the bake file."""
    at = text.find(inline.rstrip("\n"))
    return text.count("\n", 0, at) if at >= 0 else None
