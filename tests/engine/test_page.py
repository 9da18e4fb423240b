"""The page in a real browser: it draws, asks for nothing, complains of nothing, and fits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tasks.core.page import drawing
from tests.engine.browser import Page, browser
from tests.engine.conftest import run_task
from tests.unit import pages

SIZES = ((1200, 900), (390, 844))
#: What is left of the hostile text that the page was given, if anything of it had been believed.
EVIL = "\"><script>document.title='owned'</script><img src=http://203.0.113.1/x onerror=alert(1)>"
#: How large each chart is, and the smallest thing drawn in it; details are opened to be seen.
BOXES = """
(() => {
  document.querySelectorAll('details').forEach(each => each.open = true);
  const box = each => { const b = each.getBoundingClientRect(); return [b.width, b.height]; };
  return [...document.querySelectorAll('svg.chart')].map(chart => ({
    kind: chart.getAttribute('class'),
    box: box(chart),
    drawn: [...chart.querySelectorAll('rect.fill, rect.cell, circle')].map(box),
  }));
})()
"""
WIDTHS = "[document.documentElement.scrollWidth, innerWidth]"
COLOURS = """
(() => ['body', 'section', 'h1'].map(name => {
  const style = getComputedStyle(document.querySelector(name));
  return [style.backgroundColor, style.color];
}))()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser") / "profile") as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything in it, all of whose texts are hostile."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(drawing.html(pages.report(EVIL)), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SIZES, ids=["desk", "phone"])
def test_every_chart_draws(page: Page, file: Path, width: int, height: int, dark: bool) -> None:
    page.show(file, width, height, dark=dark)
    demand_drawn(page, {"bar": 7, "treemap": 1, "lines": 3})
    across, room = page.evaluate(WIDTHS)
    assert across <= room
    assert page.evaluate("document.title") == f"{EVIL}: images and builds"
    assert page.evaluate("document.querySelectorAll('script, img').length") == 0
    quiet(page, file)


def test_dark_and_light_differ_and_both_can_be_read(page: Page, file: Path) -> None:
    seen = []
    for dark in (False, True):
        page.show(file, 1200, 900, dark=dark)
        (body, _), (section, _), (_, ink) = page.evaluate(COLOURS)
        assert contrast(ink, section) > 7
        assert contrast(ink, body) > 7
        seen.append(section)
    assert luminance(seen[0]) > 0.8
    assert luminance(seen[1]) < 0.05


def test_the_keyboard_reaches_the_parts_and_opens_the_tables(page: Page, file: Path) -> None:
    page.show(file, 1200, 900)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = false)")
    reached = []
    for _ in range(80):
        page.press("Tab")
        reached.append(
            page.evaluate(
                "(e => e.tagName + ' ' + (e.getAttribute('href') || ''))(document.activeElement)"
            )
        )
        if reached[-1].startswith("SUMMARY"):
            break
    assert reached[0] == "A #main"
    assert "A #timeline" in reached
    page.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")
    page.press("Tab")
    region = page.evaluate("document.activeElement.getAttribute('role')")
    assert region == "region", "a table that scrolls can be scrolled by keyboard"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "where the focus is can be seen"


def test_the_policy_stops_what_a_page_should_not_do(page: Page, file: Path) -> None:
    page.show(file, 1200, 900)
    page.evaluate(
        "(i => { i.src = 'http://203.0.113.1/x.png'; document.body.append(i); })(new Image())"
    )
    page.evaluate("new Promise(done => setTimeout(done, 200))")
    assert any("Content Security Policy" in one for one in page.complaints())
    page.events.clear()


def test_a_build_of_ones_own_is_on_the_page(page: Page, scratch: Path) -> None:
    project = {"PROJECT": "slipway-test-page"}
    with (scratch / "Dockerfile").open("a") as file:
        file.write(f"# {uuid4()}\n")  # so that its step runs: what comes from the cache has no bar
    assert run_task(scratch, "build.targets", "app", env=project).code == 0
    ran = run_task(scratch, "report.html", env=project)
    assert ran.code == 0, ran.err
    made = scratch / ".slipway" / "report.html"
    page.show(made, 390, 844)
    demand_drawn(page, {"bar": 3, "treemap": 1, "lines": 2})
    text = page.evaluate("document.body.innerText")
    assert "slipway-test-page" in text
    assert "COPY Dockerfile /" in text
    assert "nothing was proven yet; run: inv verify.all" in text
    quiet(page, made)


def demand_drawn(page: Page, least: dict[str, int]) -> None:
    """So many charts of each kind, and whatever is drawn in them, have a size."""
    charts: list[dict[str, Any]] = page.evaluate(BOXES)
    for kind, count in least.items():
        found = [chart for chart in charts if kind in chart["kind"].split()]
        assert len(found) >= count, kind
        for chart in found:
            assert min(chart["box"]) > 5, chart
            assert chart["drawn"], chart
            assert all(min(box) > 0 for box in chart["drawn"]), chart


def quiet(page: Page, file: Path) -> None:
    """Nothing was complained of, and nothing asked for but the page itself."""
    assert page.complaints() == []
    assert page.requests() == []
    assert set(page.files()) == {file.resolve().as_uri()}
    page.events.clear()


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2: 7 and more is level AAA."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of ``rgb(r, g, b)``, by WCAG 2."""
    parts = [int(each) / 255 for each in colour.split("(")[1].rstrip(")").split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
