"""Where a recorded step stands in its Dockerfile, and what it was given there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.core.journal import inputs, recipe, steprecords
from tasks.core.journal.recipe import Given, Line
from tasks.core.journal.records import Record, StepRecord, TargetRecord

SCRATCH = "scratch"


@dataclass(frozen=True)
class Spot:
    """A place in a recorded target: ``lines`` lead to the end of its stage, ``at`` is the step."""

    target: TargetRecord
    stage: int
    lines: tuple[Line, ...]
    at: int
    platform: str

    @property
    def line(self) -> Line:
        """The instruction itself."""
        return self.lines[self.at]

    def given(self, at: int | None = None) -> Given:
        """What the step (or the one at ``at``) is given."""
        upto = self.at if at is None else at
        arguments = steprecords.arguments(self.target, self.platform)
        return recipe.given(self.lines, upto, arguments, self._globals())

    @property
    def image(self) -> str:
        """The image at the bottom of its stage as it is written; "" for none."""
        first = recipe.chain(self.target.stages, self.stage)[0]
        return recipe.image(self.target.stages[first])

    @property
    def outer(self) -> Given:
        """The global arguments: what a FROM is given."""
        arguments = steprecords.arguments(self.target, self.platform)
        return recipe.given(self._globals(), len(self.target.globals), arguments, ())

    @property
    def reference(self) -> str:
        """The same image with its variables filled in."""
        return recipe.filled(self.image, self.outer)

    def files(self, at: int | None = None) -> Mapping[str, str] | None:
        """The files of the context that the step takes; None where they are not known."""
        line = self.lines[self.at if at is None else at]
        words = recipe.taken(line)
        if not words:
            return {}
        context = self.target.context
        if context is None or context.problem:
            return None
        given = self.given(at)
        filled = [recipe.filled(word, given) for word in words]
        names = inputs.covered(context.files, filled, recipe.excluded(line))
        return {name: context.files[name] for name in names}

    def _globals(self) -> list[Line]:
        return [Line("", each.name, each.value) for each in self.target.globals]


def spot(record: Record, target: TargetRecord, step: StepRecord) -> Spot | None:
    """Where ``step`` stands in ``target``; None where that cannot be said for sure."""
    stage = recipe.position(target.stages, step.stage)
    if stage is None:
        return None
    at = recipe.index(target.stages, stage, step.number, step.of)
    if at is None:
        return None
    lines = recipe.lines(target.stages, stage)
    if step.instruction.split()[:1] != [lines[at].name]:
        return None  # not what BuildKit calls it: it counts in another way than we do
    return Spot(target, stage, lines, at, step.platform or record.engine.platform)


def end(of: Spot, name: str) -> Spot | None:
    """The last step of the stage called, or numbered, ``name``; its ``at`` is -1 without steps.

    None where there is no such stage in the target of ``of``.
    """
    stages = of.target.stages
    stage = recipe.position(stages, name.lower())
    if stage is None and name.isdecimal() and int(name[:6]) < len(stages):
        stage = int(name[:6])
    if stage is None:
        return None
    lines = recipe.lines(stages, stage)
    steps = [at for at, line in enumerate(lines) if line.name in recipe.STEPS]
    return Spot(of.target, stage, lines, steps[-1] if steps else -1, of.platform)


def step_at(record: Record, spot_: Spot, at: int) -> StepRecord | None:
    """The step of ``record`` that stands at ``at`` of the stage of ``spot_``."""
    for step in steps_of(record, spot_.target.name):
        if (step.platform or record.engine.platform) != spot_.platform:
            continue
        found = spot(record, spot_.target, step)
        # A base stage's step is found by its own stage, so lines are compared, not numbers alone.
        if found and found.at == at and found.lines[: at + 1] == spot_.lines[: at + 1]:
            return step
    return None


def steps_of(record: Record, target: str) -> Iterable[StepRecord]:
    """The instructions' steps that ``target`` needed."""
    return (step for step in record.steps if step.kind == "step" and target in step.targets)
