"""What differs between two images: files, packages, layers and config, each told rightly."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.comparing.files import FileChange
from tasks.core.comparing.images import Comparison
from tasks.core.comparing.pairs import Compared
from tasks.core.render import comparison
from tests.unit.compared import PLACES, compare, rendered, settings
from tests.unit.layers import Member, file, folder, hard_link, layer, link, special


def files(*before: Member, to: tuple[Member, ...]) -> dict[str, FileChange]:
    found = compare([layer(*before)], [layer(*to)])
    return {one.path: one for one in found.files}


class TestFiles:
    def test_added_and_removed_with_their_bytes(self) -> None:
        found = files(file("old", b"x" * 10), to=(file("new", b"y" * 30),))
        assert {p: (c.change, c.difference_bytes) for p, c in found.items()} == {
            "old": ("removed", -10),
            "new": ("added", 30),
        }

    @pytest.mark.parametrize(
        ("before", "after", "aspects"),
        [
            (file("f", b"abc"), file("f", b"abd"), ("content",)),
            (file("f", b"abc"), file("f", b"abc", 0o755), ("mode",)),
            (file("f", b"abc"), file("f", b"abc", 0o4644), ("mode",)),
            (file("f", b"abc"), file("f", b"abc", uid=7), ("owner",)),
            (file("f", b"abc"), file("f", b"abc", gid=7), ("owner",)),
            (file("f", b"abc"), file("f", b"abcd", 0o600, uid=1), ("content", "mode", "owner")),
            (link("f", "a"), link("f", "b"), ("link",)),
            (folder("f"), folder("f", 0o700), ("mode",)),
            (file("f"), folder("f", 0o644), ("kind",)),
        ],
    )
    def test_in_what_an_entry_changed(
        self, before: Member, after: Member, aspects: tuple[str, ...]
    ) -> None:
        assert files(before, to=(after,))["f"].aspects == aspects

    def test_a_file_that_was_moved_says_so(self) -> None:
        found = compare(
            [layer(file("old/a", b"abc"), file("old/b", b"abc"), file("old/c", b""))],
            [layer(file("new/a", b"abc"), file("new/c", b""))],
        )
        twins = {one.path: one.twin for one in found.files if one.twin}
        assert twins == {"new/a": "old/a", "old/a": "new/a"}
        assert "file, as was /old/a" in rendered(found)
        assert "file, now /new/a" in rendered(found)

    def test_capabilities(self) -> None:
        able = file("f", b"abc", pax_headers={"SCHILY.xattr.security.capability": "x"})
        found = files(file("f", b"abc"), to=(able,))
        assert found["f"].aspects == ("capabilities",)

    def test_a_date_alone_is_no_difference_of_files_but_one_of_layers(self) -> None:
        found = compare([layer(file("f", b"a", mtime=1))], [layer(file("f", b"a", mtime=2))])
        assert found.files == ()
        assert found.differs
        assert "other dates" in rendered(found)

    def test_a_file_that_a_later_layer_removed_is_removed(self) -> None:
        base = layer(file("f", b"secret"), file("g"))
        found = compare([base], [base, layer(file(".wh.f"))])
        assert [(one.path, one.change) for one in found.files] == [("f", "removed")]

    def test_a_second_name_of_a_file_takes_up_nothing(self) -> None:
        found = files(file("a", b"x" * 50), to=(file("a", b"x" * 50), hard_link("b", "a")))
        assert found["b"].difference_bytes == 0

    def test_which_name_of_a_file_comes_first_does_not_matter(self) -> None:
        assert not files(
            file("a", b"x" * 50),
            hard_link("b", "a"),
            to=(file("b", b"x" * 50), hard_link("a", "b")),
        )

    def test_a_copy_in_the_place_of_a_second_name_adds_its_bytes(self) -> None:
        found = compare(
            [layer(file("a", b"x" * 50), hard_link("b", "a"))],
            [layer(file("a", b"x" * 50), file("b", b"x" * 50))],
        )
        assert found.after.files_bytes - found.before.files_bytes == 50


#: A file: what it holds, its mode, its owner.
TREES = st.dictionaries(
    st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"]),
    st.tuples(
        st.binary(max_size=3), st.sampled_from([0o644, 0o755]), st.integers(0, 1), st.booleans()
    ),
)


@given(TREES, TREES)
def test_any_two_trees_differ_in_just_what_was_made_different(before: Any, after: Any) -> None:
    """Each tree in two layers, the second of which also removes a file of the first."""

    def stack(tree: dict[str, tuple[bytes, int, int, bool]]) -> list[bytes]:
        made: list[list[Member]] = [[file("z", b"gone")], [file(".wh.z")]]
        for path, (content, mode, uid, late) in tree.items():
            made[late].append(file(path, content, mode, uid=uid))
        return [layer(*members) for members in made]

    found = compare(stack(before), stack(after)).files
    told = {one.path: one.aspects for one in found if one.path not in ("c", "f", "f/g")}
    expected = {}
    for path in before.keys() | after.keys():
        one, other = before.get(path, ())[:3], after.get(path, ())[:3]
        if one != other:
            pairs = zip(("content", "mode", "owner"), zip(one, other, strict=False), strict=False)
            expected[path] = tuple(name for name, (x, y) in pairs if x != y)
    assert told == expected
    sizes = [sum(len(entry[0]) for entry in tree.values()) for tree in (before, after)]
    assert sum(one.difference_bytes for one in found) == sizes[1] - sizes[0]


class TestPackages:
    STATUS = (
        b"Package: libc6\nStatus: install ok installed\nInstalled-Size: 12\nVersion: %s\n"
        b"Description: a\n library\n\n"
        b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    APK = b"C:Q1x\nP:musl\nV:%s\nA:x86_64\nI:600\nF:lib\nR:ld.so\n\nP:busybox\nV:1.36\nI:900\n\n"

    def changes(self, before: list[Member], after: list[Member]) -> list[tuple[Any, ...]]:
        found = compare([layer(*before)], [layer(*after)])
        return [
            (one.kind, one.name, str(one.change), one.before, one.after, one.difference_bytes)
            for one in found.packages
        ]

    def test_debian(self) -> None:
        path = "var/lib/dpkg/status"
        more = self.STATUS % b"2.41" + b"\n\nPackage: curl\nVersion: 8.1\nInstalled-Size: 500\n"
        found = self.changes([file(path, self.STATUS % b"2.36")], [file(path, more)])
        assert found == [
            ("deb", "curl", "added", (), ("8.1",), 500 * 1024),
            ("deb", "libc6", "changed", ("2.36",), ("2.41",), 0),
        ]

    def test_distroless(self) -> None:
        folder_ = "var/lib/dpkg/status.d"
        note = file(f"{folder_}/tzdata", b"Package: tzdata\nVersion: 2025b\n")
        sums = file(f"{folder_}/tzdata.md5sums", b"Package: no\nVersion: 1\n")
        assert self.changes([sums], [sums, note]) == [("deb", "tzdata", "added", (), ("2025b",), 0)]

    @pytest.mark.parametrize("path", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
    def test_alpine(self, path: str) -> None:
        without = (self.APK % b"1.2").partition(b"\n\n")[0]
        found = self.changes([file(path, self.APK % b"1.1")], [file(path, without)])
        assert found == [
            ("apk", "busybox", "removed", ("1.36",), (), -900),
            ("apk", "musl", "changed", ("1.1",), ("1.2",), 0),
        ]

    def test_npm_with_scopes_several_versions_and_nested_ones(self) -> None:
        def package(path: str, name: str, version: str, size: int = 0) -> list[Member]:
            told = json.dumps({"name": name, "version": version}).encode()
            return [
                file(f"{path}/package.json", told),
                file(f"{path}/index.js", b"x" * (size - len(told))),
            ]

        top = "app/node_modules"
        before = package(f"{top}/semver", "semver", "6.0.0", 100)
        after = [
            *before,
            *package(f"{top}/@babel/core", "@babel/core", "7.1.0", 200),
            *package(f"{top}/@babel/core/node_modules/semver", "semver", "7.0.0", 300),
            file(f"{top}/semver/test/package.json", b'{"name": "fixture", "version": "1"}'),
            file("app/package.json", b'{"name": "app", "version": "1"}'),
        ]
        assert self.changes(before, after) == [
            ("npm", "@babel/core", "added", (), ("7.1.0",), 200),
            ("npm", "semver", "changed", ("6.0.0",), ("6.0.0", "7.0.0"), 335),
        ]

    def test_notes_that_make_no_sense_tell_of_nothing(self) -> None:
        junk = [
            file("var/lib/dpkg/status", b"\xff\xfe\n:::\nPackage\n\n\nVersion: 3\n"),
            file("a/node_modules/b/package.json", b"[[["),
            file("a/node_modules/c/package.json", b'{"name": 5, "version": 5}'),
            special("a/node_modules/d", b"1"),
        ]
        assert self.changes([], junk) == []


class TestLayers:
    def test_which_are_in_both(self) -> None:
        base, one, other = layer(file("a", b"1")), layer(file("b", b"2")), layer(file("b", b"33"))
        extra = layer(file("c", b"4"))
        history = [{"created_by": name} for name in ("FROM", "COPY b")]
        found = compare(
            [base, one],
            [base, other, extra],
            told={"history": history},
            told_after={"history": [*history, {"created_by": "ENV", "empty_layer": True}, {}]},
        )
        told = [
            (
                one.change,
                one.before.number if one.before else None,
                one.after.number if one.after else None,
            )
            for one in found.layers
        ]
        assert told == [("same", 0, 0), ("changed", 1, 1), ("added", None, 2)]
        assert found.layers[1].after is not None
        assert found.layers[1].after.instruction == "COPY b"

    def test_a_secret_in_the_history_is_masked(self) -> None:
        history = [{"created_by": "RUN |1 NPM_TOKEN=correct-horse npm ci"}]
        found = compare([layer(file("a"))], [layer(file("b"))], told_after={"history": history})
        for format_ in comparison.FORMATS:
            assert "correct-horse" not in rendered(found, format_)

    @pytest.mark.parametrize("history", [5, {}, [1, "x"], [{"created_by": 5}], [{}, {}, {}]])
    def test_a_history_that_does_not_fit_tells_nothing(self, history: Any) -> None:
        found = compare([layer(file("a"))], [layer(file("b"))], told_after={"history": history})
        rendered(found)
        assert found.differs


class TestRendering:
    def many(self) -> Comparison:
        added = [file(f"f{number:03}", b"x" * number) for number in range(1, 40)]
        return compare([layer(file("a"))], [layer(file("a"), *added)])

    def test_the_most_bytes_come_first_and_the_rest_is_counted(self) -> None:
        text = rendered(self.many(), limit=3)
        rows = [line.split()[3] for line in text.splitlines() if line.startswith("added   ")]
        assert rows[-3:] == ["/f039", "/f038", "/f037"]
        assert "… and 36 more: --limit 39, or --format json" in text

    def test_json_has_all_of_it(self) -> None:
        [platform] = json.loads(rendered(self.many(), "json", limit=3))["platforms"]
        assert len(platform["files"]) == 39
        assert platform["files"][0] == {
            "path": "/f001",
            "change": "added",
            "aspects": [],
            "difference_bytes": 1,
            "same_content_as": None,
            "from": None,
            "to": {
                "kind": "file",
                "mode": "0644",
                "uid": 0,
                "gid": 0,
                "size_bytes": 1,
                "link": None,
                "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
                "layer": 0,
            },
        }

    def test_of_long_values_the_end_that_differs_is_shown(self) -> None:
        base = [layer(file("a", b"1"))]
        path = "/opt/lib" * 20
        found = compare(
            base, base, settings(Env=[f"P={path}/old"]), settings(Env=[f"P={path}/new"])
        )
        assert "/lib/old" in rendered(found)
        assert "/lib/new" in rendered(found)

    def test_nothing_differs(self) -> None:
        base = [layer(file("a", b"1"))]
        found = compare(base, base)
        assert not found.differs
        assert "linux/amd64: no difference" in rendered(found)
        assert json.loads(rendered(found, "json"))["differs"] is False

    @pytest.mark.parametrize("format_", comparison.FORMATS)
    def test_hostile_names_stay_in_their_cell(self, format_: str) -> None:
        name = "a\x1b[31m|`</td>@someone\n\udcff"
        found = compare(
            [layer(file("x"))],
            [layer(file(name, b"1"), link("l", "b\x1b"))],
            told_after=settings(Labels={"l\x1b|": "\ud800"}),
        )
        shown = rendered(found, format_)
        shown.encode()
        assert "\x1b" not in shown
        if format_ == "markdown":
            row = next(line for line in shown.splitlines() if "someone" in line)
            assert row.startswith("| `added`")
            assert "@someone" not in row

    def test_a_layer_pulled_with_another_compression_is_a_difference_of_sizes(self) -> None:
        base = [layer(file("a", b"1"))]
        found = compare(base, base)
        other = replace(found, after=replace(found.after, compressed_bytes=1))
        assert other.differs
        assert comparison.summary(Compared(*PLACES, (other,))) == "the sizes"
