"""Prove images by observation."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from tasks.core import indexes, inspection, reproducing, schema, session, verdicts, verification
from tasks.core.command import command
from tasks.core.errors import UsageError
from tasks.core.render import catalogue as catalogue_table
from tasks.core.render import output, reproduction, tables
from tasks.core.render import verdicts as verdict_table


@command()
def production(
    c: Context,
    target: Sequence[str] = (),
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Prove production images: health, version, users, stop."""
    tables.choose(format_, verdict_table.FORMATS)
    now = session.begin(c, env_file, profile, set_)
    found = verification.production(now, target)
    if now.dry:
        return
    output.emit(verdict_table.render(found, format_), output_)
    verdicts.demand(found)


@command()
def tests(
    c: Context,
    target: Sequence[str] = (),
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Run the tests of every service in its testing image."""
    tables.choose(format_, verdict_table.FORMATS)
    now = session.begin(c, env_file, profile, set_)
    found = verification.tests(now, target)
    if now.dry:
        return
    output.emit(verdict_table.render(found, format_), output_)
    verdicts.demand(found)


@command(positional=["reference"], help={"reference": "Image of several platforms, by name."})
def multiarch(
    c: Context,
    reference: str,
    platform: str = "",
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Prove every platform of an image, wherever it is."""
    tables.choose(format_, verdict_table.FORMATS)
    now = session.begin(c, env_file, profile, set_)
    found = indexes.prove_any(now, reference, _platforms(platform))
    if now.dry:
        return
    output.emit(verdict_table.render(found, format_), output_)
    verdicts.demand(found)


@command()
def reproducible(
    c: Context,
    target: Sequence[str] = (),
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build twice from nothing; both must be the same."""
    tables.choose(format_, verdict_table.FORMATS)
    now = session.begin(c, env_file, profile, set_)
    found, differences = reproducing.verify(now, target)
    if now.dry:
        return
    output.emit(reproduction.render(found, differences, format_), output_)
    verdicts.demand(found)


@command()
def secrets(
    c: Context,
    target: Sequence[str] = (),
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Search every layer and text of the images for secrets."""
    tables.choose(format_, verdict_table.FORMATS)
    now = session.begin(c, env_file, profile, set_)
    found = inspection.of_secrets(now, target)
    output.emit(verdict_table.render(found, format_), output_)
    verdicts.demand(found)


@command(
    help={
        "image": "Image in the engine, whoever built it.",
        "archive": "Docker or OCI archive, or OCI folder, to read instead.",
    }
)
def image(
    c: Context,
    image: str = "",
    archive: str = "",
    format_: str = "text",
    output_: str | None = None,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Prove what is in any image: --image or --archive."""
    tables.choose(format_, verdict_table.FORMATS)
    if bool(image) == bool(archive):
        raise UsageError("verify.image needs either --image REF or --archive PATH")
    now = session.begin(c, env_file, profile, set_)
    name, read = (image, inspection.of_image) if image else (archive, inspection.of_archive)
    found = read(now, name)
    output.emit(verdict_table.render(found, format_), output_)
    verdicts.demand(found)


@command(name="list")
def list_(c: Context, format_: str = "text", output_: str | None = None) -> None:
    """List the proofs on what is in images."""
    tables.choose(format_, catalogue_table.FORMATS)
    output.emit(catalogue_table.render(inspection.CATALOGUE, format_), output_)


def _platforms(given: str) -> tuple[str, ...]:
    problem = schema.check_platforms(given) if given else None
    if problem:
        raise UsageError(f"--platform: {problem}")
    return schema.platforms(given)
