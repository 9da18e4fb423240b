"""hadolint: Dockerfiles -> what it says of them. Pure, but for ``lint``."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core import process, untrusted
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.scanning import toolbox
from tasks.core.scanning.findings import Severity
from tasks.core.scanning.tools import Found
from tasks.core.session import Session
from tasks.core.untrusted import Malformed

#: Where hadolint looks for what a repository wants of it.
CONFIGS = (".hadolint.yaml", ".hadolint.yml")
LEVELS: Mapping[str, Severity] = {
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "info": Severity.LOW,
    "style": Severity.LOW,
}
#: hadolint could not read the file, and so has checked nothing of it.
UNREADABLE = "DL1000"
_UNREADABLE = (
    "hadolint cannot read on from here, so it has checked nothing of this file. Its parser wants "
    "an empty line behind a here-document, and seconds as 0.5s"
)
_WIKI = "https://github.com/hadolint/hadolint/wiki/"
_SHELLCHECK = "https://www.shellcheck.net/wiki/"
_REFUSED = "Error parsing your config file"
SECONDS = 300


@dataclass(frozen=True)
class Remark:
    """One thing that a linter says of a Dockerfile; ``line`` counts from 1, 0 for none."""

    rule: str
    severity: Severity
    title: str
    line: int
    url: str = ""


def config_of(root: Path) -> Path | None:
    """The repository's own configuration of hadolint, if it has one."""
    return next((root / name for name in CONFIGS if (root / name).is_file()), None)


def argv(program: str, files: Sequence[str], *, configured: bool) -> tuple[str, ...]:
    """Check ``files``; CONFIGS[0] beside them says how, if ``configured``."""
    config = ("--config", CONFIGS[0]) if configured else ()
    return (program, "--no-fail", "--format", "json", *config, *files)


def parse(content: str, count: int) -> tuple[tuple[Remark, ...], ...]:
    """The remarks on each of ``count`` files, which were called by their numbers.

    Raises Malformed for what is not hadolint's report on them.
    """
    found: list[list[Remark]] = [[] for _ in range(count)]
    for entry in untrusted.sequence(untrusted.parse(content.encode(), "its report"), "its report"):
        fields = untrusted.mapping(entry, "a remark")
        name = untrusted.text(fields.get("file"), "the file of a remark")
        if not (name.isascii() and name.isdigit() and int(name) < count):
            raise Malformed(f"it reports on a file that it was not given: {name[:80]!r}")
        found[int(name)].append(_remark(fields))
    return tuple(tuple(each) for each in found)


def lint(session: Session, tool: Found, texts: Sequence[bytes]) -> tuple[tuple[Remark, ...], ...]:
    """The remarks on each of ``texts``, in order.

    They are checked as copies in a folder of their own, so that no name of a file is taken for an
    option. Raises UsageError for a configuration that hadolint refuses, OutOfReach when it breaks.
    """
    config = config_of(session.root)
    names = [str(number) for number in range(len(texts))]
    with tempfile.TemporaryDirectory(prefix="slipway-") as name:
        folder = Path(name)
        for each, text in zip(names, texts, strict=True):
            (folder / each).write_bytes(text)
        if config:
            (folder / CONFIGS[0]).write_bytes(config.read_bytes())
        words = argv(tool.program or tool.tool.name, names, configured=config is not None)
        if tool.image:
            said = toolbox.run(session, tool, folder, words[1:], seconds=SECONDS)
        else:
            done = process.read(words, cwd=folder, timeout=SECONDS, check=False)
            said = toolbox.Said(done.returncode, done.stdout, done.stderr)
    if config and _REFUSED in said.stderr:  # it goes on without one, and says 0
        raise UsageError(f"{config.name}: hadolint cannot read it: {_shown(said.stderr)}")
    if said.code != 0:
        raise OutOfReach(f"hadolint failed (exit {said.code}): {_shown(said.reason)}")
    try:
        return parse(said.stdout, len(texts))
    except Malformed as problem:
        raise OutOfReach(f"hadolint: {untrusted.shown(str(problem))}; see its version") from None


def _remark(fields: Mapping[str, object]) -> Remark:
    rule = untrusted.shown(untrusted.text(fields.get("code"), "the code of a remark"), 40)
    said = untrusted.text(fields.get("message"), "the message of a remark")
    level = untrusted.text(fields.get("level"), "the level of a remark")
    line = untrusted.count(fields.get("line"), "the line of a remark")
    title = untrusted.shown(" ".join(said.split()), 400)
    if rule == UNREADABLE:
        title = f"{_UNREADABLE}: {title}"
    return Remark(rule, LEVELS.get(level, Severity.UNKNOWN), title, line, _url(rule))


def _shown(said: str) -> str:
    """The end of what it said, on one line: its reason comes last."""
    return untrusted.shown(" ".join(process.plain(said).replace("\\n", " ").split())[-160:])


def _url(rule: str) -> str:
    if rule == UNREADABLE or not rule.isalnum():
        return ""
    return f"{_SHELLCHECK if rule.startswith('SC') else _WIKI}{rule}"
