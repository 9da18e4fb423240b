"""What is in images, listed by syft: an SBOM a platform, as SPDX or CycloneDX."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core import choosing, process, schema, untrusted
from tasks.core.bake.definitions import PRODUCTION
from tasks.core.comparing import places as naming
from tasks.core.comparing.places import Place
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.render import output
from tasks.core.scanning import images, layouts, toolbox, tools
from tasks.core.scanning.layouts import NoLayout
from tasks.core.scanning.tools import Found
from tasks.core.session import Session
from tasks.core.untrusted import Malformed

if TYPE_CHECKING:
    from docker import DockerClient

SPDX, CYCLONEDX = "spdx-json", "cyclonedx-json"
#: The formats, and how their files end.
ENDINGS: Mapping[str, str] = {SPDX: ".spdx.json", CYCLONEDX: ".cdx.json"}
SECONDS = 1000
#: Where the image lies, from where syft is started; and whether it is a layout or an archive.
IMAGE = "image"
#: syft asks its maker for news otherwise.
ENVIRONMENT = {"SYFT_CHECK_FOR_APP_UPDATE": "false"}
_NOT_PACKAGES = ("file", "operating-system")
_ROOT = "SPDXRef-DocumentRoot"


@dataclass(frozen=True)
class Wish:
    """What to list: targets by name or glob, or one image; ``platforms`` () means all it has."""

    patterns: tuple[str, ...] = ()
    image: str = ""
    platforms: tuple[str, ...] = ()
    format: str = SPDX


@dataclass(frozen=True)
class Bom:
    """The SBOM of an image for a platform ("" where the archive does not say it)."""

    name: str
    platform: str
    text: str
    packages: int
    by: str


def wish(patterns: Sequence[str], image: str, platform: str, format_: str) -> Wish:
    """The options as a wish. Raises UsageError where they make no sense."""
    if image and patterns:
        raise UsageError("scan.sbom takes either --target or --image")
    if format_ not in ENDINGS:
        raise UsageError(f"--sbom-format {format_!r} is not one of {', '.join(ENDINGS)}")
    problem = schema.check_platforms(platform) if platform else None
    if problem:
        raise UsageError(f"--platform: {problem}")
    return Wish(tuple(patterns), image, schema.platforms(platform), format_)


def make(session: Session, wish: Wish) -> tuple[Bom, ...]:
    """An SBOM for each platform of each image; none for a dry run.

    Raises OutOfReach for syft or an image that cannot be had, and where syft fails.
    """
    wanted = _places(session, wish)
    tool = tools.find(session, tools.SYFT)
    if session.dry:
        for place in wanted:
            process.note(f"dry run: {place.reference} would be listed by {tool.tool.name}")
        return ()
    with contextlib.ExitStack() as stack:
        client = None
        if any(place.archive is None for place in wanted):
            client = stack.enter_context(images.connected(session))
            for place in wanted:
                if place.archive is None:
                    images.demand(client, place)
        return tuple(bom for place in wanted for bom in _boms(session, tool, client, place, wish))


def argv(program: str, source: str, name: str, format_: str) -> tuple[str, ...]:
    """List the image ``source`` (SCHEME:PATH) on standard output, by the name ``name``."""
    return (program, "scan", source, "--source-name", name, "--output", format_)


def packages(text: str, format_: str) -> int:
    """How many packages an SBOM lists, without the image itself. Raises Malformed for no SBOM."""
    document = untrusted.mapping(untrusted.parse(text.encode(), "it"), "it")
    if format_ == SPDX:
        untrusted.text(document.get("spdxVersion"), "its spdxVersion")
        listed = _mappings(document, "packages")
        return sum(not str(each.get("SPDXID")).startswith(_ROOT) for each in listed)
    if document.get("bomFormat") != "CycloneDX":
        raise Malformed("its bomFormat is not CycloneDX")
    return sum(each.get("type") not in _NOT_PACKAGES for each in _mappings(document, "components"))


def write(boms: Sequence[Bom], format_: str, to: str) -> None:
    """Write them: one to a file or standard output (""), any number into a folder.

    Raises UsageError for several SBOMs and one file.
    """
    if to and Path(to).is_dir():
        for each in boms:
            output.emit(each.text, str(Path(to, filename(each, format_))))
        return
    if len(boms) > 1:
        named = ", ".join(f"{each.name} ({each.platform})" for each in boms)
        raise UsageError(
            f"{len(boms)} SBOMs cannot go to one place ({named}): name a folder that is there by "
            "--output, or narrow them by --target and --platform"
        )
    for each in boms:
        output.emit(each.text, to or None)


def check(to: str) -> None:
    """Whether ``to`` can be written, before minutes go into what is to be. See `output.check`."""
    if to and not Path(to).is_dir():
        output.check(to)


def filename(bom: Bom, format_: str) -> str:
    """A file's name for an SBOM: ``backend-production.linux-amd64.spdx.json``."""
    words = [re.sub(r"[^A-Za-z0-9._-]+", "-", word) for word in (bom.name, bom.platform) if word]
    return f"{'.'.join(words)}{ENDINGS[format_]}"


def _places(session: Session, wish: Wish) -> list[Place]:
    if wish.image:
        return [naming.find(session, wish.image)]
    chosen = choosing.targets(session, wish.patterns, lambda one: one.released, PRODUCTION)
    if not wish.patterns and not session.dry:
        chosen = choosing.built(session, chosen)
    return [Place(target.name, target.tags[0]) for target in chosen]


def _boms(
    session: Session, tool: Found, client: DockerClient | None, place: Place, wish: Wish
) -> Iterator[Bom]:
    """The SBOMs of one image, each platform laid out on its own."""
    with tempfile.TemporaryDirectory(prefix="slipway-sbom-") as name:
        folder = Path(name)
        try:
            there = layouts.unpack(naming.chunks(client, place, place.reference), folder / IMAGE)
        except NoLayout:
            if place.archive is None or wish.platforms:
                raise OutOfReach(
                    f"{place}: it is no OCI image, so its platforms are unknown"
                ) from None
            (folder / "archive.tar").write_bytes(place.archive.read_bytes())
            yield _listed(session, tool, folder, "docker-archive:archive.tar", place, "", wish)
            return
        except Malformed as problem:
            raise OutOfReach(f"{place}: {problem}") from None
        has = [one.platform for one in there]
        missing = [each for each in wish.platforms if each not in has]
        if missing or not there:
            lacks = ", ".join(missing) or "any platform"
            raise UsageError(f"{place} is not there for {lacks}; it is for {', '.join(has)}")
        for one in there:
            if not wish.platforms or one.platform in wish.platforms:
                one.choose()
                source = f"oci-dir:{IMAGE}"
                yield _listed(session, tool, folder, source, place, one.platform, wish)


def _listed(
    session: Session,
    tool: Found,
    folder: Path,
    source: str,
    place: Place,
    platform: str,
    wish: Wish,
) -> Bom:
    where = f"{place.name} ({platform})" if platform else place.name
    process.note(f"  {where}: listing what is in it …")
    words = argv(tool.program or tool.tool.name, source, place.reference, wish.format)
    if tool.image:
        said = toolbox.run(
            session, tool, folder, words[1:], seconds=SECONDS, environment=ENVIRONMENT
        )
    else:
        done = process.read(words, cwd=folder, env=ENVIRONMENT, timeout=SECONDS, check=False)
        said = toolbox.Said(done.returncode, done.stdout, done.stderr)
    if said.code != 0:
        reason = untrusted.shown(process.plain(said.reason))
        raise OutOfReach(f"{where}: syft failed (exit {said.code}): {reason}")
    try:
        count = packages(said.stdout, wish.format)
    except Malformed as problem:
        raise OutOfReach(f"{where}: syft wrote no SBOM: {untrusted.shown(str(problem))}") from None
    if not count:
        process.note(f"  {where}: syft knows no package in it")
    return Bom(place.name, platform, said.stdout.rstrip("\n"), count, tool.told)


def _mappings(document: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    for each in untrusted.sequence(document.get(name) or [], name):
        yield untrusted.mapping(each, f"one of its {name}")
