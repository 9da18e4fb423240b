"""What differs between a step and the same step in an older record: pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tasks.core.journal import recipe
from tasks.core.journal.recipe import Given, Line
from tasks.core.journal.stepplaces import Spot
from tasks.core.provision import references
from tasks.core.render import tables

#: Kinds of reasons.
NO_CACHE, FIRST, PLATFORM = "no-cache", "first", "platform"
INSTRUCTION, ARGUMENT, BASE_DIGEST, FILES = "instruction", "argument", "base", "files"
PARENT, FAILED_BEFORE, BUILDER = "parent", "failed", "builder"
EVICTED, BESIDE, UNKNOWN = "evicted", "beside", "unknown"
#: So many names of files are told; the others are counted.
SHOWN_FILES = 5


@dataclass(frozen=True)
class Reason:
    """One reason: its kind, and the sentence. ``files`` for kind "files": by path, what became."""

    kind: str
    text: str
    files: tuple[tuple[str, str], ...] = ()


def between(here: Spot, there: Spot, *, same_text: bool) -> Iterator[Reason]:
    """What of the step itself, and of what it is given, differs."""
    yield from bases(here, there, recipe.origins(here.line))
    if not same_text:
        yield Reason(
            INSTRUCTION,
            f"instruction changed: {shown(there.line.text)} → {shown(here.line.text)}",
        )
    elif _other_stage(here, there):
        text = f"{shown(there.line.text)} → {shown(here.line.text)}"
        yield Reason(INSTRUCTION, f"instruction changed: {text}")
    yield from _steps_before(here, there)
    yield from inside(here, there)


def inside(here: Spot, there: Spot) -> Iterator[Reason]:
    """What differs of what the step is given, and of the files that it takes."""
    yield from _given(here, there)
    yield from of_files(here.files(), there.files())


def _other_stage(here: Spot, there: Spot) -> bool:
    """Whether it takes from another stage; one that was only renamed is none."""
    pairs = zip(here.line.sources, there.line.sources, strict=False)
    known = {each.name for each in there.target.stages}, {each.name for each in here.target.stages}
    return any(new != old and (new in known[0] or old in known[1]) for new, old in pairs)


def bases(here: Spot, there: Spot, origins: Sequence[str] = ()) -> Iterator[Reason]:
    """Whether the image at the bottom of the stage, or one of ``origins``, is another one."""
    if here.image != there.image:
        yield Reason(INSTRUCTION, f"instruction changed: FROM {there.image} → FROM {here.image}")
        return
    if here.reference != there.reference:
        yield from _arguments_in(here, there)
        return
    names = {here.reference, *origins}
    for name in sorted(names):
        now, then = digest_of(here, name), digest_of(there, name)
        if now and then and now != then:
            pair = f"{tables.short_digest(then)} → {tables.short_digest(now)}"
            yield Reason(BASE_DIGEST, f"base {name}: {pair}")


def _arguments_in(here: Spot, there: Spot) -> Iterator[Reason]:
    """Why the same FROM is another image: the argument that it is written with."""
    text = f"instruction changed: FROM {there.reference} → {here.reference}"
    found = (_behind(here, there, each) for each in _variables(here.image))
    yield next((each for each in found if each), Reason(INSTRUCTION, text))


def digest_of(spot: Spot, name: str) -> str:
    """The digest that the base image ``name`` had; "" where it is not known."""
    bases = [base for base in spot.target.bases if base.platform in (None, spot.platform)]
    exact = [base for base in bases if base.reference == name]
    alike = [base for base in bases if references.same(base.reference, name)]
    return next((base.digest for base in (*exact, *alike)), "")


def _steps_before(here: Spot, there: Spot) -> Iterator[Reason]:
    """The steps in front of it, that were all hits: another order or number makes other parents."""
    now = [line.nameless for line in here.lines[: here.at] if line.name in recipe.STEPS]
    then = [line.nameless for line in there.lines[: there.at] if line.name in recipe.STEPS]
    for tag, a, _, c, _ in SequenceMatcher(None, then, now, autojunk=False).get_opcodes():
        if tag == "delete":
            yield Reason(INSTRUCTION, f"instruction removed before it: {shown(then[a])}")
        elif tag == "insert":
            yield Reason(INSTRUCTION, f"instruction added before it: {shown(now[c])}")
        elif tag == "replace":
            text = f"{shown(then[a])} → {shown(now[c])}"
            yield Reason(INSTRUCTION, f"instruction changed before it: {text}")


def _given(here: Spot, there: Spot) -> Iterator[Reason]:
    """What a RUN is given; of the other steps only what they name."""
    now, then, line = here.given(), there.given(), here.line
    found = list(_arguments(here, there, now, then))
    yield from found
    for name in sorted({*now.env, *then.env}) if not found else ():
        old, new = then.env.get(name), now.env.get(name)
        if old != new and _counts(line, name):
            names = _written(here, name)
            behind = [each for each in names if now.args.get(each) != then.args.get(each)]
            if behind and names == _written(there, name):
                yield _argument(here, there, behind[0])
            else:
                yield Reason(INSTRUCTION, _setter("ENV ", name, old, new))
    for word, old, new in (("USER", then.user, now.user), ("SHELL", then.shell, now.shell)):
        if old != new and line.name == "RUN":
            yield Reason(INSTRUCTION, _setter(word, "", old or None, new or None))


def _arguments(here: Spot, there: Spot, now: Given, then: Given) -> Iterator[Reason]:
    found: dict[Reason, None] = {}
    for name in sorted({*now.args, *then.args}):
        old, new = then.args.get(name), now.args.get(name)
        if old == new or not _counts(here.line, name):
            continue
        if name not in then.written:
            reason = Reason(INSTRUCTION, f"instruction added before it: ARG {name}")
        elif name not in now.written:
            reason = Reason(INSTRUCTION, f"instruction removed before it: ARG {name}")
        else:
            reason = _behind(here, there, name) or _default(name, old, new)
        found[reason] = None
    yield from found


def _default(name: str, old: str | None, new: str | None) -> Reason:
    return Reason(INSTRUCTION, f"instruction changed: ARG {name}={old} → ARG {name}={new}")


def _behind(here: Spot, there: Spot, name: str, seen: tuple[str, ...] = ()) -> Reason | None:
    """What made the argument ``name`` another one: itself, or one that its default is made of."""
    if here.target.args.get(name) != there.target.args.get(name):
        return _argument(here, there, name)
    words = [_word(spot, name) for spot in (there, here)]
    if words[0] != words[1]:
        old, new = (word.partition("=")[2] for word in words)
        return _default(name, old, new)
    inner = (each for each in _variables(words[1]) if each not in (name, *seen))
    found = (_behind(here, there, each, (*seen, name)) for each in inner)
    return next((each for each in found if each), None)


def _word(spot: Spot, name: str) -> str:
    """How the argument ``name`` is declared, with its default; in the stage, or else globally."""
    declared = spot.given().written if spot.lines else {}
    return declared.get(name) or spot.outer.written.get(name, name)


def _written(spot: Spot, name: str) -> list[str]:
    """The variables that the value of ENV ``name`` is written with."""
    found = ""
    for line in spot.lines[: spot.at]:
        if line.name == "ENV":
            found = dict(recipe.pairs(line.value)).get(name, found)
    return _variables(found)


def _variables(text: str) -> list[str]:
    """The names of the variables in ``text``."""
    return re.findall(r"\$\{?([A-Za-z_]\w*)", text)


def _setter(word: str, name: str, old: str | None, new: str | None) -> str:
    """How an instruction that makes no layer differs; ``old`` or ``new`` is None for none."""
    mark = "=" if name else " "
    was, now = (f"{word}{name}{mark}{shown(each or '', 60)}" for each in (old, new))
    if old is None:
        return f"instruction added before it: {now}"
    if new is None:
        return f"instruction removed before it: {was}"
    return f"instruction changed before it: {was} → {now}"


def _counts(line: Line, name: str) -> bool:
    """Whether the step depends on the variable ``name``; a quoted heredoc takes none."""
    first = line.value.partition("\n")[0]
    text = first if re.search(r"<<-?[\"']", first) else line.value
    return line.name == "RUN" or bool(re.search(rf"\$\{{?{re.escape(name)}\b", text))


def _argument(here: Spot, there: Spot, name: str) -> Reason:
    pair = [spot.target.args.get(name) for spot in (there, here)]
    if any(each and each.value is None for each in pair):
        return Reason(ARGUMENT, f"build argument {name}: another value (secret)")
    old, new = (_value(each.value if each else None) for each in pair)
    return Reason(ARGUMENT, f"build argument {name}: {old} → {new}")


def _value(value: str | None) -> str:
    return "(not set)" if value is None else shown(value, 60) or '""'


def of_files(now: Mapping[str, str] | None, then: Mapping[str, str] | None) -> Iterator[Reason]:
    """Which files came, went or changed; nothing where they are not known."""
    if now is None or then is None:
        return
    found = [(path, "added") for path in sorted(now.keys() - then.keys())]
    found += [(path, "removed") for path in sorted(then.keys() - now.keys())]
    for path in sorted(now.keys() & then.keys()):
        if now[path] != then[path]:
            mode = now[path].partition(" ")[2] == then[path].partition(" ")[2]
            found.append((path, "mode changed" if mode else "changed"))
    if found:
        listed = ", ".join(f"{shown(path, 80)} {how}" for path, how in found[:SHOWN_FILES])
        more = f" and {len(found) - SHOWN_FILES} more" if len(found) > SHOWN_FILES else ""
        yield Reason(FILES, f"input files: {listed}{more}", tuple(found))


def shown(text: str, limit: int = 100) -> str:
    """Fit for one line of a terminal."""
    joined = " ".join(text.split())
    printable = "".join(c if c.isprintable() else "?" for c in joined)
    return f"{printable[: limit - 1]}…" if len(printable) > limit else printable
