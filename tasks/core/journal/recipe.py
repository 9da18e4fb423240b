"""What a Dockerfile says by stage, and what each of its steps depends on: pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tasks.core.bake import dockerfile
from tasks.core.journal.records import Instructed, StageRecord

#: The instructions that BuildKit numbers.
STEPS = ("ADD", "COPY", "RUN", "WORKDIR")
#: Those that change what a later step is given.
SETTERS = ("ARG", "ENV", "SHELL", "USER")
#: Build arguments that BuildKit leaves out of its keys.
UNKEYED = {
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
}


@dataclass(frozen=True)
class Line:
    """One instruction on the way to a step, with the stage that it stands in."""

    stage: str
    name: str
    value: str
    #: The stages of its Dockerfile that it copies or mounts from.
    sources: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.name} {self.value}"

    @property
    def nameless(self) -> str:
        """The same without the names of stages: BuildKit's keys do not hold them."""
        text = self.text
        for name in self.sources:
            text = re.sub(rf"(?<=from=){re.escape(name)}(?=[\s,]|$)", "(stage)", text)
        return text


@dataclass(frozen=True)
class Given:
    """What a step is given: build arguments that are in scope, and the last ENV, USER, SHELL.

    ``values`` has both arguments and environment for filling in; a value that is not known (a
    secret one) is None.
    """

    args: Mapping[str, str | None] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    shell: str = ""
    #: The arguments whose value the Dockerfile itself decides.
    defaulted: frozenset[str] = frozenset()
    #: Every argument that is declared, as it stands where its default does: "A", "A=b-$C".
    written: Mapping[str, str] = field(default_factory=dict)


def read(text: str) -> tuple[tuple[Instructed, ...], tuple[StageRecord, ...]]:
    """The global arguments of a Dockerfile, and its stages."""
    globals_: list[Instructed] = []
    made: list[tuple[str, list[Instructed]]] = []
    for each in dockerfile.instructions(text):
        value = f"{each.value}\n{each.body}" if each.body else each.value
        instructed = Instructed(each.name, value, each.line)
        if each.name == "FROM":
            made.append((value, []))
        elif made:
            made[-1][1].append(instructed)
        elif each.name == "ARG":
            globals_.append(instructed)
    stages = tuple(StageRecord(_name(base), base, tuple(lines)) for base, lines in made)
    return tuple(globals_), stages


def label(stages: Sequence[StageRecord], at: int) -> str:
    """What BuildKit calls a stage in the names of its steps."""
    return stages[at].name or (f"stage-{at}" if len(stages) > 1 else "")


def position(stages: Sequence[StageRecord], name: str) -> int | None:
    """Where the stage stands that BuildKit calls ``name``."""
    return next((at for at in range(len(stages)) if label(stages, at) == name), None)


def chain(stages: Sequence[StageRecord], at: int) -> tuple[int, ...]:
    """The stages that the stage ``at`` is built on, the first one first, itself last."""
    found = [at]
    while True:
        base = image(stages[found[0]]).lower()
        above = [n for n in range(found[0]) if stages[n].name == base or str(n) == base]
        if not base or not above:
            return tuple(found)
        found.insert(0, above[-1])


def lines(stages: Sequence[StageRecord], at: int) -> tuple[Line, ...]:
    """Every instruction on the way to the end of a stage, those of its base stages included."""
    known = {each.name for each in stages if each.name}
    made = []
    for stage in chain(stages, at):
        for each in stages[stage].instructions:
            line = Line(label(stages, stage), each.name, each.value)
            names = tuple(n for n in origins(line) if n.lower() in known or n.isdecimal())
            made.append(replace(line, sources=names) if names else line)
    return tuple(made)


def index(stages: Sequence[StageRecord], at: int, number: int, of: int) -> int | None:
    """Where, in ``lines``, the step ``number`` of ``of`` of a stage stands.

    Counted from the stage's end: BuildKit counts a FROM from outside as the first step, and ONBUILD
    of a base adds more.
    """
    every = lines(stages, at)
    before = len(every) - len(stages[at].instructions)
    own = [n for n in range(before, len(every)) if every[n].name in STEPS]
    place = len(own) - 1 - (of - number)
    return own[place] if 0 <= place < len(own) else None


def image(stage: StageRecord) -> str:
    """The image or the stage that a stage is based on, as it is written."""
    words = [word for word in stage.base.split() if not word.startswith("--")]
    return words[0].strip("\"'") if words else ""


def given(
    every: Sequence[Line], upto: int, arguments: Mapping[str, str | None], globals_: Sequence[Line]
) -> Given:
    """What the instruction ``every[upto]`` is given, with the build arguments ``arguments``."""
    outer: dict[str, str | None] = {}
    defaults: dict[str, str] = {}
    for line in globals_:
        outer.update(_declared(line.value, arguments, outer, {}))
        defaults.update(_written(line.value, {}))
    args: dict[str, str | None] = {}
    written: dict[str, str] = {}
    env: dict[str, str] = {}
    user = shell = ""
    for line in every[:upto]:
        if line.name == "ARG":
            args.update(_declared(line.value, arguments, {**args, **env}, outer))
            written.update(_written(line.value, defaults))
        elif line.name == "ENV":
            env.update({k: _filled(v, {**args, **env}) for k, v in pairs(line.value)})
        elif line.name == "USER":
            user = _filled(line.value, {**args, **env})
        elif line.name == "SHELL":
            shell = line.value
    kept = {name: value for name, value in args.items() if name not in UNKEYED}
    defaulted = frozenset(name for name in kept if name not in arguments)
    return Given(kept, env, user, shell, defaulted, written)


def filled(text: str, given_: Given) -> str:
    """``text`` with arguments and environment filled in."""
    return _filled(text, {**given_.args, **given_.env})


def flags(value: str) -> tuple[list[str], str]:
    """The ``--options`` of an instruction, and the rest."""
    found, rest = [], value
    while rest.startswith("--"):
        word, rest = [*rest.split(None, 1), ""][:2]
        found.append(word)
    return found, rest


def taken(line: Line) -> tuple[str, ...]:
    """The paths of the build context that a step takes, as they are written; () if none."""
    options, _ = flags(line.value)
    if line.name == "RUN":
        return tuple(_mounted(options))
    if line.name not in ("COPY", "ADD") or any(each.startswith("--from=") for each in options):
        return ()
    return copied(line)


def copied(line: Line) -> tuple[str, ...]:
    """The paths that a COPY or ADD names, wherever they are taken from."""
    words = _arguments(flags(line.value)[1])
    return tuple(word for word in words[:-1] if not word.startswith("<<") and not is_remote(word))


def excluded(line: Line) -> tuple[str, ...]:
    """The patterns of ``COPY --exclude``."""
    options, _ = flags(line.value)
    marked = (each for each in options if each.startswith("--exclude="))
    return tuple(each.removeprefix("--exclude=") for each in marked)


def remote(line: Line) -> tuple[str, ...]:
    """The addresses that an ADD fetches."""
    _, rest = flags(line.value)
    return tuple(filter(is_remote, _arguments(rest)[:-1])) if line.name == "ADD" else ()


def is_remote(word: str) -> bool:
    """Whether a source of ADD is fetched from elsewhere."""
    return "://" in word or word.startswith("git@")


def origins(line: Line) -> tuple[str, ...]:
    """The stages, images and named contexts that a step copies or mounts from."""
    options, _ = flags(line.value)
    found = [each.removeprefix("--from=") for each in options if each.startswith("--from=")]
    for each in options:
        if each.startswith("--mount="):
            found += [f for key, f in _mount(each) if key == "from"]
    return tuple(found)


def mounts(value: str) -> Iterator[dict[str, str]]:
    """The fields of every ``--mount`` of a RUN."""
    for each in flags(value)[0]:
        if each.startswith("--mount="):
            yield dict(_mount(each))


def pairs(value: str) -> Iterator[tuple[str, str]]:
    """The names and values of an ENV: ``A=1 B="x y"``, or the old form ``A x y``."""
    first = value.split(None, 1)
    if first and "=" not in first[0]:
        yield first[0], first[1] if len(first) > 1 else ""
        return
    for word in dockerfile.words(value):
        name, _, content = word.partition("=")
        yield name, content


def _declared(
    value: str,
    arguments: Mapping[str, str | None],
    known: Mapping[str, str | None],
    outer: Mapping[str, str | None],
) -> dict[str, str | None]:
    declared: dict[str, str | None] = {}
    for word in dockerfile.words(value):
        name, has_default, default = word.partition("=")
        if name in arguments:
            declared[name] = arguments[name]
        elif has_default:
            declared[name] = _filled(default, {**known, **declared})
        elif name in outer:
            declared[name] = outer[name]
    return declared


def _written(value: str, defaults: Mapping[str, str]) -> dict[str, str]:
    """The words of an ARG by name; one without a default has that of a global argument."""
    found = {word.partition("=")[0]: word for word in dockerfile.words(value)}
    return {
        name: defaults.get(name, word) if name == word else word for name, word in found.items()
    }


def _filled(text: str, values: Mapping[str, str | None]) -> str:
    return dockerfile.substitute(text, {name: value or "" for name, value in values.items()})


def _mounted(options: Sequence[str]) -> Iterator[str]:
    """The paths of the context that bind mounts of a RUN show it."""
    for each in options:
        fields = dict(_mount(each)) if each.startswith("--mount=") else {}
        if fields and fields.get("type", "bind") == "bind" and "from" not in fields:
            yield fields.get("source") or fields.get("src") or "."


def _mount(option: str) -> list[tuple[str, str]]:
    halves = (word.strip().partition("=") for word in option.removeprefix("--mount=").split(","))
    return [(key.lower(), value.strip("\"'")) for key, _, value in halves]


def _arguments(rest: str) -> list[str]:
    first = rest.partition("\n")[0]
    if first.startswith("["):
        try:
            return [str(word) for word in json.loads(first)]
        except (ValueError, RecursionError):
            pass
    return dockerfile.words(first)


def _name(base: str) -> str:
    words = [word for word in base.split() if not word.startswith("--")]
    return words[2].lower() if len(words) > 2 and words[1].lower() == "as" else ""
