"""Images -> their layers with the files in them, as far as a treemap shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tasks.core import contents, daemon, process
from tasks.core.entries import Kind
from tasks.core.session import Session
from tasks.core.sizes import ImageSize

#: The largest files of a layer that are shown one by one; the others by their folder.
SHOWN = 40
NO_INSTRUCTION = "(the history does not say)"


@dataclass(frozen=True)
class Piece:
    """A file, or what is left of a folder: ``files`` of them, with their bytes together."""

    path: str
    size_bytes: int
    files: int = 1


@dataclass(frozen=True)
class MappedLayer:
    """One layer: who made it, its sizes in bytes, how many files, and the largest of them."""

    number: int
    instruction: str
    compressed_bytes: int | None
    unpacked_bytes: int
    files: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Mapped:
    """One image for one platform, its layers from the lowest on."""

    target: str
    platform: str
    layers: tuple[MappedLayer, ...]


def images(session: Session, sizes: Sequence[ImageSize]) -> tuple[Mapped, ...]:
    """What is in the images that were measured: one platform of each, the engine's own if it can.

    The same image under several names is read once.
    """
    found: list[Mapped] = []
    known: dict[str, tuple[contents.Contents, ...]] = {}
    with closing(daemon.connect(session.engine)) as client:
        for size in _one_platform(sizes, session.engine.native_platform):
            if size.tag not in known:
                process.note(f"reading the files of {size.target} …")
                known[size.tag] = contents.read(client.api.get_image(size.tag), size.tag)
            held = next((one for one in known[size.tag] if one.platform == size.platform), None)
            if held is not None:
                found.append(_mapped(size, held))
    return tuple(found)


def instructions(config: Mapping[str, Any], layers: int) -> tuple[str, ...]:
    """The instruction that made each layer, by the config's history, in which some made none.

    Where the history does not fit the layers nobody can say.
    """
    history = config.get("history")
    entries = history if isinstance(history, list) else []
    made = [
        _instruction(entry)
        for entry in entries
        if isinstance(entry, dict) and not entry.get("empty_layer")
    ]
    return tuple(made) if len(made) == layers else (NO_INSTRUCTION,) * layers


def pieces(files: Iterable[tuple[str, int]], shown: int = SHOWN) -> tuple[Piece, ...]:
    """The largest of ``files`` (path, bytes), the others by their top folders; largest first."""
    ordered = sorted((one for one in files if one[1] > 0), key=lambda one: (-one[1], one[0]))
    found = [Piece(path, size) for path, size in ordered[:shown]]
    rest: dict[str, list[int]] = {}
    for path, size in ordered[shown:]:
        folder = "/".join(path.split("/")[:2]) if path.count("/") > 1 else path.partition("/")[0]
        rest.setdefault(folder, []).append(size)
    found += [Piece(f"{folder}/…", sum(each), len(each)) for folder, each in rest.items()]
    return tuple(sorted(found, key=lambda one: (-one.size_bytes, one.path)))


def _one_platform(sizes: Sequence[ImageSize], native: str) -> list[ImageSize]:
    chosen: dict[str, ImageSize] = {}
    for size in sizes:
        if size.target not in chosen or size.platform == native:
            chosen[size.target] = size
    return list(chosen.values())


def _mapped(size: ImageSize, held: contents.Contents) -> Mapped:
    made_by = instructions(held.config, len(held.layers))
    layers = []
    for number, (layer, instruction) in enumerate(zip(held.layers, made_by, strict=True), 1):
        files = [
            (entry.path, entry.size_bytes) for entry in layer.entries if entry.kind is Kind.FILE
        ]
        layers.append(
            MappedLayer(
                number,
                instruction,
                layer.compressed_bytes,
                layer.unpacked_bytes,
                len(files),
                pieces(files),
            )
        )
    return Mapped(size.target, size.platform, tuple(layers))


def _instruction(entry: Mapping[str, Any]) -> str:
    """As it stands in a Dockerfile: BuildKit and the classic builder each write it their way."""
    text = entry.get("created_by")
    if not isinstance(text, str) or not text:
        return NO_INSTRUCTION
    shell = "/bin/sh -c #(nop) "
    text = text.removeprefix(shell).removesuffix("# buildkit").strip()
    if text.startswith("/bin/sh -c "):
        text = f"RUN {text.removeprefix('/bin/sh -c ')}"
    return " ".join(text.replace("RUN /bin/sh -c ", "RUN ").split())
