"""Compare images with each other, and their sizes with what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from invoke.context import Context

from tasks.core import process, session
from tasks.core.command import command
from tasks.core.comparing import pairs
from tasks.core.errors import ProofFailed, UsageError
from tasks.core.render import comparison, formats
from tasks.core.session import Session

#: Every task here may write its result several times.
_OUTPUTS = ("output_",)


@dataclass(frozen=True)
class Asked:
    """The options of every task that compares something."""

    format_: str = ""
    output_: Sequence[str] = ()
    set_: Sequence[str] = ()
    env_file: str | None = None
    profile: str | None = None

    def session(self, context: Context) -> Session:
        """The session that the options ask for."""
        return session.begin(context, self.env_file, self.profile, self.set_)


ASKED = Asked()


@command(
    repeatable=_OUTPUTS,
    positional=["from_", "to"],
    help={
        "from": "Image: a target, an image of the engine, or an archive.",
        "to": "Image to compare it with, likewise.",
        "platform": "Platform to compare, or all; default: the engine's own.",
        "limit": "Rows of each table; default: 20. JSON always has all.",
        "exit-code": "Exit with 1 if there is any difference.",
    },
)
def images(
    c: Context,
    from_: str,
    to: str,
    platform: str = "",
    limit: str = "",
    exit_code: bool = False,
    asked: Asked = ASKED,
) -> None:
    """What differs between two images, A and B."""
    sinks = formats.plan(asked.output_, asked.format_, comparison.FORMATS)
    rows = _limit(limit)
    pairs.check_platform(platform)
    now = asked.session(c)
    if now.dry:
        process.note(f"dry run: {from_} and {to} would be read and compared")
        return
    found = pairs.compare(now, from_, to, platform)
    formats.write(sinks, lambda name: comparison.render(found, name, rows))
    if exit_code and found.differs:
        raise ProofFailed(f"{from_} and {to} differ: {comparison.summary(found)}")


def _limit(text: str) -> int:
    """What `--limit` says. Raises UsageError for no such number."""
    if not text:
        return comparison.LIMIT
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 8 and int(text)):
        raise UsageError(f"--limit {text!r}: expected a number of rows from 1 on")
    return int(text)
