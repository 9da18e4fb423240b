"""An image and its layers' files -> what each instruction cost, what is wasted, what is large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.core.images import archive, filetree
from tasks.core.images.archive import Image
from tasks.core.layers import efficiency, instructions, waste
from tasks.core.layers.efficiency import Efficiency
from tasks.core.layers.layerfiles import LayerFiles
from tasks.core.layers.layering import Layered
from tasks.core.layers.waste import Waste
from tasks.core.untrusted import Malformed

#: Bytes of names times layers that remove something: some minutes at most.
MAX_WORK_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Row:
    """One layer; ``files`` and ``content_bytes`` are of its regular files.

    ``compressed_bytes`` is what is pulled, None where that is not known; ``unpacked_bytes`` is its
    tar archive; ``wasted_bytes`` what of it later layers replaced or removed.
    """

    layer: int
    digest: str
    diff_id: str
    instruction: str
    compressed_bytes: int | None
    unpacked_bytes: int
    content_bytes: int
    files: int
    wasted_bytes: int


@dataclass(frozen=True)
class LayerReport:
    """What is reported of an image for one platform; ``name`` is how it was asked for."""

    name: str
    image: Image
    rows: tuple[Row, ...]
    efficiency: Efficiency
    waste: Waste


def analyse(name: str, found: Layered, largest: int) -> LayerReport:
    """Everything about one image. Raises UsageError for layers that no engine could put in place.

    ``largest`` is how many of the largest files are kept.
    """
    try:
        _check_work(found.layers)
        wasted = waste.measure(found.layers, largest)
    except Malformed as problem:
        raise archive.damaged(found.image.reference, problem) from None
    return LayerReport(
        name,
        found.image,
        tuple(_rows(found, wasted)),
        efficiency.measure(found.layers),
        wasted,
    )


def _check_work(layers: Sequence[LayerFiles]) -> None:
    """Each layer that removes something costs a look at every path; small images can claim many."""
    names_bytes = sum(len(path) for layer in layers for path in layer.paths)
    removing = sum(any(map(filetree.is_marker, layer.paths)) for layer in layers)
    if names_bytes * removing > MAX_WORK_BYTES:
        raise Malformed(f"{removing} layers remove something from {names_bytes} bytes of names")


def _rows(found: Layered, wasted: Waste) -> list[Row]:
    image = found.image
    lost: Counter[int] = Counter()
    for loss in wasted.losses:
        lost[loss.layer] += loss.wasted_bytes
    told = instructions.by_layer(image.config, len(image.layers))
    return [
        Row(
            layer=number,
            digest=layer.digest,
            diff_id=layer.diff_id,
            instruction=told[number],
            compressed_bytes=layer.compressed_bytes,
            unpacked_bytes=layer.unpacked_bytes,
            content_bytes=files.content_bytes,
            files=_files(files),
            wasted_bytes=lost[number],
        )
        for number, (layer, files) in enumerate(zip(image.layers, found.layers, strict=True))
    ]


def _files(layer: LayerFiles) -> int:
    """The regular files of a layer; whiteouts are stored as such, but are none."""
    pairs = zip(layer.paths, layer.kinds, strict=True)
    return sum(letter == "f" and not filetree.is_marker(path) for path, letter in pairs)
