"""Images against the lock of sizes: what is refused, what explains growth, what is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from tasks.core import daemon
from tasks.core.comparing import baseline, beside, growth, lock, renewing, weighing
from tasks.core.comparing.baseline import Checked
from tasks.core.comparing.growth import Growth, Limits, Status
from tasks.core.comparing.lock import Entry, Listed
from tasks.core.definitions import Definition, Target
from tasks.core.errors import OutOfReach, ProofFailed, UsageError
from tasks.core.render import beside as beside_table
from tasks.core.render import growth as table
from tasks.core.session import Session
from tests.unit import archives, layers
from tests.unit.archives import digest_of
from tests.unit.layers import file, layer
from tests.unit.test_sizes import FakeApi, FakeClient, target

MIB, KIB = 2**20, 2**10
APP = target("app-production", "multistage", "production")
WEB = target("web-production", "multistage", "production")
BASE = target("app-baseline", "baseline")
LOOKALIKE = {"config": {"Labels": {"dev.slipway.lookalike": "true"}}}
DIGEST = digest_of(b"an image")
ENTRY = Entry(100 * MIB, 300 * MIB, 5, DIGEST, lookalike_bases=False)


def archive(*stack: bytes, **changes: Any) -> bytes:
    told = archives.config(stack, **changes)
    return archives.single(layers=stack, settings=told, compress=bytes)


SMALL = archive(layer(file("opt/data/a", b"a" * 100 * KIB), file("etc/b", b"b" * 20 * KIB)))
LARGE = archive(
    layer(file("opt/data/a", b"a" * 100 * KIB), file("etc/b", b"b" * 20 * KIB)),
    layer(file("opt/data/new", b"c" * 200 * KIB)),
)


@dataclass
class FakeSession:
    """As much of a session as comparing asks for."""

    root: Path
    targets: Mapping[str, Target]
    policy: Mapping[str, Any] = field(default_factory=dict)
    engine: None = None
    files: tuple[str, ...] = ()
    #: Which image the engine has under which tag.
    images: dict[str, bytes] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, Any]:
        return {"policy": self.policy}

    def everything(self) -> Definition:
        return Definition(self.targets, {}, {})


Make = Callable[..., FakeSession]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Sessions whose engine has the images that are given by their targets' names."""

    def session(policy: Mapping[str, Any] | None = None, **images: bytes) -> FakeSession:
        held = {f"{name.replace('_', '-')}:latest": content for name, content in images.items()}
        known = {one.name: one for one in (APP, WEB)}
        made = FakeSession(tmp_path, known, policy or {}, images=held)
        # An id of the engine's is made of the content here: another image is another id.
        api = ById(held)
        monkeypatch.setattr(daemon, "connect", lambda _engine: FakeClient(api))
        return made

    return session


class ById(FakeApi):
    """An engine in which another content of a tag has another id."""

    def images(self, filters: Any) -> list[dict[str, Any]]:
        del filters
        return [{"Id": digest_of(each), "Size": 9} for each in self.archives.values()]

    def inspect_image(self, tag: str) -> dict[str, str]:
        from docker.errors import ImageNotFound

        if tag not in self.archives:
            raise ImageNotFound("no such image")
        return {"Id": digest_of(self.archives[tag])}

    def get_image(self, image_id: str) -> Iterator[bytes]:
        [content] = {each for each in self.archives.values() if digest_of(each) == image_id}
        return archives.pieces(content, 50_000)


def update(session: FakeSession, *patterns: str) -> Checked:
    return renewing.update(cast("Session", session), patterns)


def check(session: FakeSession, *patterns: str, against: str = "") -> Checked:
    return baseline.check(cast("Session", session), patterns, against)


def locked(session: FakeSession) -> Any:
    return json.loads((session.root / lock.NAME).read_text())["targets"]


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


class TestUpdate:
    def test_it_writes_what_a_check_then_agrees_with(self, make: Make) -> None:
        session = make(app_production=SMALL, web_production=LARGE)
        update(session)
        entry = locked(session)["app-production"]["linux/amd64"]
        assert entry["files"] == {
            "bytes": {"/etc/b": 20480, "/opt/data/a": 102400},
            "rest_bytes": 0,
        }
        assert entry["layers"] == 1
        assert (session.root / lock.NAME).read_text().endswith("}\n")
        found = check(session)
        assert {row.status for row in found.rows} == {Status.SAME}
        baseline.demand(found)

    def test_nothing_is_written_when_nothing_changed(
        self, make: Make, capsys: pytest.CaptureFixture[str]
    ) -> None:
        session = make(app_production=SMALL)
        update(session)
        path = session.root / lock.NAME
        before = path.stat().st_mtime_ns
        update(session)
        assert path.stat().st_mtime_ns == before
        assert "sizes.lock.json is up to date" in capsys.readouterr().err

    def test_another_digest_alone_is_no_news(self, make: Make) -> None:
        session = make(app_production=archive(layer(file("a", b"1")), created="2026-01-01"))
        update(session)
        before = (session.root / lock.NAME).read_text()
        update(make(app_production=archive(layer(file("a", b"1")), created="2026-02-02")))
        assert (session.root / lock.NAME).read_text() == before

    def test_growth_is_accepted_but_not_more_than_max_bytes(self, make: Make) -> None:
        policy = {"*": {"max_growth_percent": 1, "max_bytes": 300_000}}
        update(make(app_production=SMALL))
        baseline.demand(update(make({"*": {"max_growth_percent": 1}}, app_production=LARGE)))
        with pytest.raises(ProofFailed, match="allowed are 300000"):
            baseline.demand(update(make(policy, app_production=LARGE)))

    def test_the_rest_of_the_lock_stays(self, make: Make) -> None:
        update(make(app_production=SMALL, web_production=SMALL))
        found = update(make(app_production=LARGE, web_production=LARGE), "app-*")
        sizes = {name: entries["linux/amd64"]["layers"] for name, entries in locked(make()).items()}
        assert sizes == {"app-production": 2, "web-production": 1}
        assert "web-production linux/amd64: not measured, stays as it was." in found.remarks

    def test_what_is_not_in_the_bake_file_any_more_goes(self, make: Make) -> None:
        session = make(app_production=SMALL, web_production=SMALL)
        update(session)
        session.targets = {APP.name: APP}
        found = update(session)
        assert set(locked(session)) == {"app-production"}
        assert any("taken out of the lock" in line for line in found.remarks)

    def test_the_first_sizes_on_originals_replace_those_on_look_alikes(self, make: Make) -> None:
        update(make(app_production=archive(layer(file("a", b"1")), **LOOKALIKE)))
        baseline.demand(update(make(app_production=archive(layer(file("a", b"1"))))))
        assert locked(make())["app-production"]["linux/amd64"]["lookalike_bases"] is False


class TestCheck:
    def test_without_a_lock(self, make: Make) -> None:
        expected = "^there is no sizes.lock.json; write it by: inv compare.baseline --update$"
        with pytest.raises(UsageError, match=expected):
            check(make(app_production=SMALL))

    def test_without_an_image(self, make: Make) -> None:
        update(make(app_production=SMALL))
        with pytest.raises(OutOfReach, match="no image to measure"):
            check(make())

    def test_growth_is_explained_and_over_the_limit_fails(self, make: Make) -> None:
        update(make(app_production=SMALL))
        found = check(make({"app-*": {"max_growth_percent": 10}}, app_production=LARGE))
        [row] = found.rows
        assert row.status is Status.GREW
        assert [(one.section, one.name) for one in row.causes] == [
            ("folders", "/opt/data"),
            ("files", "/opt/data/new"),
        ]
        expected = (
            r"^app-production linux/amd64: compressed size grew by \+210.1 KiB \(\+161.3 %\), all"
        )
        with pytest.raises(ProofFailed, match=expected):
            baseline.demand(found)

    def test_less_is_fine_and_a_little_more_is_not_looked_into(self, make: Make) -> None:
        update(make(app_production=LARGE, web_production=SMALL))
        little = archive(
            layer(file("opt/data/a", b"a" * 100 * KIB), file("etc/b", b"b" * 50 * KIB))
        )
        found = check(make(app_production=SMALL, web_production=little))
        assert [row.status for row in found.rows] == [Status.SHRANK, Status.GREW]
        assert [row.causes for row in found.rows] == [(), ()]
        baseline.demand(found)

    def test_what_is_not_built_new_or_gone_is_said(self, make: Make) -> None:
        session = make(app_production=SMALL)
        update(session)
        known = locked(session)
        known["gone"] = known["app-production"]
        known["app-production"] = {"linux/arm64": known["app-production"]["linux/amd64"]}
        (session.root / lock.NAME).write_text(json.dumps({"schema": 1, "targets": known}))
        found = check(session)
        assert [(row.platform, row.status) for row in found.rows] == [
            ("linux/amd64", Status.NEW),
            ("linux/arm64", Status.ABSENT),
        ]
        told = " ".join(found.remarks)
        assert "not in the bake file: gone; taken out by" in told
        assert "linux/arm64: in the lock, but not built here" in told
        assert "linux/amd64: not in the lock; written into it by" in told

    def test_look_alikes_and_originals_are_not_compared(self, make: Make) -> None:
        update(make(app_production=archive(layer(file("a", b"1")), **LOOKALIKE)))
        found = check(make(app_production=archive(layer(file("a", b"1")))))
        expected = "was measured on look-alike bases, the image stands on the original bases"
        with pytest.raises(UsageError, match=expected):
            baseline.demand(found)

    def test_look_alikes_are_owned_up_to(self, make: Make) -> None:
        session = make(app_production=archive(layer(file("a", b"1")), **LOOKALIKE))
        update(session)
        assert baseline.LOOKALIKES in check(session).remarks

    def test_against_another_lock(self, make: Make, tmp_path: Path) -> None:
        session = make(app_production=SMALL)
        update(session)
        (tmp_path / lock.NAME).rename(tmp_path / "other.json")
        assert check(session, against=str(tmp_path / "other.json")).rows[0].status is Status.SAME
        with pytest.raises(UsageError, match="no such file"):
            check(session, against=str(tmp_path / "missing.json"))

    def test_against_the_record_of_a_build(self, make: Make, tmp_path: Path) -> None:
        sizes = {"compressed_bytes": 100_000, "unpacked_bytes": 120_000, "digest": DIGEST}
        unknown = {**sizes, "platform": "linux/arm64", "unpacked_bytes": None}
        images = [{**sizes, "platform": "linux/amd64"}, unknown]
        path = tmp_path / "20261124T164115.295Z-0c8006.json"
        path.write_text(
            json.dumps({"schema": 1, "targets": [{"name": "app-production", "images": images}]})
        )
        session = make({"*": {"max_growth_percent": 5}}, app_production=LARGE)
        found = check(session, against=str(path))
        [row] = found.rows
        assert (row.status, row.causes) == (Status.GREW, ())
        assert any("A build's record says neither" in line for line in found.remarks)
        with pytest.raises(ProofFailed, match="max_growth_percent"):
            baseline.demand(found)

    def test_against_an_archive(self, make: Make, tmp_path: Path) -> None:
        path = tmp_path / "old.tar"
        path.write_bytes(SMALL)
        session = make(app_production=LARGE)
        [row] = check(session, "app-production", against=str(path)).rows
        assert [one.name for one in row.causes] == ["/opt/data", "/opt/data/new"]
        with pytest.raises(UsageError, match="is one image: choose one target by --target"):
            check(session, against=str(path))


BAD_LOCKS: dict[str, tuple[Any, str]] = {
    "no JSON": (b"<<<<<<< HEAD", "it is not valid JSON"),
    "no object": ([], "it is not an object"),
    "another schema": ({"schema": 2, "targets": {}}, "its schema is 2, not 1"),
    "no targets": ({"schema": 1}, "targets is not an object"),
    "platform": ({"schema": 1, "targets": {"a": {"x\x1b": {}}}}, "is no platform"),
    "entry": ({"schema": 1, "targets": {"a": {"linux/amd64": 5}}}, "a.linux/amd64 is not an obj"),
    "record": ({"schema": 1, "targets": [{"name": "a", "images": [5]}]}, "an image of a is not"),
    "negative": (
        {"schema": 1, "targets": {"a": {"linux/amd64": {"lookalike_bases": True, "layers": -1}}}},
        "unpacked_bytes is not a whole number",
    ),
}


@pytest.mark.parametrize("case", BAD_LOCKS)
def test_a_lock_that_makes_no_sense_is_refused_with_the_mend(case: str, tmp_path: Path) -> None:
    content, expected = BAD_LOCKS[case]
    path = tmp_path / lock.NAME
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(
        UsageError, match=f"{lock.NAME}: .*{expected}.*; mend it, or remove"
    ) as told:
        lock.load(path)
    assert str(told.value).isprintable()


def test_a_lock_is_the_same_after_it_was_read() -> None:
    files = Listed({"/b": 2, "/a": 1}, 1)
    known = {"b": {"linux/arm64": ENTRY, "linux/amd64": replace(ENTRY, files=files)}, "a": {}}
    text = lock.written(known)
    read = lock.parse(text.encode())
    assert lock.written(read) == text
    assert read == {"b": known["b"]}


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


class TestSideBySide:
    def rows(self, session: FakeSession, *patterns: str, to: str = "") -> list[Any]:
        session.targets = {**session.targets, BASE.name: BASE}
        found = beside.compare(cast("Session", session), patterns, to)
        self.text = beside_table.render(found, "text")
        document = json.loads(beside_table.render(found, "json"))
        return [
            (
                one["target"],
                one["against"]["name"] if one["against"] else None,
                one["unpacked_difference_bytes"],
            )
            for one in document["images"]
        ]

    def test_against_the_baseline_of_the_service(self, make: Make) -> None:
        more = len(layer(file("opt/data/new", b"c" * 200 * KIB)))
        session = make(app_production=SMALL, app_baseline=LARGE, web_production=SMALL)
        assert self.rows(session) == [
            ("app-baseline", None, None),
            ("app-production", "app-baseline", -more),
            ("web-production", None, None),
        ]
        assert "Nothing to measure against for: web." in self.text

    def test_against_a_variant(self, make: Make) -> None:
        session = make(app_production=SMALL, app_baseline=LARGE)
        found = self.rows(session, "app-*", to="multistage")
        assert [one[:2] for one in found] == [
            ("app-production", None),
            ("app-baseline", "app-production"),
        ]

    def test_against_any_image(self, make: Make, tmp_path: Path) -> None:
        path = tmp_path / "old.tar"
        path.write_bytes(SMALL)
        session = make(app_production=SMALL, web_production=SMALL)
        found = self.rows(session, "*-production", to=str(path))
        assert found == [("app-production", str(path), 0), ("web-production", str(path), 0)]
