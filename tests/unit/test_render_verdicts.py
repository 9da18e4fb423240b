"""Verdicts as text, Markdown and JSON: failures stand out, and nobody's text is markup."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import pytest

from tasks.core.proofs import verdicts
from tasks.core.render import comment, markdown, reproduction, terminal
from tasks.core.render import verdicts as verdict_table
from tasks.core.shipping.reproducing import Difference
from tests.unit import outcomes
from tests.unit.outcomes import HEALTHY, KEYS, NASTY, PLATFORMS, SHELL


class TestText:
    def test_few_have_a_row_each(self) -> None:
        found = [
            HEALTHY.decide("web", "linux/amd64", True, "0.7 s", "60 s", "healthy after 0.7 s"),
            SHELL.skip("web", "linux/amd64", "the policy allows it"),
        ]
        assert verdict_table.render(found, "text").splitlines() == [
            "target    proof             verdict    measured",
            "--------  ----------------  ---------  --------------------",
            "web       runtime.healthy   ok         healthy after 0.7 s",
            "web       filesystem.shell  skipped    the policy allows it",
            "1 passed, 0 failed, 1 skipped on linux/amd64.",
        ]

    def test_many_have_a_row_a_family_and_what_was_measured(self) -> None:
        text = verdict_table.render(outcomes.many(*PLATFORMS), "text")
        lines = text.splitlines()
        assert (
            "web-0     linux/amd64  runtime     1 ok        healthy after 0.7 s, linux/amd64"
            in lines
        )
        assert len([line for line in lines if line.startswith("web-")]) == 6 * 2 * 4
        assert "skipped, the policy allows it: filesystem.shell" in lines
        assert lines[-1] == "12 passed, 24 failed, 12 skipped."

    def test_everything_has_a_row_each_however_many(self) -> None:
        found = outcomes.many(*PLATFORMS)
        lines = verdict_table.render(found, "text", everything=True).splitlines()
        assert len([line for line in lines if line.startswith("web-")]) == len(found)
        assert not [line for line in lines if line.startswith("skipped, ")]

    def test_failures_come_last_the_gravest_first_and_once_for_all_platforms(self) -> None:
        text = verdict_table.render(outcomes.image("web", *PLATFORMS), "text")
        assert text.partition("\n\n")[2].splitlines() == [
            "FAILED  critical  secrets.keys  web  linux/amd64, linux/arm64",
            *(f"  /app/{number}.pem in layer 2: a private key" for number in range(10)),
            "  … and 2 more: --format json",
            "  measured: 12 found; allowed: none",
            "",
            "FAILED  low       budget.layers  web  linux/amd64",
            "  30 layers, of which 20 are allowed",
            "  measured: 30; allowed: 20",
            "",
            "FAILED  low       budget.layers  web  linux/arm64",
            "  31 layers, of which 20 are allowed",
            "  measured: 31; allowed: 20",
            "",
            "2 passed, 4 failed, 2 skipped.",
        ]

    def test_what_a_message_says_beyond_its_findings_is_told(self) -> None:
        failed = KEYS.judge("web", "", ["a", "b"], "none", "none")
        failed = replace(failed, message=f"{failed.message} (the exception ended)")
        lines = verdict_table.render([failed], "text").splitlines()
        assert lines[-6:-2] == [
            "  a",
            "  b",
            "  (the exception ended)",
            "  measured: 2 found; allowed: none",
        ]

    def test_long_lines_are_folded_and_paths_stay_whole(self) -> None:
        path = "/app/" + "long-name-of-a-folder/" * 8
        failed = KEYS.judge("web", "", [f"{'word ' * 30}{path}"], "none", "none")
        lines = verdict_table.render([failed], "text").splitlines()
        assert f"  {path}" in lines
        assert max(len(line) for line in lines if path not in line) <= terminal.WIDTH

    def test_no_control_character_reaches_the_terminal(self) -> None:
        for everything in (False, True):
            text = verdict_table.render(outcomes.nasty(), "text", everything=everything)
            assert all(line.isprintable() for line in text.split("\n"))
            assert "escape\\x1b[31m line\\x0aend" in text


class TestJson:
    def test_every_verdict_has_all_of_its_fields(self) -> None:
        found = outcomes.image("web", "linux/amd64")
        document = json.loads(verdict_table.render(found, "json"))
        assert document["schema"] == 1
        assert document["summary"] == {"passed": 1, "failed": 2, "skipped": 1}
        assert document["verdicts"][2] == {
            "target": "web",
            "platform": "linux/amd64",
            "proof": "budget.layers",
            "status": "failed",
            "measured": "30",
            "allowed": "20",
            "message": "30 layers, of which 20 are allowed",
            "severity": "low",
            "findings": ["30 layers, of which 20 are allowed"],
        }
        assert len(document["verdicts"][3]["findings"]) == 12

    def test_it_can_be_written_whatever_the_texts_are(self) -> None:
        verdict_table.render(outcomes.nasty(), "json").encode()


class TestMarkdown:
    def test_failures_come_first_and_the_rest_is_folded(self) -> None:
        text = verdict_table.render(outcomes.image("web", *PLATFORMS), "markdown")
        above, _, folded = text.partition("<details><summary>2 passed, 2 skipped</summary>\n\n| ")
        assert above.startswith("### Slipway: FAILED (2 passed, 4 failed, 2 skipped)\n\n| severity")
        assert above.index("**critical**") < above.index("**low**")
        assert "| `web` | `linux/amd64, linux/arm64` | `secrets.keys` |" in above
        assert "| ok | `healthy after 0.7 s, linux/amd64` |" in folded
        assert folded.endswith("|\n\n</details>")

    def test_without_failures_there_is_no_table_above(self) -> None:
        found = [HEALTHY.decide("web", "", True, "0.7 s", "60 s", "healthy")]
        text = verdict_table.render(found, "markdown")
        assert text.startswith("### Slipway: passed (1 passed, 0 failed, 0 skipped)\n\n<details>")

    def test_many_are_put_together_unless_everything_is_asked_for(self) -> None:
        found = outcomes.many(*PLATFORMS)
        short = verdict_table.render(found, "markdown")
        assert "| target | platform | family |" in short
        assert "| target | platform | proof |" in verdict_table.render(
            found, "markdown", everything=True
        )

    def test_it_fits_into_a_comment_and_says_what_is_left_out(self) -> None:
        long = [KEYS.judge(f"t{number}", "", ["*" * 900], "-", "-") for number in range(300)]
        more = [HEALTHY.decide(f"t{n}", "", True, "-", "-", "*" * 900) for n in range(300)]
        text = verdict_table.render([*long, *more], "markdown", everything=True)
        assert len(text) < comment.LIMIT
        assert len(re.findall(r"… and \d+ rows more: `--format json` has all\.", text)) == 2

    def test_no_text_is_markup(self) -> None:
        text = verdict_table.render(outcomes.nasty(), "markdown", everything=True)
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        assert {line.count("|") for line in rows} == {6}
        cells = "(`[^`]*`|<code>[^<>`|*@\\\\]*</code>|-)"
        names = rf"\| {cells} \| {cells} \| {cells} \|"
        failed = re.compile(rf"\| \*\*critical\*\* {names} {cells} \|")
        other = re.compile(rf"{names} (ok|skipped) \| {cells} \|")
        matching = [row for row in rows if failed.fullmatch(row) or other.fullmatch(row)]
        assert len(matching) == len(rows) - 4 == 31

    @pytest.mark.parametrize("text", NASTY)
    def test_code_shows_the_text_itself(self, text: str) -> None:
        shown = markdown.code(text)
        if shown.startswith("`"):
            assert shown == f"`{verdicts_shown(text)}`"
        else:
            inner = shown.removeprefix("<code>").removesuffix("</code>")
            assert html.unescape(inner) == verdicts_shown(text)

    def test_our_own_prose_keeps_its_code_and_nothing_else(self) -> None:
        assert markdown.prose("`a*b` in <x> is *it*, a_b") == "`a*b` in \\<x\\> is \\*it\\*, a\\_b"
        assert markdown.prose("half `a") == "half \\`a"


def verdicts_shown(text: str) -> str:
    document = json.loads(verdict_table.render([KEYS.skip("t", "", text)], "json"))
    return str(document["verdicts"][0]["message"])


def test_two_builds_that_differ_keep_foreign_names_apart() -> None:
    found = [KEYS.judge("t", "", ["x"], "-", "-")]
    differences = [Difference("t", "linux/amd64", "layer 1", "/a|b <c>", "content")]
    text = reproduction.render(found, differences, "markdown")
    assert "| `layer 1` | <code>/a&#124;b &#60;c&#62;</code> | `content` |" in text
    for format_ in ("junit", "sarif"):
        assert "/a" not in reproduction.render(found, differences, format_)


def test_the_counts_are_those_of_the_verdicts() -> None:
    found = outcomes.many(*PLATFORMS)
    assert verdicts.summary(found) == {"passed": 12, "failed": 24, "skipped": 12}
    assert verdict_table.counted(found) == "12 passed, 24 failed, 12 skipped"
