"""What a target takes from its Dockerfile and from its contexts: the stages that it reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.core.bake import dockerfile, stages
from tasks.core.errors import UsageError
from tasks.core.journal import ignoring, recipe
from tasks.core.journal.ignoring import Patterns
from tasks.core.journal.recipe import Line
from tasks.core.journal.records import StageRecord
from tasks.core.provision import references

#: The context that a build is given without a name.
MAIN = ""
#: Frontends that read a Dockerfile as it is read here, wherever they are had from.
_FRONTEND = "docker/dockerfile"


@dataclass(frozen=True)
class Taken:
    """What decides how a target comes out: its ``instructions``, and paths by context.

    ``instructions`` compare equal as long as only comments, blank lines or other stages change.
    """

    instructions: tuple[object, ...]
    paths: Mapping[str, Patterns]

    def of(self, context: str) -> Patterns:
        """What is taken of a context; nothing of one that no step names."""
        return self.paths.get(context, ignoring.sources(()))


def read(text: str, args: Mapping[str, str], stage: str | None) -> Taken | None:
    """What building ``stage`` takes; None where that cannot be told: then it may be anything."""
    directives = dockerfile.directives(text)
    name = references.parse(directives.get("syntax", _FRONTEND)).path
    if not f"/{name}".endswith(f"/{_FRONTEND}"):
        return None
    try:
        reached = stages.reached(text, args, stage)
    except UsageError:
        return None
    globals_, written = recipe.read(text)
    words: dict[str, list[str]] = {}
    filled = stages.read(text, args)
    for at in reached:
        for context, word in (*((base, ".") for base in filled[at].bases), *_taken(written[at])):
            words.setdefault(context, []).append("." if "$" in word else word)
    if MAIN not in words and any(_adds_nothing(written[at]) for at in reached):
        # A stage that only names its base: instructions that the base keeps (ONBUILD) may take.
        words[MAIN] = ["."]
    # Lines are numbered, and a number changes with every line above it.
    plain = [(each.name, each.value) for each in globals_]
    steps = [
        (written[at].base, [(e.name, e.value) for e in written[at].instructions]) for at in reached
    ]
    kept = {key: value for key, value in directives.items() if key != "check"}
    return Taken(
        (str(sorted(kept.items())), str(plain), str(steps)),
        {context: ignoring.sources(each) for context, each in words.items()},
    )


def _taken(stage: StageRecord) -> Iterator[tuple[str, str]]:
    """The contexts that a stage may take from, by name, and the paths in them."""
    for each in stage.instructions:
        line = _meant(stage.name, each.name, each.value)
        yield from ((MAIN, word) for word in recipe.taken(line))
        yield from _from_named(line)


def _adds_nothing(stage: StageRecord) -> bool:
    """Whether a stage is its base, whatever that is, with another configuration."""
    return not any(each.name in recipe.STEPS for each in stage.instructions)


def _meant(stage: str, name: str, value: str) -> Line:
    """An instruction; of ONBUILD the one that it keeps for the images built on this one."""
    if name == "ONBUILD":
        name, value = [*value.split(None, 1), ""][:2]
    return Line(stage, name.upper(), value)


def _from_named(line: Line) -> Iterator[tuple[str, str]]:
    """What is copied or mounted from other stages, images and contexts."""
    if line.name in ("COPY", "ADD"):
        for origin in recipe.origins(line):
            for word in recipe.copied(line):
                yield origin, word
    elif line.name == "RUN":
        for fields in recipe.mounts(line.value):
            if "from" in fields:
                yield fields["from"], fields.get("source") or fields.get("src") or "."
