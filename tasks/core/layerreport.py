"""An image and its layers' files -> what each instruction cost, what is wasted, what is large."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.core import archive, efficiency, instructions, waste
from tasks.core.archive import Image
from tasks.core.efficiency import Efficiency
from tasks.core.layering import Layered
from tasks.core.untrusted import Malformed
from tasks.core.waste import Waste


@dataclass(frozen=True)
class Row:
    """One layer; ``files`` and ``content_bytes`` are of regular files, ``removed`` of whiteouts.

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


def _rows(found: Layered, wasted: Waste) -> list[Row]:
    image = found.image
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
            files=files.kinds.count("f"),
            wasted_bytes=sum(loss.wasted_bytes for loss in wasted.losses if loss.layer == number),
        )
        for number, (layer, files) in enumerate(zip(image.layers, found.layers, strict=True))
    ]
