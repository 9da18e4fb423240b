"""The page shows all there is, runs nothing, and believes nothing that it shows."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from tasks.core.page import bars, drawing, maps, trends
from tasks.core.page.reading import pieces
from tasks.core.page.treemap import Box, squarified
from tests.unit import pages

EVIL = """"><script>alert(1)</script><img src=x onerror=alert(2)>'</style></title>\x1b[31m\u202e"""
VOID = {"meta", "img", "link", "br"}


class Outline(HTMLParser):
    """Which elements there are, with which attributes; whether they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    assert not parsed.open
    return parsed


@pytest.fixture(scope="module")
def page() -> str:
    return drawing.html(pages.report())


def test_hostile_text_adds_no_element_and_no_attribute(page: str) -> None:
    def shape(html: str) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in outline(html).found]

    hostile = drawing.html(pages.report(EVIL))
    assert shape(hostile) == shape(page)
    assert "\x1b" not in hostile
    assert "\u202e" not in hostile
    assert "&lt;script&gt;" in hostile


def test_the_page_runs_nothing_and_loads_nothing(page: str) -> None:
    for tag, attributes in outline(page).found:
        assert tag not in ("script", "link", "img", "iframe", "object", "form", "base")
        assert not {"style", "src", "onclick", "onload"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in page
    assert "@import" not in page


def test_the_policy_allows_its_own_style_and_no_other_thing(page: str) -> None:
    found = outline(page).found
    policy = next(a["content"] for _, a in found if a.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    wanted = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert policy == wanted


def test_every_part_and_its_figures_are_there(page: str) -> None:
    for name in ("sizes", "variants", "layers", "timeline", "cache", "verdicts", "trend"):
        assert f'<section id="{name}">' in page
    assert 'class="missing"' not in page
    assert "381.5 MiB" in page
    assert "95.0 %" in page
    assert "1 of 3 steps came from the cache" in page


def test_what_is_missing_says_why() -> None:
    html = drawing.html(pages.empty())
    outline(html)
    assert html.count('class="missing"') == 7
    assert "no image to measure; build them first" in html


def test_boxes_fill_the_map_and_do_not_overlap() -> None:
    sizes = [60, 25, 25, 12, 6, 6, 4, 3, 2, 2, 1, 1, 1]
    outer = Box(10, 20, 160, 90)
    boxes = squarified(sizes, outer)
    scale = outer.width * outer.height / sum(sizes)
    for size, box in zip(sizes, boxes, strict=True):
        assert box.width * box.height == pytest.approx(size * scale)
        assert box.x >= outer.x - 1e-6
        assert box.x + box.width <= outer.x + outer.width + 1e-6
        assert box.y + box.height <= outer.y + outer.height + 1e-6
    for n, one in enumerate(boxes):
        for other in boxes[n + 1 :]:
            across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert across < 1e-6 or down < 1e-6
    assert max(max(b.width / b.height, b.height / b.width) for b in boxes) < 4


def test_no_sizes_no_boxes() -> None:
    assert squarified([], Box(0, 0, 1, 1)) == ()


def test_pieces_add_up_and_the_small_ones_are_put_together_by_folder() -> None:
    files = [("a/big", 100), ("usr/lib/x", 3), ("usr/lib/y", 2), ("usr/bin/z", 1), ("empty", 0)]
    found = pieces(files, shown=1)
    assert [(p.path, p.size_bytes, p.files) for p in found] == [
        ("a/big", 100, 1),
        ("usr/lib/…", 5, 2),
        ("usr/bin/…", 1, 1),
    ]


def test_bars_have_one_scale_and_stay_inside() -> None:
    report = pages.report()
    rows = [bar for group in bars.sizes(report.sizes).values() for bar in group]
    assert [part.width for bar in rows for part in bar.parts] == [5.0, 1.667, 100, 33.333]
    assert report.timeline
    for bar in bars.steps(report.timeline):
        for part in bar.parts:
            assert part.start >= 0
            assert part.start + part.width <= 100.5


def test_the_map_names_only_what_has_room() -> None:
    drawn = maps.draw(pages.report().images[0])
    assert len(drawn.frames) == 2
    assert all(cell.box.width >= maps.NAMED[0] for cell in drawn.cells if cell.name)
    assert any(not cell.name for cell in drawn.cells)


def test_lines_go_from_old_to_new_on_a_scale_from_zero() -> None:
    seconds, hits, sizes = trends.charts(pages.report().trend)
    assert seconds.top == "9.0 s"
    xs = [point.x for point in seconds.lines[0].points]
    assert xs == sorted(xs)
    assert seconds.lines[0].points[-1].y == 6.0
    assert hits.lines[0].last == "33 %"
    assert sizes.lines[0].last == "11.0 MiB"
