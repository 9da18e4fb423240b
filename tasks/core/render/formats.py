"""Where a result goes, and in which format: several files in one run, each told by its ending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import SlipwayError, UsageError
from tasks.core.render import output, tables

TEXT = "text"
STANDARD_OUTPUT = "-"
#: What a file's ending stands for; any other stands for text.
ENDINGS = {
    ".sarif.json": "sarif",
    ".sarif": "sarif",
    ".json": "json",
    ".xml": "junit",
    ".md": "markdown",
}


@dataclass(frozen=True)
class Sink:
    """One place that a result goes to: a file's name or "-", and the format that it gets."""

    output: str
    format: str


def plan(outputs: Sequence[str], format_: str, allowed: Sequence[str]) -> tuple[Sink, ...]:
    """Where the result will go; standard output if ``outputs`` is empty.

    A format that is given, ``format_``, counts for all of them; empty: each ending decides.
    It is called before the work, so that a typing error does not cost minutes: raises UsageError
    for a format that is not ``allowed``, a file given twice, a folder that is not there, and
    OutOfReach for a file that cannot be written.
    """
    if format_:
        tables.choose(format_, allowed)
    for name in outputs:
        output.check(name)
    places = [name if name == STANDARD_OUTPUT else str(Path(name).resolve()) for name in outputs]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise UsageError(f"--output {outputs[number]}: given twice")
    given = outputs or (STANDARD_OUTPUT,)
    return tuple(Sink(name, format_ or _by_ending(name, allowed)) for name in given)


def write(sinks: Sequence[Sink], render: Callable[[str], str]) -> None:
    """Hand each sink what ``render`` makes for its format.

    One that fails does not keep the others from theirs; the first failure is raised at the end.
    """
    texts: dict[str, str] = {}
    failures: list[SlipwayError] = []
    for sink in sinks:
        if sink.format not in texts:
            texts[sink.format] = render(sink.format)
        try:
            output.emit(texts[sink.format], sink.output)
        except SlipwayError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _by_ending(name: str, allowed: Sequence[str]) -> str:
    ending = next((end for end in ENDINGS if name.lower().endswith(end)), "")
    found = ENDINGS.get(ending, TEXT)
    if found not in allowed:
        raise UsageError(
            f"--output {name}: {ending} means {found}, which this task does not write; "
            f"choose one by --format: {', '.join(allowed)}"
        )
    return found
