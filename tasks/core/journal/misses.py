"""Why a step was not taken from the cache: by what differs from the last record that had it.

BuildKit does not tell. What it makes its cache keys of is documented: the instruction, what it is
given (arguments, environment, user, shell, platform), its parents, and the content of the files it
takes. A record has all of it, but the parents' content; where more could matter, "not known" is
said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import islice

from tasks.core.journal import differences, recipe, sharing, stepplaces
from tasks.core.journal.differences import (
    BUILDER,
    EVICTED,
    FAILED_BEFORE,
    FIRST,
    INSTRUCTION,
    NO_CACHE,
    PARENT,
    PLATFORM,
    UNKNOWN,
    Reason,
    shown,
)
from tasks.core.journal.recipe import Line
from tasks.core.journal.records import (
    CACHED,
    DONE,
    RUN,
    SHARED,
    STEP,
    Record,
    StepRecord,
    TargetRecord,
)
from tasks.core.journal.stepplaces import Spot


@dataclass(frozen=True)
class Miss:
    """A step that was run, why, and the record that it was compared with ("" for none)."""

    step: StepRecord
    target: str
    reasons: tuple[Reason, ...]
    compared: str = ""

    @property
    def first(self) -> bool:
        """Whether it was the first on its way: a later one misses because its parent did."""
        return all(reason.kind != PARENT for reason in self.reasons)


def explain(record: Record, earlier: Sequence[Record], targets: Iterable[str]) -> tuple[Miss, ...]:
    """Every step that was run in ``record`` for one of ``targets``, with the reasons.

    ``earlier`` are older records, the newest first.
    """
    wanted = set(targets)
    by_digest = {step.digest: step for step in record.steps}
    foreign = sharing.foreign(record)
    found: dict[str, Miss] = {}
    for step in record.steps:
        names = [name for name in step.targets if name in wanted]
        if step.kind != STEP or step.state in (CACHED, SHARED) or not names or step.key in found:
            continue
        miss = _miss(record, earlier, step, names[0], by_digest, foreign)
        if [reason.kind for reason in miss.reasons] == [EVICTED]:
            miss = replace(miss, reasons=sharing.reasons(step, by_digest, foreign) or miss.reasons)
        found[step.key] = miss
    return tuple(found.values())


def _miss(
    record: Record,
    earlier: Sequence[Record],
    step: StepRecord,
    name: str,
    by_digest: Mapping[str, StepRecord],
    foreign: set[str],
) -> Miss:
    above = [by_digest[each] for each in step.inputs if each in by_digest]
    steps = [each for each in above if each.kind == STEP and each.key not in foreign]
    ran = [each for each in steps if each.state != CACHED]
    if ran:
        return Miss(step, name, (Reason(PARENT, f"parent missed: {ran[0].name}"),))
    target = record.target(name)
    if record.no_cache or (target and {"*", step.stage} & set(target.uncached)):
        return Miss(step, name, (Reason(NO_CACHE, "it was built without cache"),))
    here = stepplaces.spot(record, target, step) if target else None
    if target is None or here is None:
        return Miss(step, name, (_unknown("its place in the Dockerfile"),))
    known = [(old, was) for old in earlier if (was := _same(old, target)) is not None]
    if not known:
        text = f"never there: no earlier record has {target.name}"
        return Miss(step, name, (Reason(FIRST, text),))
    alike = [(old, was) for old, was in known if here.platform in _platforms(old, was)]
    old, was, before = _counterpart(here, alike or known)
    reasons = tuple(_reasons(record, old, here, was, before))
    return Miss(step, name, reasons, old.id)


def _same(old: Record, target: TargetRecord) -> TargetRecord | None:
    """``target`` as an older record has it: by its name, or else by its Dockerfile and context."""
    found = old.target(target.name)
    if found is not None:
        return found if any(stepplaces.steps_of(old, found.name)) else None
    for each in old.targets:
        place = each.dockerfile, each.context and each.context.path
        if place == (target.dockerfile, target.context and target.context.path):
            return each if any(stepplaces.steps_of(old, each.name)) else None
    return None


@dataclass(frozen=True)
class Before:
    """The same step in an older record: its place, and the step if it was one there."""

    spot: Spot
    step: StepRecord | None
    equal: bool


def _counterpart(
    here: Spot, known: Sequence[tuple[Record, TargetRecord]]
) -> tuple[Record, TargetRecord, Before | None]:
    """The newest record that can tell: one in which the step came to its end, or did not stand.

    One that failed before it got to the step says nothing of it. The newest at all, if none can.
    """
    found = [(old, was, _before(here, old, was)) for old, was in known[:1]]
    for old, was in known:
        before = _before(here, old, was)
        ended = before and before.step and before.step.state in (RUN, CACHED, SHARED)
        if ended or (old.status == DONE and not (before and before.equal)):
            return old, was, before
    return found[0]


def _before(here: Spot, old: Record, was: TargetRecord) -> Before | None:
    label = recipe.label(here.target.stages, here.stage)
    stage = recipe.position(was.stages, label)
    if stage is None:  # it was renamed, which is no reason to miss
        stage = here.stage if here.stage < len(was.stages) else None
    if stage is None:
        return None
    lines = recipe.lines(was.stages, stage)
    at, equal = aligned(here.lines, lines, here.at)
    if at is None:
        return None
    place = Spot(was, stage, lines, at, here.platform)
    return Before(place, stepplaces.step_at(old, place, at), equal)


def aligned(now: Sequence[Line], then: Sequence[Line], at: int) -> tuple[int | None, bool]:
    """Which of ``then`` the line ``now[at]`` was, and whether it reads the same."""
    texts = [each.nameless for each in now], [each.nameless for each in then]
    for tag, a, b, c, d in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if not a <= at < b:
            continue
        if tag == "equal":
            return c + at - a, True
        alike = [n for n in range(c, d) if then[n].name == now[at].name]
        mine = [n for n in range(a, b) if now[n].name == now[at].name].index(at)
        return (alike[mine], False) if mine < len(alike) else (None, False)
    return None, False


def _reasons(
    record: Record, old: Record, here: Spot, was: TargetRecord, before: Before | None
) -> Iterator[Reason]:
    platforms = _platforms(old, was)
    if here.platform not in platforms:
        listed = ", ".join(sorted(platforms))
        yield Reason(PLATFORM, f"platform {here.platform} is new (before: {listed})")
        return
    if before is None:
        yield Reason(INSTRUCTION, f"instruction added: {shown(here.line.text)}")
        return
    found = list(differences.between(here, before.spot, same_text=before.equal))
    if not found:
        found = list(islice(_above(here, before.spot, {here.stage}), 1))
    if not found:
        found = list(_without_difference(record, old, here, before))
    yield from found


def _platforms(record: Record, target: TargetRecord) -> set[str]:
    """What the steps of ``target`` were for."""
    steps = stepplaces.steps_of(record, target.name)
    return {step.platform or record.engine.platform for step in steps}


def _above(here: Spot, there: Spot, seen: set[int]) -> Iterator[Reason]:
    """Whether a parent came from the cache, but as another one than in that record.

    Another target, or a build in between, may have made it. ``seen`` are the stages looked into.
    """
    yield from _copied(here, there, seen)
    pairs = zip(range(here.at - 1, -1, -1), range(there.at - 1, -1, -1), strict=False)
    for mine, theirs in pairs:
        up, down = replace(here, at=mine), replace(there, at=theirs)
        if up.line.name in recipe.STEPS:
            what = f"parent {shown(up.line.text, 60)}"
            yield from _new(what, differences.inside(up, down))
            yield from _copied(up, down, seen)


def _copied(here: Spot, there: Spot, seen: set[int]) -> Iterator[Reason]:
    """Whether a stage that the step copies or mounts from is another one."""
    for now, then in zip(here.line.sources, there.line.sources, strict=False):
        mine, theirs = stepplaces.end(here, now), stepplaces.end(there, then)
        if mine is None or theirs is None or mine.stage in seen:
            continue
        seen.add(mine.stage)
        yield from _new(f"stage {shown(now, 60)}", _between_stages(mine, theirs, seen))


def _between_stages(here: Spot, there: Spot, seen: set[int]) -> Iterator[Reason]:
    if here.at < 0 or there.at < 0:
        yield from differences.bases(here, there)
        return
    same = here.line.nameless == there.line.nameless
    yield from differences.between(here, there, same_text=same)
    yield from _above(here, there, seen)


def _new(what: str, found: Iterator[Reason]) -> Iterator[Reason]:
    for reason in found:
        yield Reason(reason.kind, f"new for its {what} ({reason.text})", reason.files)


def _without_difference(
    record: Record, old: Record, here: Spot, before: Before
) -> Iterator[Reason]:
    """Nothing that was recorded differs: what is left."""
    if before.step is None:
        yield _unknown(f"record {old.id} has no such step, though its Dockerfile names it")
        return
    if before.step.state not in (RUN, CACHED, SHARED):
        yield Reason(FAILED_BEFORE, f"it did not end in record {old.id}: {before.step.state}")
        return
    if record.builder.name != old.builder.name:
        pair = f"{old.builder.name or '?'} → {record.builder.name or '?'}"
        yield Reason(BUILDER, f"another builder: {pair}")
        return
    blind = _blind(here, before)
    if blind:
        yield _unknown(blind)
        return
    text = f"evicted: nothing changed since record {old.id}; the cache no longer had it"
    yield Reason(EVICTED, text + _secrets(here, before.spot))


def _blind(here: Spot, before: Before) -> str:
    """What might have changed without a trace in the records."""
    line = here.line
    if recipe.remote(line):
        return f"ADD asks for {shown(recipe.remote(line)[0], 60)} anew in each build"
    if here.files() is None or before.spot.files() is None:
        contexts = (here.target.context, before.spot.target.context)
        problems = [each.problem for each in contexts if each and each.problem]
        why = problems[0] if problems else "they are not on this machine"
        return f"the files of the context: {why}"
    for name in recipe.origins(line):
        at_hand = name in line.sources or differences.digest_of(here, name)
        if not at_hand:
            return f"what is in {shown(name, 60)}, which it takes from"
    return ""


def _secrets(here: Spot, there: Spot) -> str:
    now = {each.id for each in here.target.secrets if each.set}
    then = {each.id for each in there.target.secrets if each.set}
    used = {fields.get("id") for fields in recipe.mounts(here.line.value)}
    changed = sorted((now ^ then) & used)
    return f" (secrets that came or went, {', '.join(changed)}, are in no key)" if changed else ""


def _unknown(what: str) -> Reason:
    return Reason(UNKNOWN, f"not known: {what}")
