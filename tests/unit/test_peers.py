"""How the peers' findings are judged. No tool is run."""

from __future__ import annotations

from bench import expressing, standing
from bench.peers import SHOWN
from bench.standing import Cell, Outcome, Row
from tests.engine.gallery.exhibit import Exhibit
from tests.engine.gallery.table import EXHIBITS, FLAWED, SOUND

FLAW = Exhibit("root", "USER 0", "identity.uids")
RIGHT = Exhibit("scratch", "nothing")


def test_what_a_tool_says_of_every_image_is_not_a_catch() -> None:
    found = {"root": ("DL3002", "DL3006")}
    assert standing.cell(FLAW, found, usual=("DL3006",)) == Cell(Outcome.CAUGHT, ("DL3002",))
    assert standing.cell(FLAW, {"root": ("DL3006",)}, usual=("DL3006",)) == Cell(Outcome.MISSED)


def test_a_flaw_that_a_tool_has_no_word_for_is_not_missed_by_it() -> None:
    assert standing.cell(FLAW, {"root": ()}, about=False) == Cell(Outcome.INEXPRESSIBLE)
    assert standing.cell(FLAW, {}) == Cell(Outcome.INEXPRESSIBLE)


def test_whatever_is_said_of_a_sound_image_is_a_false_alarm() -> None:
    found = {"scratch": ("DL3006",)}
    assert standing.cell(RIGHT, found, usual=("DL3006",)).outcome is Outcome.ALARM
    assert standing.slipway(RIGHT, found).outcome is Outcome.ALARM
    assert standing.cell(RIGHT, {}) == Cell(Outcome.QUIET)


def test_slipway_has_to_fail_the_flaws_own_proof() -> None:
    assert standing.slipway(FLAW, {"root": ("identity.uids",)}).outcome is Outcome.CAUGHT
    assert standing.slipway(FLAW, {"root": ("runtime.page",)}).outcome is Outcome.MISSED


def test_the_page_has_the_sums_and_every_exhibit() -> None:
    rows = [
        Row(FLAW, {"A": Cell(Outcome.CAUGHT, ("x|y",)), "B": Cell(Outcome.MISSED)}),
        Row(RIGHT, {"A": Cell(Outcome.QUIET), "B": Cell(Outcome.ALARM, ("z",))}),
    ]
    page = standing.page(rows, ("A", "B"))
    assert standing.sums(rows, ("A", "B")) == [
        ("caught, of 1 flawed", "1", "0"),
        ("missed", "0", "1"),
        ("not expressible", "0", "0"),
        ("false alarms, of 1 sound", "0", "1"),
    ]
    assert "| USER 0 " in page
    assert "false alarm (z)" in page


def test_every_exhibit_has_its_own_name_and_the_gallery_is_large_enough() -> None:
    assert len({each.name for each in EXHIBITS}) == len(EXHIBITS)
    assert len(FLAWED) >= 40
    assert len(SOUND) >= 10
    assert all(each.sound for each in SOUND)
    assert not any(each.sound for each in FLAWED)


def test_what_is_said_to_the_peers_is_about_exhibits_that_there_are() -> None:
    flawed = {each.name for each in SHOWN if not each.sound}
    assert expressing.STRUCTURE.keys() <= flawed
    assert expressing.PLATFORM.keys() <= expressing.STRUCTURE.keys()
    assert all(names <= flawed for names in expressing.ABOUT.values())
