"""BuildKit's own checks (``docker build --check``): what it says of the Dockerfiles of targets."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import process, untrusted
from tasks.core.bake import buildx, definitions, needs, overlay
from tasks.core.bake.definitions import Definition
from tasks.core.bake.overlay import Additions
from tasks.core.errors import OutOfReach
from tasks.core.scanning.findings import Severity
from tasks.core.scanning.hadolint import Remark
from tasks.core.secrecy import masking
from tasks.core.session import Session
from tasks.core.untrusted import Malformed

#: A Dockerfile that cannot be built at all; the name of no rule of BuildKit's.
BUILD_ERROR = "BuildError"
#: Rules that are about more than style.
GRAVE = frozenset({"SecretsUsedInArgOrEnv"})
SECONDS = 600
#: Something outside of the Dockerfile that was not there.
_AWAY = re.compile(
    r"failed to (resolve source metadata|authorize|do request|fetch|resolve image)|no such host"
    r"|connection refused|i/o timeout|deadline exceeded|unavailable",
    re.I,
)
#: With `# check=error=true`: the warnings say the same, each in its place.
_SUMMARY = "lint violation found for rules"


@dataclass(frozen=True)
class Checked:
    """What BuildKit says of one target; ``away`` is why it could not look at all of it."""

    remarks: tuple[Remark, ...]
    away: str = ""


def check(session: Session, definition: Definition) -> Mapping[str, tuple[Remark, ...]]:
    """The remarks on each target of ``definition``, in one call of bake; none for a dry run.

    A check reads the base images' settings, so these have to be at hand as for a build. Raises
    OutOfReach for a base, frontend or builder that is not.
    """
    provided = needs.Provided() if session.dry else needs.provide(session, definition)
    additions = Additions(
        project=session.settings.project, contexts=provided.contexts, inlines=provided.inlines
    )
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        additions = needs.written(definition, additions, Path(folder))
        laid = overlay.compose(definition.targets, additions)
        argv = buildx.check(
            session.engine.docker,
            definitions.bake_files(session.root, session.files),
            sorted(definition.targets),
            readable=(
                *overlay.readable(definition.targets, laid),
                *additions.dockerfiles.values(),
            ),
        )
        if session.dry:
            process.would_run(argv)
            return {}
        done = process.read(
            argv,
            env=session.environment,
            cwd=session.root,
            stdin=overlay.serialise(laid),
            timeout=SECONDS,
            check=False,
        )
    found = _answer(done)
    for name, each in found.items():
        if each.away:
            raise OutOfReach(f"{name}: its Dockerfile cannot be checked: {each.away}")
    missing = sorted(set(definition.targets) - set(found))
    if missing:
        raise OutOfReach(f"docker build --check says nothing of {missing[0]}; see its version")
    return {name: each.remarks for name, each in found.items()}


def parse(content: str) -> dict[str, Checked]:
    """The answer of bake, by target. Raises Malformed for what is none."""
    document = untrusted.mapping(untrusted.parse(content.encode(), "its answer"), "its answer")
    targets = untrusted.mapping(document.get("target"), "target")
    return {
        name: _checked(untrusted.mapping(entry.get("check"), f"the check of {name[:80]}"))
        for name, value in targets.items()
        for entry in (untrusted.mapping(value, f"target {name[:80]}"),)
    }


def _answer(done: process.Completed) -> dict[str, Checked]:
    """A build error is an exit code of 1 and an answer all the same."""
    try:
        return parse(done.stdout)
    except Malformed as problem:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        said = lines[-1].removeprefix("ERROR: ") if lines else done.reason()
        reason = said if done.returncode else f"{said} ({problem})"
        shown = untrusted.shown(masking.hide(process.plain(reason)))
        raise OutOfReach(f"docker build --check failed: {shown}") from None


def _checked(entry: Mapping[str, Any]) -> Checked:
    warnings = untrusted.sequence(entry.get("warnings") or [], "warnings")
    remarks = tuple(_remark(untrusted.mapping(each, "a warning")) for each in warnings)
    failed = untrusted.mapping(entry.get("buildError") or {}, "buildError")
    said = untrusted.text(failed.get("message", ""), "the message of buildError")
    message = untrusted.shown(" ".join(masking.hide(process.plain(said)).split()), 400)
    if _AWAY.search(message):
        return Checked(remarks, message)
    if message and not message.startswith(_SUMMARY):
        line = _line(failed.get("location"))
        remarks += (Remark(BUILD_ERROR, Severity.HIGH, f"It cannot be built: {message}", line),)
    return Checked(remarks)


def _remark(fields: Mapping[str, Any]) -> Remark:
    rule = untrusted.shown(untrusted.text(fields.get("ruleName"), "the rule of a warning"), 80)
    said = fields.get("detail") or fields.get("description") or rule
    title = untrusted.shown(" ".join(untrusted.text(said, "the detail of a warning").split()), 400)
    url = untrusted.text(fields.get("url") or "", "the url of a warning")
    return Remark(
        rule,
        Severity.HIGH if rule in GRAVE else Severity.MEDIUM,
        title,
        _line(fields.get("location")),
        untrusted.shown(url) if url.startswith("https://") else "",
    )


def _line(location: Any) -> int:
    """The first line that it is about; 0 where it is about the file."""
    ranges = untrusted.mapping(location or {}, "a location").get("ranges") or []
    return next(_starts(untrusted.sequence(ranges, "ranges")), 0)


def _starts(ranges: Any) -> Iterator[int]:
    for each in ranges:
        start = untrusted.mapping(untrusted.mapping(each, "a range").get("start") or {}, "start")
        yield untrusted.count(start.get("line", 0), "a line")
