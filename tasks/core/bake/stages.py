"""Which images from outside a Dockerfile builds on: instructions -> stages -> references.

Only what decides that is read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from tasks.core.bake.dockerfile import Instruction, directives, instructions, substitute, words
from tasks.core.errors import UsageError

SCRATCH = "scratch"
#: Arguments that BuildKit sets by itself, one value a platform. They are never declared, and a
#: Dockerfile may name its stages by them (`FROM base-${TARGETARCH}`).
AUTOMATIC = {
    "TARGETARCH": ("amd64", "arm64", "arm"),
    "TARGETOS": ("linux",),
    "TARGETVARIANT": ("", "v7"),
    "TARGETPLATFORM": ("linux/amd64", "linux/arm64", "linux/arm/v7"),
}


@dataclass(frozen=True)
class BaseUse:
    """An image from outside: ``on_build_platform`` when it runs where the build runs."""

    reference: str
    on_build_platform: bool


@dataclass(frozen=True)
class Stage:
    """One FROM and what is copied or mounted from elsewhere up to the next one."""

    name: str
    bases: tuple[str, ...]
    on_build_platform: bool
    sources: tuple[str, ...] = field(default=())
    #: Whether a program is run in it.
    runs: bool = False


def base_references(
    path: Path, build_args: Mapping[str, str], stage: str | None
) -> tuple[BaseUse, ...]:
    """The images from outside that building ``stage`` (default: the last one) needs.

    In the order in which they are met, each once. A frontend named by ``# syntax=`` is one of them.
    Raises UsageError when the file or the stage does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path}: the Dockerfile cannot be read: {error.strerror}") from None
    return text_references(text, build_args, stage, str(path))


def read(text: str, build_args: Mapping[str, str]) -> tuple[Stage, ...]:
    """The stages of a Dockerfile, with global arguments filled into their bases."""
    arguments = {name: build_args[name] for name in AUTOMATIC if name in build_args}
    made: list[Stage] = []
    for instruction in instructions(text):
        if instruction.name == "FROM":
            made.append(_stage(instruction.value, arguments))
        elif instruction.name == "ARG" and not made:
            arguments.update(_declared(instruction.value, build_args, arguments))
        elif made:
            last = made[-1]
            sources = (*last.sources, *_sources(instruction))
            runs = last.runs or instruction.name == "RUN"
            made[-1] = replace(last, sources=sources, runs=runs)
    return tuple(made)


def text_references(
    text: str, build_args: Mapping[str, str], wanted: str | None, origin: str
) -> tuple[BaseUse, ...]:
    """The same for the text of a Dockerfile; ``origin`` is where it stands, for errors."""
    all_stages = read(text, build_args)
    if not all_stages:
        raise UsageError(f"{origin}: the Dockerfile has no FROM")
    start = _wanted(wanted, all_stages, origin)
    frontend = directives(text).get("syntax")
    found = [BaseUse(frontend, on_build_platform=True)] if frontend else []
    return tuple(dict.fromkeys([*found, *_reached(start, all_stages)]))


def reached(text: str, build_args: Mapping[str, str], wanted: str | None) -> tuple[int, ...]:
    """The stages, by number, that building ``wanted`` takes something from; itself is one.

    Raises UsageError for a stage that does not exist, and for a Dockerfile without any.
    """
    all_stages = read(text, build_args)
    if not all_stages:
        raise UsageError("the Dockerfile has no FROM")
    return tuple(sorted(_positions(_wanted(wanted, all_stages, "the Dockerfile"), all_stages)))


def runs_on_target(text: str, build_args: Mapping[str, str], wanted: str | None) -> bool:
    """Whether building ``wanted`` runs a program of the target's platform.

    A stage is of the platform that its FROM names, else of its base's; the rest only copies.
    """
    all_stages = read(text, build_args)
    if not all_stages:
        return False
    reached = _positions(_wanted(wanted, all_stages, "the Dockerfile"), all_stages)
    return any(all_stages[at].runs and not _builds(at, all_stages) for at in reached)


def _wanted(wanted: str | None, all_stages: Sequence[Stage], origin: str) -> int:
    """Where the stage ``wanted`` stands; the last one if none is named."""
    last = len(all_stages)
    start = last - 1 if not wanted else _position(wanted, all_stages, last)
    if start is None:
        names = ", ".join(stage.name for stage in all_stages if stage.name) or "none has a name"
        raise UsageError(f"{origin}: there is no stage {wanted!r} (stages: {names})")
    return start


def _builds(position: int, all_stages: Sequence[Stage]) -> bool:
    """Whether a stage runs on the platform of the build, by itself or by what it is based on."""
    stage = all_stages[position]
    inner = [_position(name, all_stages, position) for name in stage.bases]
    based = [_builds(at, all_stages) for at in inner if at is not None]
    return stage.on_build_platform or (bool(based) and all(based))


def _positions(start: int, all_stages: Sequence[Stage]) -> Iterator[int]:
    """Walk from stage ``start`` over every stage it is based on, copies from or mounts."""
    waiting, seen = [start], {start}
    while waiting:
        position = waiting.pop(0)
        yield position
        stage = all_stages[position]
        needed = [(name, position) for name in stage.bases]
        needed += [(name, len(all_stages)) for name in stage.sources]
        for name, before in needed:
            inner = _position(name, all_stages, before)
            if inner is not None and inner not in seen:
                seen.add(inner)
                waiting.append(inner)


def _reached(start: int, all_stages: Sequence[Stage]) -> Iterator[BaseUse]:
    """The images from outside that the stages on the way from ``start`` need."""
    for position in _positions(start, all_stages):
        stage = all_stages[position]
        needed = [(name, stage.on_build_platform, position) for name in stage.bases]
        needed += [(name, False, len(all_stages)) for name in stage.sources]
        for name, on_build_platform, before in needed:
            inner = _position(name, all_stages, before)
            if inner is None and name.lower() != SCRATCH and "$" not in name:
                yield BaseUse(name, on_build_platform)


def _position(name: str, all_stages: Sequence[Stage], before: int) -> int | None:
    """Where the stage called ``name`` (or numbered so) stands among the first ``before``."""
    for position in range(before - 1, -1, -1):
        if all_stages[position].name == name.lower():
            return position
    if name.isdecimal() and int(name) < before:
        return int(name)
    return None


def _stage(value: str, arguments: Mapping[str, str]) -> Stage:
    """A stage from what follows FROM: ``[--platform=P] image [AS name]``."""
    words = value.split()
    flags = [word for word in words if word.startswith("--")]
    rest = [word for word in words if not word.startswith("--")]
    name = rest[2].lower() if len(rest) > 2 and rest[1].lower() == "as" else ""
    on_build_platform = any("BUILDPLATFORM" in flag for flag in flags)
    image = rest[0].strip("\"'") if rest else ""
    return Stage(name, _spelled(image, arguments), on_build_platform)


def _spelled(image: str, arguments: Mapping[str, str]) -> tuple[str, ...]:
    """The names an image takes: more than one only when it depends on the target's platform."""
    used = [name for name in AUTOMATIC if name not in arguments and name in image]
    choices = product(*(AUTOMATIC[name] for name in used))
    spelled = (substitute(image, {**arguments, **dict(zip(used, c, strict=True))}) for c in choices)
    return tuple(dict.fromkeys(name for name in spelled if name))


def _declared(
    value: str, build_args: Mapping[str, str], known: Mapping[str, str]
) -> dict[str, str]:
    """What a global ARG line (one or more names, with defaults or without) declares."""
    declared: dict[str, str] = {}
    for word in words(value):
        name, has_default, default = word.partition("=")
        if name in build_args:
            declared[name] = build_args[name]
        elif has_default:
            declared[name] = substitute(default, {**known, **declared})
    return declared


def _sources(instruction: Instruction) -> Iterator[str]:
    """The stages or images that an instruction copies or mounts from."""
    flags = _leading_flags(instruction.value)
    if instruction.name == "COPY":
        yield from (flag.removeprefix("--from=") for flag in flags if flag.startswith("--from="))
    elif instruction.name == "RUN":
        mounts = [flag.removeprefix("--mount=") for flag in flags if flag.startswith("--mount=")]
        for option in ",".join(mounts).split(","):
            if option.strip().startswith("from="):
                yield option.strip().removeprefix("from=").strip("\"'")


def _leading_flags(value: str) -> list[str]:
    """The ``--options`` at the start; what comes after them belongs to the command."""
    found = []
    for word in value.split():
        if not word.startswith("--"):
            break
        found.append(word)
    return found
