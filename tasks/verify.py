"""Prove images by observation."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.core import process, session
from tasks.core.command import command
from tasks.core.errors import UsageError
from tasks.core.proofs.verdicts import Verdict
from tasks.core.render import formats
from tasks.core.session import Session

if TYPE_CHECKING:
    from tasks.core.proofs.verdicts import Severity

MOST_JOBS = 64
#: Every task here may write its result several times.
_OUTPUTS = ("output_",)


@dataclass(frozen=True)
class Asked:
    """The options of every task that proves something."""

    severity: str = "low"
    all_: bool = False
    jobs: str = ""
    format_: str = ""
    output_: Sequence[str] = ()
    set_: Sequence[str] = ()
    env_file: str | None = None
    profile: str | None = None

    def least(self) -> Severity:
        """What `--severity` says. Raises UsageError for no such word."""
        from tasks.core.proofs.verdicts import Severity

        try:
            return Severity(self.severity.lower())
        except ValueError:
            names = ", ".join(Severity)
            raise UsageError(f"--severity {self.severity!r}: expected one of {names}") from None

    def at_once(self) -> int | None:
        """What `--jobs` says, None for the default. Raises UsageError for no such number."""
        number = int(self.jobs) if re.fullmatch("[0-9]{1,9}", self.jobs) else 0
        if self.jobs and not 0 < number <= MOST_JOBS:
            raise UsageError(f"--jobs {self.jobs!r}: expected a number from 1 to {MOST_JOBS}")
        return number or None


ASKED = Asked()
#: What proves, given the session and how many images at once.
Prove = Callable[[Session, int | None], tuple[Verdict, ...]]


@command(repeatable=_OUTPUTS)
def production(c: Context, target: Sequence[str] = (), asked: Asked = ASKED) -> None:
    """Prove the images that ship: started, and inside."""
    from tasks.core.verifying import verification

    _prove(c, asked, lambda now, jobs: verification.production(now, target, jobs=jobs))


@command(name="all", repeatable=_OUTPUTS)
def all_(c: Context, target: Sequence[str] = (), asked: Asked = ASKED) -> None:
    """Every proof: the same, and no secret in any layer."""
    from tasks.core.verifying import proving, verification

    families = proving.EVERYTHING
    _prove(c, asked, lambda now, jobs: verification.production(now, target, families, jobs=jobs))


@command(repeatable=_OUTPUTS)
def secrets(c: Context, target: Sequence[str] = (), asked: Asked = ASKED) -> None:
    """Search every layer and text of the images for secrets."""
    from tasks.core.verifying import verification

    _prove(c, asked, lambda now, jobs: verification.secrets(now, target, jobs))


@command(repeatable=_OUTPUTS)
def sizes(c: Context, target: Sequence[str] = (), asked: Asked = ASKED) -> None:
    """Compare sizes, layers and waste with the budgets."""
    from tasks.core.verifying import verification

    budget = ("budget",)
    _prove(
        c,
        asked,
        lambda now, jobs: verification.production(now, target, budget, start=False, jobs=jobs),
    )


@command(repeatable=_OUTPUTS)
def tests(c: Context, target: Sequence[str] = (), asked: Asked = ASKED) -> None:
    """Run the tests of every service in its testing image."""
    from tasks.core import testing

    _prove(c, asked, lambda now, jobs: testing.run(now, target, jobs))


@command(
    repeatable=_OUTPUTS,
    positional=["reference"],
    help={"reference": "Image of several platforms, by name."},
)
def multiarch(c: Context, reference: str, platform: str = "", asked: Asked = ASKED) -> None:
    """Prove every platform of an image, wherever it is."""
    from tasks.core import schema
    from tasks.core.shipping import indexes

    problem = schema.check_platforms(platform) if platform else None
    if problem:
        raise UsageError(f"--platform: {problem}")
    wanted = schema.platforms(platform)
    _prove(c, asked, lambda now, _: indexes.prove_any(now, reference, wanted))


@command(repeatable=_OUTPUTS)
def reproducible(
    c: Context,
    target: Sequence[str] = (),
    format_: str = "",
    output_: Sequence[str] = (),
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build twice from nothing; both must be the same."""
    from tasks.core.proofs import verdicts
    from tasks.core.render import reproduction
    from tasks.core.shipping import reproducing

    sinks = formats.plan(output_, format_, reproduction.FORMATS)
    now = session.begin(c, env_file, profile, set_)
    found, differences = reproducing.verify(now, target)
    if now.dry:
        return
    formats.write(sinks, lambda name: reproduction.render(found, differences, name))
    verdicts.demand(found)


@command(
    repeatable=_OUTPUTS,
    help={
        "image": "Image in the engine, whoever built it.",
        "archive": "Docker or OCI archive, or OCI folder, to read instead.",
        "like": "Target whose policy holds for it; without: the defaults.",
        "no-start": "Only what is in it: no container is started.",
    },
)
def image(
    c: Context,
    image: str = "",
    archive: str = "",
    like: str = "",
    no_start: bool = False,
    asked: Asked = ASKED,
) -> None:
    """Prove any image: --image or --archive."""
    from tasks.core.verifying import verification

    if bool(image) == bool(archive):
        raise UsageError("verify.image needs either --image REF or --archive PATH")

    def prove(now: Session, _: int | None) -> tuple[Verdict, ...]:
        if archive:
            return verification.archive(now, archive, like)
        return verification.image(now, image, like, start=not no_start)

    _prove(c, asked, prove)


@command(
    name="structure",
    repeatable=(*_OUTPUTS, "config"),
    help={
        "config": "File of container-structure-test, YAML or JSON (repeatable).",
        "image": "Image in the engine, instead of targets.",
        "archive": "Docker or OCI archive, or OCI folder, instead of targets.",
    },
)
def structure_(
    c: Context,
    config: Sequence[str] = (),
    target: Sequence[str] = (),
    image: str = "",
    archive: str = "",
    asked: Asked = ASKED,
) -> None:
    """Run tests written for container-structure-test."""
    from tasks.core.verifying import verification

    if not config:
        raise UsageError("verify.structure needs --config FILE")
    if sum(map(bool, (target, image, archive))) > 1:
        raise UsageError("verify.structure takes one of --target, --image and --archive")
    _prove(
        c,
        asked,
        lambda now, jobs: verification.structured(now, config, target, image, archive, jobs),
    )


@command(name="list", repeatable=_OUTPUTS)
def list_(c: Context, format_: str = "", output_: Sequence[str] = ()) -> None:
    """List the proofs; as Markdown, with their reasons."""
    from tasks.core.render import catalogue as catalogue_page
    from tasks.core.verifying import catalogue

    sinks = formats.plan(output_, format_, catalogue_page.FORMATS)
    formats.write(sinks, lambda name: catalogue_page.render(catalogue.CATALOGUE, name))


def _prove(context: Context, asked: Asked, prove: Prove) -> None:
    """Check the options, prove, write the result everywhere it is wanted, and fail if it failed."""
    from tasks.core.proofs import verdicts
    from tasks.core.render import verdicts as verdict_table
    from tasks.core.verifying import kept

    least, jobs = asked.least(), asked.at_once()
    sinks = formats.plan(asked.output_, asked.format_, verdict_table.FORMATS)
    now = session.begin(context, asked.env_file, asked.profile, asked.set_)
    found = prove(now, jobs)
    if now.dry:
        return
    kept.store(now.root, found)
    formats.write(sinks, lambda name: _rendered(now, found, name, asked.all_))
    lesser = verdicts.passed_over(found, least)
    if lesser:
        process.note(lesser)
    verdicts.demand(found, least)


def _rendered(now: Session, found: Sequence[Verdict], format_: str, everything: bool) -> str:
    """SARIF alone needs to know where targets come from; there need not be any."""
    from tasks.core.bake import definitions
    from tasks.core.render import sarif
    from tasks.core.render import verdicts as verdict_table
    from tasks.core.verifying import catalogue

    known = format_ == "sarif" and definitions.has_bake_file(now.root, now.files)
    places = sarif.places(now.root, now.everything().targets.values()) if known else {}
    return verdict_table.render(
        found, format_, everything=everything, proofs=catalogue.CATALOGUE, places=places
    )
