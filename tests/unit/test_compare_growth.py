"""How an image stands to the lock of sizes: limits, what explains growth, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tasks.core.comparing import growth, lock, weighing
from tasks.core.comparing.baseline import Checked
from tasks.core.comparing.growth import Growth, Limits, Status
from tasks.core.comparing.lock import Entry, Listed
from tasks.core.render import growth as table
from tests.unit import layers
from tests.unit.archives import digest_of
from tests.unit.layers import file, layer

MIB, KIB = 2**20, 2**10
ENTRY = Entry(100 * MIB, 300 * MIB, 5, digest_of(b"an image"), lookalike_bases=False)


class TestLimits:
    @pytest.mark.parametrize(
        ("limits", "grown_bytes", "expected"),
        [
            (Limits(max_growth_percent=5), 5 * MIB, None),
            (
                Limits(max_growth_percent=5),
                5 * MIB + 1,
                "compressed size grew by +5.0 MiB (+5.0 %), allowed are 5 % (max_growth_percent)",
            ),
            (Limits(max_growth_percent=0), 0, None),
            (
                Limits(max_growth_percent=0),
                1,
                "compressed size grew by +1 B (+0.0 %), allowed are 0 % (max_growth_percent)",
            ),
            (Limits(max_growth_percent=0, max_growth_mib=0), -MIB, None),
            (Limits(max_growth_mib=1.5), 3 * MIB // 2, None),
            (
                Limits(max_growth_mib=1.5),
                2 * MIB,
                "compressed size grew by +2.0 MiB (+2.0 %), allowed are 1.5 MiB (max_growth_mib)",
            ),
            (Limits(max_bytes=101 * MIB), MIB, None),
            (
                Limits(max_bytes=101 * MIB),
                MIB + 1,
                "compressed size is 105906177 bytes (101.0 MiB), allowed are 105906176 (max_bytes)",
            ),
            (Limits(), 900 * MIB, None),
        ],
    )
    def test_each(self, limits: Limits, grown_bytes: int, expected: str | None) -> None:
        after = replace(ENTRY, compressed_bytes=100 * MIB + grown_bytes)
        row = Growth("app", "linux/amd64", ENTRY, after, limits)
        assert growth.broken(row) == ((expected,) if expected else ())

    def test_of_an_image_that_was_empty(self) -> None:
        before = replace(ENTRY, compressed_bytes=None, unpacked_bytes=0)
        row = Growth("app", "linux/amd64", before, ENTRY, Limits(max_growth_percent=50))
        [line] = growth.broken(row)
        assert line.startswith("unpacked size grew by +300.0 MiB (from nothing)")

    def test_unpacked_sizes_where_one_is_not_known(self) -> None:
        row = Growth("app", "linux/amd64", replace(ENTRY, compressed_bytes=None), ENTRY, Limits())
        assert (row.size, row.growth_bytes) == ("unpacked", 0)

    def test_other_bases_are_not_compared_but_the_bytes_are(self) -> None:
        after = replace(ENTRY, compressed_bytes=900 * MIB, lookalike_bases=True)
        row = Growth("app", "p", ENTRY, after, Limits(max_growth_percent=1, max_bytes=1))
        assert row.status is Status.OTHER_BASES
        [line] = growth.broken(row)
        assert line.endswith("(max_bytes)")


class TestCauses:
    def causes(self, before: Entry, **now: Mapping[str, int]) -> list[tuple[Any, ...]]:
        whole = {section: now.get(section, {}) for section in lock.SECTIONS}
        return [
            (one.section, one.name, one.was, one.growth_bytes, one.at_least)
            for one in growth.causes(before, whole)
        ]

    def test_the_most_first_and_nothing_that_shrank(self) -> None:
        before = replace(ENTRY, files=Listed({"/a": 10, "/b": 10, "/c": 10}))
        found = self.causes(before, files={"/a": 20, "/b": 50, "/c": 5})
        assert found == [("files", "/b", "", 40, False), ("files", "/a", "", 10, False)]

    def test_what_was_not_listed_grew_by_what_it_is_above_the_smallest(self) -> None:
        before = replace(ENTRY, files=Listed({"/a": 100}, rest_bytes=30))
        found = self.causes(before, files={"/a": 100, "/n": 80, "/small": 30})
        assert found == [("files", "/n", "", 50, True)]

    def test_what_was_not_there_at_all(self) -> None:
        found = self.causes(replace(ENTRY, files=Listed({"/a": 1})), files={"/a": 1, "/n": 80})
        assert found == [("files", "/n", "", 80, False)]

    def test_the_innermost_folder_that_explains_it(self) -> None:
        before = replace(ENTRY, folders=Listed({"/usr": 100, "/usr/lib": 80, "/opt": 5}))
        now = {"/usr": 200, "/usr/lib": 175, "/usr/lib/x": 90, "/opt": 20, "/opt/a": 8, "/opt/b": 7}
        found = self.causes(before, folders=now)
        assert [one[1] for one in found] == ["/usr/lib/x", "/opt", "/opt/a", "/opt/b"]

    def test_a_package_with_another_version(self) -> None:
        before = replace(ENTRY, packages=Listed({"deb:libc6 2.36": 100, "npm:a 1": 5}))
        found = self.causes(before, packages={"deb:libc6 2.41": 130, "npm:a 1": 5, "npm:b 2": 9})
        assert found == [
            ("packages", "deb:libc6 2.41", "2.36", 30, False),
            ("packages", "npm:b 2", "", 9, False),
        ]

    def test_a_second_version_of_a_package(self) -> None:
        before = replace(ENTRY, packages=Listed({"npm:a 1": 50}))
        found = self.causes(before, packages={"npm:a 1": 50, "npm:a 2": 60})
        assert found == [("packages", "npm:a 1, 2", "1", 60, False)]


class TestWeighing:
    def test_the_largest_and_how_large_the_rest_may_be(self) -> None:
        sizes = {"a": 90 * KIB, "c": 40 * KIB, "b": 40 * KIB, "d": 20 * KIB}
        found = weighing.largest(sizes, 2)
        assert (dict(found.bytes), found.rest_bytes) == ({"a": 90 * KIB, "b": 40 * KIB}, 40 * KIB)

    def test_small_things_are_not_listed(self) -> None:
        assert weighing.largest({"a": 16 * KIB, "b": 9}, 10) == Listed({"a": 16 * KIB}, 9)

    def test_folders_hold_what_is_below_them(self) -> None:
        read = layers.image(layer(file("a/b/c", b"x" * 30), file("a/d", b"y" * 5), file("e", b"z")))
        assert weighing.everything(read)["folders"] == {"/a": 35, "/a/b": 30}

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("assets/index-Deiz5_iP.js", "/assets/index-*.js"),
            ("assets/index-Deiz5_iP.js.gz", "/assets/index-*.js.gz"),
            ("main.0123456789abcdef0123.css", "/main.*.css"),
            ("assets/index-personal.js", "/assets/index-personal.js"),
            ("lib/libstdc++.so.6.0.33", "/lib/libstdc++.so.6.0.33"),
            ("etc/os-release", "/etc/os-release"),
        ],
    )
    def test_a_hash_in_a_name_is_no_other_file(self, name: str, expected: str) -> None:
        read = layers.image(layer(file(name, b"x" * 30)))
        assert weighing.everything(read)["files"] == {expected: 30}


class TestRendering:
    def checked(self, *rows: Growth) -> Checked:
        return Checked(lock.NAME, rows, ("Something to know.",))

    def grown(self, name: str = "app", many: int = 3) -> Growth:
        listed = {f"/f{number}|`@x": number + 1 for number in range(many)}
        row = Growth(
            name,
            "linux/amd64",
            ENTRY,
            replace(ENTRY, compressed_bytes=110 * MIB),
            Limits(max_growth_percent=5),
            growth.causes(
                ENTRY, {"folders": {}, "files": listed, "packages": {"deb:libc6 2": 5 * MIB}}
            ),
        )
        return replace(row, broken=growth.broken(row))

    def test_markdown_for_a_pull_request(self) -> None:
        text = table.render(self.checked(self.grown()), "markdown")
        lines = text.splitlines()
        assert lines[0] == "### Image sizes: 1 over the limit"
        assert "allowed are 5 % (max_growth_percent)" in lines[2]
        assert (
            "| `app` | `linux/amd64` | `100.0 MiB` | `110.0 MiB` | `+10.0 MiB` | `+10.0 %` "
            "| `+5 %: BROKEN` |"
        ) in lines
        assert "<details open>" in text
        assert "`deb:libc6 2`" in text
        assert "@x" not in text

    def test_a_comment_never_is_too_long(self) -> None:
        rows = [self.grown(f"app{number}", 100) for number in range(300)]
        assert len(table.render(self.checked(*rows), "markdown")) < 60_000

    def test_text_names_what_grew(self) -> None:
        text = table.render(self.checked(self.grown()), "text")
        assert "app linux/amd64 grew by +10.0 MiB; what grew in it:" in text
        assert "LIMIT  app linux/amd64: compressed size grew by +10.0 MiB (+10.0 %)" in text

    def test_json(self) -> None:
        document = json.loads(table.render(self.checked(self.grown()), "json"))
        assert document["schema"] == 1
        [image] = document["images"]
        assert (image["status"], image["growth_bytes"], image["growth_percent"]) == (
            "grew",
            10 * MIB,
            10.0,
        )
        assert image["limits"]["max_growth_percent"] == 5
        assert len(document["broken"]) == 1
