"""Proofs on what an image says of itself: its standard annotations, as labels or annotations."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tasks.core import untrusted
from tasks.core.images.contents import Contents
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity, Verdict

PREFIX = "org.opencontainers.image."
TITLE, VERSION, REVISION, CREATED = "title", "version", "revision", "created"
SOURCE, LICENSES = "source", "licenses"
BASE_NAME, BASE_DIGEST = "base.name", "base.digest"
#: What an image of one's own has to say.
NEEDED = (TITLE, VERSION, REVISION, CREATED)
#: A commit is the same by its first digits, if they are as many as people use.
SHORT_COMMIT = 7
#: Clocks of machines, and days of time zones, may differ.
_AHEAD = datetime.timedelta(days=1)
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_URL = re.compile(r"(https?|git|ssh)://\S+|git@\S+:\S+")
_LICENSES = re.compile(r"[A-Za-z0-9.+:() -]+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_SEEN = "Labels of the config and annotations of the manifest, which have to agree."


@dataclass(frozen=True)
class Expected:
    """What an image should say; None: not known, as of images of somebody else's.

    ``base`` is what its last stage is built on, as the Dockerfile names it. ``epoch_seconds`` is
    SOURCE_DATE_EPOCH, which may set any date.
    """

    revision: str | None = None
    version: str | None = None
    base: str | None = None
    epoch_seconds: int | None = None

    @property
    def own(self) -> bool:
        """Whether it is an image of one's own: then it has to say all that is standard."""
        return self.revision is not None or self.version is not None


ANNOTATIONS = Proof(
    "supply-chain.annotations",
    "The standard annotations are there and well-formed",
    Severity.LOW,
    "Whoever finds the image somewhere can tell what it is, and tools rely on their form.",
    f"{_SEEN} Title, version, revision and date have to be there in images of one's own; the "
    "date is RFC 3339 and not in the future.",
)
VERSION_LABEL = Proof(
    "supply-chain.version-label",
    "The version that the image says is the one that was built",
    Severity.MEDIUM,
    "By it people roll back, and tell what is deployed.",
    f"Compared with the settings of the build. {_SEEN}",
)
REVISION_LABEL = Proof(
    "supply-chain.revision",
    "The revision that the image says is the commit that was built",
    Severity.MEDIUM,
    "It leads from what runs to the source that it was made of.",
    f"Compared with the settings of the build. {_SEEN}",
)
PROOFS = (ANNOTATIONS, VERSION_LABEL, REVISION_LABEL)


def stated(contents: Contents) -> Mapping[str, str]:
    """What the image says under the standard keys, without their prefix; annotations win."""
    return {**_standard(of_config(contents)), **_standard(contents.annotations)}


def of_config(contents: Contents) -> Mapping[str, str]:
    """The labels of the image's config; what is no text is left out."""
    section = contents.config.get("config")
    labels = section.get("Labels") if isinstance(section, dict) else None
    texts = labels.items() if isinstance(labels, dict) else ()
    return {key: value for key, value in texts if isinstance(value, str)}


def prove(
    target: str, contents: Contents, expected: Expected, today: datetime.date
) -> tuple[Verdict, ...]:
    """The verdicts on one platform."""
    said = stated(contents)
    problems = [*_differing(contents), *_malformed(said, expected, today)]
    if expected.own:
        problems += [f"{PREFIX}{key} is missing" for key in NEEDED if key not in said]
    there = ", ".join(sorted(map(_printed, said)))
    if not said and not expected.own:
        form = ANNOTATIONS.skip(target, contents.platform, "the image says nothing of itself")
    else:
        form = ANNOTATIONS.judge(
            target, contents.platform, problems, f"well-formed: {there}", "present and well-formed"
        )
    return (
        form,
        _compared(VERSION_LABEL, target, contents, VERSION, expected.version),
        _compared(REVISION_LABEL, target, contents, REVISION, expected.revision),
    )


def _compared(
    proof: Proof, target: str, contents: Contents, key: str, expected: str | None
) -> Verdict:
    """Whether the image says ``expected`` under ``key``."""
    said = stated(contents).get(key)
    measured = _printed(said) if said else "-"
    if expected is None:
        return proof.skip(
            target, contents.platform, f"which {key} to expect is not known", measured
        )
    same = said == expected or (key == REVISION and _same_commit(said or "", expected))
    message = (
        f"{key} {measured}"
        if same
        else f"{key} is {measured}, not {_printed(expected)}: built of another state"
    )
    if said is None:
        message = f"{PREFIX}{key} is missing; it should be {_printed(expected)}"
    return proof.decide(target, contents.platform, same, measured, _printed(expected), message)


def _same_commit(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    both = _COMMIT.fullmatch(short) and _COMMIT.fullmatch(long)
    return bool(both) and len(short) >= SHORT_COMMIT and long.startswith(short)


def _standard(notes: Mapping[str, str]) -> dict[str, str]:
    return {k.removeprefix(PREFIX): v for k, v in notes.items() if k.startswith(PREFIX)}


def _differing(contents: Contents) -> Iterator[str]:
    labels, notes = _standard(of_config(contents)), _standard(contents.annotations)
    for key in sorted(labels.keys() & notes.keys()):
        if labels[key] != notes[key]:
            both = f"{_printed(notes[key])}, and as a label {_printed(labels[key])}"
            yield f"{PREFIX}{_printed(key)} is {both}"


def _malformed(said: Mapping[str, str], expected: Expected, today: datetime.date) -> Iterator[str]:
    for key, (holds, form) in _FORMS.items():
        if key in said and not holds(said[key]):
            yield f"{PREFIX}{key} is {_printed(said[key]) or 'empty'}, which is not {form}"
    moment = _moment(said.get(CREATED, ""))
    if moment and moment.timestamp() != expected.epoch_seconds and moment.date() > today + _AHEAD:
        yield f"{PREFIX}{CREATED} is {said[CREATED]}, which is in the future"


def _moment(text: str) -> datetime.datetime | None:
    """The moment that an RFC 3339 date names; None for anything else."""
    if not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _printed(text: str) -> str:
    return untrusted.shown(text, 80)


_FORMS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    TITLE: (lambda text: bool(text.strip()), "a title"),
    VERSION: (lambda text: bool(text) and not any(map(str.isspace, text)), "a version"),
    REVISION: (
        lambda text: text != "unknown" and bool(text) and not any(map(str.isspace, text)),
        "a revision",
    ),
    CREATED: (lambda text: _moment(text) is not None, "a date as RFC 3339 has it"),
    SOURCE: (lambda text: bool(_URL.fullmatch(text)), "an address"),
    LICENSES: (lambda text: bool(_LICENSES.fullmatch(text)), "an SPDX expression"),
    BASE_NAME: (lambda text: bool(text) and not any(map(str.isspace, text)), "an image's name"),
    BASE_DIGEST: (lambda text: bool(_DIGEST.fullmatch(text)), "a digest"),
}
