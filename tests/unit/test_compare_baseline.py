"""Images against the lock of sizes: what is refused, what is written, what stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tasks.core.comparing import baseline, lock, renewing
from tasks.core.comparing.baseline import Checked
from tasks.core.comparing.growth import Status
from tasks.core.comparing.lock import Entry, Listed
from tasks.core.errors import OutOfReach, ProofFailed, UsageError
from tasks.core.session import Session
from tests.unit.archives import digest_of
from tests.unit.engines import APP, KIB, LARGE, SMALL, FakeSession, Make, archive, maker
from tests.unit.layers import file, layer

LOOKALIKE = {"config": {"Labels": {"dev.slipway.lookalike": "true"}}}
DIGEST = digest_of(b"an image")
ENTRY = Entry(2, 3, 5, DIGEST, lookalike_bases=False)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    return maker(tmp_path, monkeypatch)


def update(session: FakeSession, *patterns: str) -> Checked:
    return renewing.update(cast("Session", session), patterns)


def check(session: FakeSession, *patterns: str, against: str = "") -> Checked:
    return baseline.check(cast("Session", session), patterns, against)


def locked(session: FakeSession) -> Any:
    return json.loads((session.root / lock.NAME).read_text())["targets"]


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
        assert row.status is Status.GREW
        assert all(one.at_least for one in row.causes)
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
