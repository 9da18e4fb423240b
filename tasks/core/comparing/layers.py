"""Two lists of layers -> which are in both, by what they unpack to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tasks.core.comparing import concealing
from tasks.core.comparing.files import Change
from tasks.core.images.contents import Contents
from tasks.core.layers import instructions

SAME = "same"


@dataclass(frozen=True)
class LayerSide:
    """A layer in one image: its place from 0 on, what made it, and its sizes."""

    number: int
    instruction: str
    diff_id: str
    compressed_bytes: int | None
    unpacked_bytes: int


@dataclass(frozen=True)
class LayerChange:
    """A layer that both have ("same"), one has, or that one instruction made differently."""

    change: str
    before: LayerSide | None
    after: LayerSide | None

    @property
    def difference_bytes(self) -> int:
        """How much more it unpacks to in the second image."""
        before, after = (side.unpacked_bytes if side else 0 for side in (self.before, self.after))
        return after - before


def changes(
    before: Contents, after: Contents, secrets: Collection[str] = ()
) -> tuple[LayerChange, ...]:
    """All layers of both, in order."""
    here, there = _sides(before, secrets), _sides(after, secrets)
    return tuple(_changes(here, there))


def _changes(here: Sequence[LayerSide], there: Sequence[LayerSide]) -> Iterator[LayerChange]:
    for kind, a, b, c, d in _matched([x.diff_id for x in here], [x.diff_id for x in there]):
        if kind == "equal":
            yield from map(LayerChange, [SAME] * (b - a), here[a:b], there[c:d])
        else:
            yield from _replaced(here[a:b], there[c:d])


def _replaced(here: Sequence[LayerSide], there: Sequence[LayerSide]) -> Iterator[LayerChange]:
    """Where the same instruction made another layer, it is one that changed."""
    words = [[side.instruction for side in sides] for sides in (here, there)]
    for kind, a, b, c, d in _matched(*words):
        if kind == "equal":
            yield from map(LayerChange, [Change.CHANGED.value] * (b - a), here[a:b], there[c:d])
            continue
        yield from (LayerChange(Change.REMOVED.value, side, None) for side in here[a:b])
        yield from (LayerChange(Change.ADDED.value, None, side) for side in there[c:d])


def _matched(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    yield from SequenceMatcher(None, one, other, autojunk=False).get_opcodes()


def _sides(contents: Contents, secrets: Collection[str]) -> list[LayerSide]:
    made = instructions.by_layer(contents.config, len(contents.layers))
    return [
        LayerSide(
            number,
            concealing.text(instruction, secrets),
            layer.diff_id,
            layer.compressed_bytes,
            layer.unpacked_bytes,
        )
        for number, (layer, instruction) in enumerate(zip(contents.layers, made, strict=True))
    ]
