"""The images that reports on layers are measured with, and the table of that."""

from __future__ import annotations

from pathlib import Path

from bench import layerimages, layers
from bench.layerimages import Shape
from bench.layers import Run
from tasks.core.layers import efficiency, layering, waste

SHAPES = (Shape(1, 90, 400), Shape(2, 90, 300, removes=(1,)))


def test_images_are_the_same_each_time_and_share_their_layers(tmp_path: Path) -> None:
    read = []
    for shapes in (SHAPES, (*SHAPES, Shape(3, 5, 10))):
        path = tmp_path / "image.tar"
        layerimages.write(path, "bench:1", shapes, compressed=True)
        [found] = layering.from_archive(tmp_path, path)
        read.append([layer.digest for layer in found.image.layers])
        assert found.layers[0].kinds.count("f") == 90
        assert waste.measure(found.layers).wasted_bytes > 0
        assert efficiency.measure(found.layers).score <= 1
    assert read[1][:2] == read[0]


def test_the_table_says_what_keeps_its_limit() -> None:
    runs = {
        "small": ([Run(1.0, 0), Run(9.0, 0), Run(1.2, 0)], [Run(4.0, 0)] * 3),
        "small-other": ([Run(1.0, 0)], [Run(4.0, 0)]),
        "archive": ([Run(9.0, 30 * 2**20)], [Run(10.0, 2**20 * 150)]),
    }
    lines = [line.split("|") for line in layers.table(runs).splitlines()[2:]]
    assert [[cell.strip() for cell in line[2:-1]] for line in lines] == [
        ["3", "1.20 s", "4.00 s", "0.30", "0.5: met"],
        ["1", "1.00 s", "4.00 s", "0.25", "0.1: not met"],
        ["1", "9.00 s", "10.00 s", "0.90", "0.5: not met"],
        ["1", "30.0 MiB", "150.0 MiB", "0.20", "0.3: met"],
    ]
