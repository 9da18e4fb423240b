"""Secrets in what builds would send, and in what git would publish, before either happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tasks.core import process
from tasks.core.bake import definitions
from tasks.core.bake.definitions import Target
from tasks.core.errors import OutOfReach
from tasks.core.proofs.policy import Accepted
from tasks.core.scanning import leaks, sending
from tasks.core.scanning.findings import (
    IDS,
    SECRETS,
    Finding,
    Report,
    Rules,
    Subject,
    judge,
    unused,
)
from tasks.core.scanning.leaving import TREE, Ways, exceptions_of, finding, marked
from tasks.core.scanning.sending import Context, Tree
from tasks.core.secrecy import secretforms, secretvalues
from tasks.core.session import Session
from tasks.core.verifying import accepting, catalogue, policyfile

PATIENCE_SECONDS = 2.0


@dataclass
class _Tally:
    files: int = 0
    size_bytes: int = 0
    unread: list[str] = field(default_factory=list)


def scan(session: Session, patterns: Sequence[str], rules: Rules) -> Report | None:
    """Search what the targets' contexts would send and, without ``patterns``, the working tree.

    Known are the shapes of secrets, and the values of the settings and of the builds' secrets.
    None for a dry run. Raises OutOfReach for a file that cannot be read.
    """
    targets, exceptions, notes = _targets(session, patterns)
    contexts = sending.contexts(session.root, targets)
    tree = Tree() if patterns else sending.tree(session.root)
    if session.dry:
        names = [sending.shown(session.root, each.folder) for each in contexts]
        process.note(f"dry run: would search {', '.join([*names, TREE])}")
        return None
    if tree.problem:
        notes.append(f"{SECRETS}: {TREE} was not searched, only contexts: {tree.problem}")
    values = _values(session, targets)
    short = secretforms.too_short(values)
    if short:
        notes.append(f"{SECRETS}: too short to search for: {', '.join(short)}")
    tally = _Tally()
    with _patience():
        ways = _ways(session.root, contexts, tree)
        found = tuple(_findings(session.root, ways, values, tally))
    notes.append(f"{SECRETS}: {tally.files} files, {tally.size_bytes / 2**20:.1f} MiB searched")
    notes += (f"{SECRETS}: not read to the end: {each}" for each in tally.unread)
    idle = () if patterns else tuple(unused(found, exceptions, SECRETS))
    subjects = tuple(_subjects(session.root, contexts, tree, patterns))
    return Report(subjects, judge(found, exceptions, rules), idle, tuple(notes))


def _targets(
    session: Session, patterns: Sequence[str]
) -> tuple[list[Target], tuple[Accepted, ...], list[str]]:
    """The targets to look at, the exceptions, and whom the policy leaves out."""
    if not definitions.has_bake_file(session.root, session.files):
        return [], exceptions_of(session, ()), []
    everything = session.everything()
    policyfile.check(session.config, everything.targets, catalogue.IDS)
    chosen, notes = [], []
    for target in everything.narrowed(patterns).targets.values():
        policy = policyfile.for_target(session.config, target.name, catalogue.IDS)
        if accepting.applies(policy, IDS[SECRETS]):
            chosen.append(target)
        else:
            notes.append(f"{SECRETS}: {target.name}: the policy leaves it out")
    return chosen, exceptions_of(session, everything.targets.values()), notes


def _values(session: Session, targets: Sequence[Target]) -> Mapping[str, str]:
    """The values that must not be anywhere: not those that .env.example gives to everybody."""
    values = dict(secretvalues.of_settings(session))
    for target in targets:
        try:
            values |= secretvalues.of_builds(session, [target])
        except FileNotFoundError:
            continue  # preflight names it; there is nothing to search for
    given = session.settings.entries.values()
    public = {f"setting {one.name}" for one in given if one.origin == "default"}
    return {name: value for name, value in values.items() if name not in public}


def _ways(root: Path, contexts: Sequence[Context], tree: Tree) -> Mapping[Path, Ways]:
    """Every file that leaves, and how."""
    sent: dict[Path, list[Context]] = {}
    for context in contexts:
        for path in dict.fromkeys(sending.files(context)):
            sent.setdefault(path, []).append(context)
    in_tree = {
        path: name
        for name in tree.tracked | tree.loose
        for path in (root / name,)
        if sending.is_regular(path)
    }
    return {
        path: Ways(
            tuple(sent.get(path, ())),
            tracked=in_tree.get(path) in tree.tracked,
            loose=in_tree.get(path) in tree.loose,
        )
        for path in sorted({*sent, *in_tree})
    }


def _findings(
    root: Path, ways: Mapping[Path, Ways], values: Mapping[str, str], tally: _Tally
) -> Iterator[Finding]:
    needles = secretforms.needles(values)
    for path, leaving in ways.items():
        place = sending.shown(root, path)
        try:
            looked = leaks.in_file(path, needles)
        except FileNotFoundError:
            continue  # it went while we looked
        except OSError as error:
            raise OutOfReach(f"cannot search {place} for secrets: {error.strerror}") from None
        tally.files += 1
        tally.size_bytes += looked.size_bytes
        if looked.unread:
            tally.unread.append(f"{place}: {looked.unread}")
        for leak, mark in marked(looked.leaks):
            yield finding(place, leak, leaving, root, mark)


def _subjects(
    root: Path, contexts: Sequence[Context], tree: Tree, patterns: Sequence[str]
) -> Iterator[Subject]:
    for folder in dict.fromkeys(each.folder for each in contexts):
        yield Subject(SECRETS, f"the context {sending.shown(root, folder)}")
    if not patterns and not tree.problem:
        yield Subject(SECRETS, TREE)


@contextmanager
def _patience() -> Iterator[None]:
    """Say what is going on where it takes longer than PATIENCE_SECONDS."""
    said = ["searching the files for secrets …"]
    timer = threading.Timer(PATIENCE_SECONDS, process.note, said)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
