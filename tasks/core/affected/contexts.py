"""Which files of a build context are not as they were, of those that a build would be sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.core.affected.checkout import Changed, Checkout, below
from tasks.core.affected.reasons import Reason
from tasks.core.journal import ignoring
from tasks.core.journal.ignoring import Patterns

EVERYTHING = ignoring.sources(["."])


@dataclass(frozen=True)
class Side:
    """One side of the comparison: what the ignore file leaves out, and what steps take."""

    ignored: Patterns
    wanted: Patterns

    def takes(self, path: str, *, deep: bool = False) -> bool:
        """Whether a step takes ``path``; with ``deep`` also whether it takes something below it."""
        if self.ignored.match(path) and not (deep and self.ignored.may_spare_below(path)):
            return False
        return self.wanted.match(path) or (deep and self.wanted.may_match_below(path))


@dataclass(frozen=True)
class Contexts:
    """What changed in a checkout, to be asked about one context after the other."""

    checkout: Checkout
    changes: tuple[Changed, ...]
    #: The links of each context: several targets have it.
    _links: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def changed(self) -> frozenset[str]:
        """The paths that are not as they were."""
        return frozenset(each.path for each in self.changes)

    def reasons(
        self, folder: Path, dockerfile: Path | None, before: Patterns, now: Patterns
    ) -> Iterator[Reason]:
        """Why what is taken of the context ``folder`` is not what it was.

        ``before`` and ``now`` are the paths that steps took and take.
        """
        place = self.checkout.path(folder)
        if place is None:
            yield Reason("unknown", f"files of {folder}: it lies outside of the checkout")
            return
        ignored_before, ignored_now = self._ignored(folder, dockerfile)
        old = Side(ignored_before, self._with_links(place, before))
        new = Side(ignored_now, self._with_links(place, now))
        yield from self._files(place, old, new)
        if ignored_before != ignored_now:
            yield from self._let_in(place, old, new)

    def _files(self, place: str, old: Side, new: Side) -> Iterator[Reason]:
        for each in self.changes:
            path = below(each.path, place)
            if path is None:
                continue
            was = each.before and old.takes(path, deep=each.is_folder)
            if was or (each.now and new.takes(path, deep=each.is_folder)):
                yield Reason("file", each.path)

    def _let_in(self, place: str, old: Side, new: Side) -> Iterator[Reason]:
        """The files that are as they were, but taken on one side only."""
        there = {*self.checkout.files_before(place), *self.checkout.files_now(place)}
        for each in sorted(there - self.changed):
            path = below(each, place)
            if path is not None and old.takes(path) != new.takes(path):
                word = "in" if new.takes(path) else "out"
                yield Reason("ignore file", f"now leaves {word} {each}")

    def _ignored(self, folder: Path, dockerfile: Path | None) -> tuple[Patterns, Patterns]:
        """What is left out, before and now: the Dockerfile's own ignore file comes first."""
        name = ignoring.IGNORE_FILE
        own = [dockerfile.with_name(f"{dockerfile.name}{name}")] if dockerfile else []
        candidates = [*own, folder / name]
        today = next((path for path in candidates if path.is_file()), None)
        now = ignoring.parse(today.read_text("utf-8", "replace") if today else "")
        places = [place for path in candidates if (place := self.checkout.path(path))]
        if not self.changed & set(places):
            return now, now
        texts = (self.checkout.text(place) for place in places)
        return ignoring.parse(next((text for text in texts if text is not None), "")), now

    def _with_links(self, place: str, wanted: Patterns) -> Patterns:
        """``wanted``; everything where a step takes what a link of the context leads to."""
        if place not in self._links:
            self._links[place] = self.checkout.links(place)
        links = (below(path, place) for path in self._links[place])
        return EVERYTHING if any(link and _leads(link, wanted) for link in links) else wanted


def _leads(link: str, wanted: Patterns) -> bool:
    """Whether a step names a link, or something behind it: then its goal is what is taken."""
    return any(
        entry.text != "**"
        and (entry.expression.fullmatch(link) or entry.text.startswith(f"{link}/"))
        for entry in wanted.entries
    )
