"""Which targets are affected by what changed since a commit, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tasks.core.affected import before as befores
from tasks.core.affected import checkout as checkouts
from tasks.core.affected import reasons, taking
from tasks.core.affected.before import Before
from tasks.core.affected.checkout import Checkout
from tasks.core.affected.contexts import EVERYTHING, Contexts
from tasks.core.affected.reasons import Reason
from tasks.core.affected.taking import MAIN, Taken
from tasks.core.bake import definitions, needs
from tasks.core.bake.definitions import Definition, Target
from tasks.core.pins import lock
from tasks.core.pins.lock import Lock
from tasks.core.session import Session
from tasks.core.untrusted import Malformed


@dataclass(frozen=True)
class Affected:
    """What is to be built: by target, in the order of the bake file, the reasons.

    ``base`` is the commit that was compared with; ``removed`` were targets there. ``asides`` are
    Dockerfiles that changed in a way that makes no difference.
    """

    base: str
    targets: Mapping[str, tuple[Reason, ...]]
    definition: Definition
    removed: tuple[str, ...] = ()
    asides: tuple[str, ...] = ()


def find(session: Session, since: str) -> Affected:
    """The targets of the bake file that would come out otherwise than at ``since``.

    More exactly, than where ``since`` and HEAD part. What is not committed counts. Raises
    UsageError for a commit that git cannot tell anything of, see ``checkout.find``.
    """
    checkout = checkouts.find(session.root, since)
    contexts = Contexts(checkout, checkout.changes())
    now = session.everything()
    made_of = {checkout.path(session.root / name) for name in befores.files(session)}
    if made_of & contexts.changed:
        old = befores.load(session, checkout)
    else:
        old = Before(now, session.settings.environment())
    return _Question(session, contexts, old, now).answer()


@dataclass(frozen=True)
class _Question:
    session: Session
    contexts: Contexts
    old: Before
    now: Definition

    @property
    def checkout(self) -> Checkout:
        return self.contexts.checkout

    def answer(self) -> Affected:
        own = {name: tuple(dict.fromkeys(self._own(t))) for name, t in self.now.targets.items()}
        before = self.old.definition.targets if self.old.definition else {}
        return Affected(
            self.checkout.base,
            spread(self.now, own),
            self.now,
            tuple(sorted(before.keys() - self.now.targets.keys())),
            tuple(self._asides(own)),
        )

    def _own(self, target: Target) -> Iterator[Reason]:
        """Why ``target`` itself is affected, whatever it builds on."""
        if self.old.definition is None:
            yield Reason("unknown", f"what was built at that commit: {self.old.reason}")
            return
        raw = self.old.definition.raw["target"].get(target.name)
        yield from reasons.of_definition(raw, self.now.raw["target"][target.name])
        if raw is None:
            return
        before = self.old.definition.targets[target.name]
        texts = self._texts(before, target)
        old = taking.read(texts[0] or "", before.args, before.stage)
        new = taking.read(texts[1] or "", target.args, target.stage)
        if _differ(texts, old, new):
            yield Reason("dockerfile", self._place(target.dockerfile) or "in the bake file")
        yield from self._files(target, old, new)
        yield from self._bases(target)

    def _texts(self, before: Target, now: Target) -> tuple[str | None, str | None]:
        """The Dockerfile of a target, before and now."""
        today = needs.text_of(now)
        place = self._place(before.dockerfile)
        if before.inline is not None:
            return before.inline, today
        same = before.dockerfile == now.dockerfile and place not in self.contexts.changed
        return (today if same or place is None else self.checkout.text(place)), today

    def _files(self, target: Target, old: Taken | None, new: Taken | None) -> Iterator[Reason]:
        """The files of the target's contexts, as far as a step takes them."""
        for name, folder in {MAIN: target.context, **self._folders(target)}.items():
            if folder is not None:
                before, now = (side.of(name) if side else EVERYTHING for side in (old, new))
                dockerfile = target.dockerfile if name == MAIN else None
                yield from self.contexts.reasons(folder, dockerfile, before, now)

    def _folders(self, target: Target) -> dict[str, Path | None]:
        """The named contexts of a target that are folders."""
        return {
            name: definitions.folder(self.session.root, at)
            for name, at in target.contexts.items()
            if not at.startswith(definitions.TARGET)
        }

    def _bases(self, target: Target) -> Iterator[Reason]:
        """The bases whose locked digest is another one."""
        before, now = self._locks
        for name in needs.images_of(target) if before != now else ():
            was, is_ = (lock.find(known, name) for known in (before, now))
            if (was and was.digest) != (is_ and is_.digest):
                yield Reason("base", f"{name}: {lock.short(was)} → {lock.short(is_)}")

    @cached_property
    def _locks(self) -> tuple[Lock, Lock]:
        """The lock as it was, and as it is; empty where builds did, or do, not keep to it."""
        was: Lock = {}
        place = self._place(self.session.root / lock.NAME)
        text = self.checkout.text(place) if place else None
        if text is not None and self.old.environment.get(lock.SETTING, lock.AUTO) != lock.OFF:
            try:
                was = lock.parse(text.encode())
            except Malformed:
                was = {}  # no build could keep to it
        if self.session.settings[lock.SETTING] == lock.OFF:
            return was, {}
        return was, lock.load(self.session.root) or {}

    def _asides(self, own: Mapping[str, tuple[Reason, ...]]) -> Iterator[str]:
        """The Dockerfiles that changed while no target is affected by it."""
        told = {each.what for found in own.values() for each in found if each.kind == "dockerfile"}
        places = {self._place(target.dockerfile) for target in self.now.targets.values()}
        yield from sorted(place for place in places - told if place in self.contexts.changed)

    def _place(self, path: Path | None) -> str | None:
        return None if path is None else self.checkout.path(path)


def _differ(texts: tuple[str | None, str | None], old: Taken | None, new: Taken | None) -> bool:
    """Whether a Dockerfile says something else to its target; any letter counts if in doubt."""
    if old is None or new is None:
        return texts[0] != texts[1]
    return old.instructions != new.instructions


def spread(now: Definition, own: Mapping[str, tuple[Reason, ...]]) -> dict[str, tuple[Reason, ...]]:
    """What is affected by its ``own`` reasons, and what builds on that, however far away."""
    found = {name: given for name, given in own.items() if given}
    waiting = list(found)
    while waiting:
        changed = waiting.pop()
        for name, target in now.targets.items():
            if f"{definitions.TARGET}{changed}" not in target.contexts.values():
                continue
            if name not in found:
                waiting.append(name)
            found[name] = (*found.get(name, ()), Reason("builds on", changed))
    return {name: tuple(dict.fromkeys(found[name])) for name in now.targets if name in found}
