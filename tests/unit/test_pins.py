"""The lock of base images: what it may hold, what builds make of it, when it is old."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tasks.core import settings
from tasks.core.bake import definitions, needs, overlay
from tasks.core.bake.definitions import Definition
from tasks.core.bake.overlay import Additions
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach, ProofFailed, UsageError
from tasks.core.pins import aging, applying, ends, lock, mirroring, renewing, resolving
from tasks.core.pins.lock import Pin
from tasks.core.pins.renewing import Wanted
from tasks.core.pins.resolving import Found
from tasks.core.provision import bases, reach
from tasks.core.provision.bases import BaseNeed, BaseState, Status
from tasks.core.provision.reach import Answer
from tasks.core.provision.references import Reference
from tasks.core.provision.registry import Stored
from tasks.core.session import Session
from tasks.core.untrusted import Malformed

OLD, NEW = (f"sha256:{digit * 64}" for digit in "ab")
INDEX = lock.MEDIA_TYPES[0]
PLATFORMS = ("linux/amd64", "linux/arm64")
PIN = Pin(OLD, INDEX, PLATFORMS, date(2026, 11, 1))
NODE = BaseNeed("node:22", ("linux/amd64",))
ENGINE = Engine("system", "unix:///run/s.sock", {}, "/docker", None, False, "linux/amd64")
NO_NETWORK = Answer((), reason="dial tcp: lookup registry.example: no such host")
UNKNOWN = Answer((), reason="manifest unknown")


def document(**changes: Any) -> bytes:
    entry = {
        "digest": OLD,
        "media_type": INDEX,
        "platforms": list(PLATFORMS),
        "pinned": "2026-11-01",
        **changes,
    }
    kept = {key: value for key, value in entry.items() if value is not None}
    return json.dumps({"schema": 1, "bases": {"node:22": kept}}).encode()


def session_of(root: Path, *, dry: bool = False, **environ: str) -> Session:
    made = Session(root, settings.load(root, environment=environ), (), dry, {})
    made.__dict__["engine"] = ENGINE
    return made


class TestFile:
    def test_what_is_written_is_read(self) -> None:
        pins = {"z:1": replace(PIN, lookalike=True), "a/b:1": PIN, "host.example:5000/a": PIN}
        text = lock.written(pins)
        assert lock.parse(text.encode()) == pins
        assert text == lock.written(dict(reversed(pins.items()))), "the order says nothing"
        assert text.index('"a/b:1"') < text.index('"z:1"')

    def test_one_line_a_fact(self) -> None:
        """A moved tag changes two lines of a review, its digest and its day."""
        before = lock.written({"node:22": PIN}).splitlines()
        moved = replace(PIN, digest=NEW, pinned=date(2026, 11, 2))
        after = lock.written({"node:22": moved}).splitlines()
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 2

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "not valid JSON"),
            (b"[]", "not an object"),
            (b'{"schema": 2, "bases": {}}', "its schema is 2, not 1"),
            (b'{"schema": 1}', "bases is not an object"),
            (b'{"schema": 1, "bases": {}, "more": 1}', "unknown key 'more'"),
            (b'{"schema": 1, "bases": {"No Name": {}}}', "is not the name of an image"),
            (f'{{"schema": 1, "bases": {{"a@{OLD}": {{}}}}}}'.encode(), "is not the name"),
            (document(digest="sha256:abc"), "bases.node:22.digest is not a sha256 digest"),
            (document(digest=OLD.replace("256", "512")), "is not a sha256 digest"),
            (document(media_type="text/html"), "'text/html' is none of an image"),
            (document(platforms="linux/amd64"), "platforms is not an array"),
            (document(platforms=["../x"]), "'../x' is no platform"),
            (document(pinned="yesterday"), "pinned is not a day"),
            (document(lookalike="yes"), "lookalike is not true or false"),
            (document(extra=1), "bases.node:22 has an unknown key 'extra'"),
            (document(digest=None), "digest is not a sha256 digest"),
            (b"[" * 100_000, "not valid JSON"),
        ],
    )
    def test_a_damaged_lock_is_one_line(self, tmp_path: Path, content: bytes, said: str) -> None:
        with pytest.raises(Malformed):
            lock.parse(content)
        (tmp_path / lock.NAME).write_bytes(content)
        with pytest.raises(UsageError) as caught:
            lock.load(tmp_path)
        assert said in str(caught.value)
        assert str(caught.value).startswith("bases.lock.json: ")
        assert "\n" not in str(caught.value)

    def test_a_lock_too_large_and_one_that_is_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / lock.NAME).write_bytes(b" " * (lock.MAX_FILE_BYTES + 1))
        with pytest.raises(UsageError, match="larger than 2 MiB"):
            lock.load(tmp_path)
        (tmp_path / lock.NAME).unlink()
        (tmp_path / lock.NAME).mkdir()
        with pytest.raises(UsageError, match="cannot read"):
            lock.load(tmp_path)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("node:22", "node:22"),
        ("mirror.example/library/node:22", "node:22"),
        ("mirror.example:5000/team/node:22", "node:22"),
        ("mirror.example/node:22", "node:22"),
        ("mirror.example/node:23", None),
        ("mirror.example/mynode:22", None),
        ("other/node:22", None),
        (f"mirror.example/node:22@{OLD}", None),
        ("mirror.example/twice:1", None),
    ],
)
def test_a_mirror_has_the_same_image(reference: str, found: str | None) -> None:
    twice = {"a.example/twice:1": PIN, "b.example/twice:1": replace(PIN, digest=NEW)}
    assert lock.key({"node:22": PIN, **twice}, reference) == found


class TestEnds:
    @pytest.mark.parametrize(
        ("reference", "product", "day"),
        [
            ("node:22-bookworm-slim", "Node.js 22", "2027-04-30"),
            ("mirror.example/library/node:22.4.1-trixie", "Node.js 22.4.1", "2027-04-30"),
            ("node:22-alpine3.20", "Alpine 3.20", "2026-04-01"),
            ("debian:bookworm-slim", "Debian 12", "2028-06-30"),
            ("debian:12.5", "Debian 12.5", "2028-06-30"),
            ("ubuntu:24.04", "Ubuntu 24.04", "2029-05-31"),
            ("ubuntu:noble", "Ubuntu 24.04", "2029-05-31"),
            ("alpine:3.22", "Alpine 3.22", "2027-05-01"),
            ("nginxinc/nginx-unprivileged:1.28-alpine-slim", "nginx 1.28", "2026-04-14"),
            ("registry.example/distroless/nodejs22-debian13:nonroot", "Node.js 22", "2027-04-30"),
            ("distroless/static-debian12", "distroless on Debian 12", "2026-09-30"),
            ("python:3.13-slim-bookworm", "Debian 12", "2028-06-30"),
        ],
    )
    def test_by_name(self, reference: str, product: str, day: str) -> None:
        found = ends.first(reference)
        assert found is not None
        assert (found.product, found.day.isoformat()) == (product, day)

    @pytest.mark.parametrize(
        "reference", ["node", "node:lts", "scratchy:1", "nginx:1.30", "node:99", "a/debian:sid"]
    )
    def test_unknown(self, reference: str) -> None:
        assert ends.first(reference) is None

    def test_days(self) -> None:
        end = ends.first("node:22")
        assert end is not None
        assert end.days_left(date(2027, 4, 29)) == 1
        assert end.days_left(date(2027, 5, 1)) == -1


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What registries, the engine and the look-alikes' store say; nothing is there at first."""

    def set_up(
        answer: Answer = NO_NETWORK,
        *,
        in_engine: bool = False,
        state: Status = "out of reach",
        stored: Stored | None = None,
    ) -> None:
        asked: list[str] = []

        def ask(_: Engine, reference: Reference) -> Answer:
            asked.append(reference.text)
            return answer

        monkeypatch.setattr(reach, "ask", ask)
        monkeypatch.setattr(reach, "in_engine", lambda *_: in_engine)
        states = [BaseState("node:22", (), state)]
        monkeypatch.setattr(bases, "base_states", lambda *_: states)
        place = ("127.0.0.1:1/library/node:22", stored)
        monkeypatch.setattr(bases, "look_alike", lambda *_: place if stored else None)

    set_up()
    return set_up


class TestBuilds:
    def test_a_locked_base_is_had_by_its_digest(
        self, tmp_path: Path, registry: Callable[..., None]
    ) -> None:
        (tmp_path / lock.NAME).write_bytes(document())
        registry(Answer(PLATFORMS, OLD))
        applied = applying.apply(session_of(tmp_path), [NODE], ())
        assert applied.images == {"node:22": f"node:22@{OLD}"}
        assert (applied.rest, applying.notices(applied)) == ([], [])

    def test_without_network_the_engine_may_hold_it(
        self, tmp_path: Path, registry: Callable[..., None]
    ) -> None:
        (tmp_path / lock.NAME).write_bytes(document())
        registry(in_engine=True)
        assert applying.apply(session_of(tmp_path), [NODE], ()).images

    @pytest.mark.parametrize("answer", [NO_NETWORK, UNKNOWN, Answer((), reason="denied")])
    def test_what_cannot_be_had_is_named(
        self, tmp_path: Path, registry: Callable[..., None], answer: Answer
    ) -> None:
        (tmp_path / lock.NAME).write_bytes(document())
        registry(answer)
        with pytest.raises(OutOfReach) as caught:
            applying.apply(session_of(tmp_path), [NODE], ())
        assert str(caught.value).startswith(
            "node:22: bases.lock.json pins it to sha256:aaaaaaaaaaaa"
        )
        assert answer.reason in str(caught.value)

    def test_an_image_that_was_pulled_by_its_tag_is_not_the_locked_one(
        self, tmp_path: Path, registry: Callable[..., None]
    ) -> None:
        (tmp_path / lock.NAME).write_bytes(document())
        registry(state="engine")
        with pytest.raises(OutOfReach):
            applying.apply(session_of(tmp_path), [NODE], ())

    def test_a_look_alike_in_its_place_is_told(
        self,
        tmp_path: Path,
        registry: Callable[..., None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / lock.NAME).write_bytes(document())
        registry(state="look-alike")
        session = session_of(tmp_path)
        for _ in range(2):
            applied = applying.apply(session, [NODE], ())
        assert (applied.images, applied.rest) == ({}, [NODE])
        assert capsys.readouterr().err.count("NOT pinned: look-alikes stand in for node:22") == 1
        with pytest.raises(OutOfReach, match=r"BASES_LOCK=required, but .* node:22"):
            applying.apply(session_of(tmp_path, BASES_LOCK="required"), [NODE], ())

    def test_a_registry_that_lost_the_digest_is_no_reason_for_a_look_alike(
        self, tmp_path: Path, registry: Callable[..., None]
    ) -> None:
        (tmp_path / lock.NAME).write_bytes(document())
        registry(UNKNOWN, state="look-alike")
        with pytest.raises(OutOfReach, match="manifest unknown"):
            applying.apply(session_of(tmp_path), [NODE], ())

    def test_a_base_that_is_not_in_the_lock_is_told(
        self,
        tmp_path: Path,
        registry: Callable[..., None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / lock.NAME).write_bytes(document())
        registry(Answer(PLATFORMS, OLD))
        wanted = [NODE, BaseNeed("nginx:1"), BaseNeed(f"other:1@{NEW}")]
        applied = applying.apply(session_of(tmp_path), wanted, ())
        assert applied.rest == wanted[1:]
        assert "not in bases.lock.json, so taken by tag: nginx:1;" in capsys.readouterr().err
        with pytest.raises(UsageError, match=r"does not have: nginx:1; run: inv bases\.pin"):
            applying.apply(session_of(tmp_path, BASES_LOCK="required"), wanted, ())

    def test_without_a_lock_nothing_is_said_unless_it_is_required(
        self,
        tmp_path: Path,
        registry: Callable[..., None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert applying.apply(session_of(tmp_path), [NODE], ()).rest == [NODE]
        assert capsys.readouterr().err == ""
        with pytest.raises(UsageError, match=r"there is no bases\.lock\.json"):
            applying.apply(session_of(tmp_path, BASES_LOCK="required"), [NODE], ())

    def test_a_lock_that_is_switched_off_is_not_even_read(
        self, tmp_path: Path, registry: Callable[..., None]
    ) -> None:
        (tmp_path / lock.NAME).write_text("damaged")
        session = session_of(tmp_path, BASES_LOCK="off")
        assert applying.apply(session, [NODE], ()).rest == [NODE]

    def test_a_platform_that_the_digest_lacks(
        self, tmp_path: Path, registry: Callable[..., None]
    ) -> None:
        (tmp_path / lock.NAME).write_bytes(document())
        with pytest.raises(OutOfReach, match=r"has no linux/s390x; run: inv bases\.update --base"):
            applying.apply(session_of(tmp_path), [BaseNeed("node:22", ("linux/s390x",))], ())

    def test_a_look_alike_that_was_pinned(
        self, tmp_path: Path, registry: Callable[..., None]
    ) -> None:
        (tmp_path / lock.NAME).write_bytes(document(lookalike=True))
        registry(stored=Stored(OLD, {"linux/amd64": OLD}))
        session = session_of(tmp_path)
        applied = applying.apply(session, [NODE], ())
        assert applied.images == {"node:22": f"127.0.0.1:1/library/node:22@{OLD}"}
        assert "only this machine has: node:22" in applying.notices(applied)[0]
        registry()
        elsewhere = applying.apply(session, [NODE], ())
        assert (elsewhere.images, elsewhere.unlocked) == ({}, ["node:22"])
        assert lock.named(lock.load(tmp_path) or {}, ("node:22",)) == ("node:22",)


def definition(root: Path, **target: Any) -> Definition:
    return definitions.parse(root, {"target": {"app": target}})


class TestContexts:
    def test_pins_become_contexts_and_the_frontends_argument(
        self, tmp_path: Path, registry: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = {"docker/dockerfile:1", "node:22", "alpine:3", "host.example/latest:latest"}
        pins = dict.fromkeys(found, PIN)
        (tmp_path / lock.NAME).write_text(lock.written(pins))
        registry(Answer(PLATFORMS, OLD))
        monkeypatch.setattr(bases, "ensure_bases", lambda *_: {})
        text = "# syntax=docker/dockerfile:1\nFROM node:22\nCOPY --from=tools / /\n"
        text += "COPY --from=host.example/latest:latest / /\n"
        whole = definition(
            tmp_path, **{"dockerfile-inline": text}, contexts={"tools": "docker-image://alpine:3"}
        )
        monkeypatch.setattr(bases, "base_states", lambda *_: ())
        provided = needs.provide(session_of(tmp_path), whole)
        made = overlay.compose(
            whole.targets,
            Additions("p", contexts=provided.contexts, syntaxes=provided.syntaxes),
        )["target"]["app"]
        assert made["args"] == {"BUILDKIT_SYNTAX": f"docker/dockerfile:1@{OLD}"}
        assert made["contexts"] == {
            "node:22": f"docker-image://node:22@{OLD}",
            "tools": f"docker-image://alpine:3@{OLD}",
            "alpine:3": f"docker-image://alpine:3@{OLD}",
            "latest": f"docker-image://host.example/latest:latest@{OLD}",
            "host.example/latest": f"docker-image://host.example/latest:latest@{OLD}",
            "docker/dockerfile:1": f"docker-image://docker/dockerfile:1@{OLD}",
        }

    @pytest.mark.parametrize("base", ["node", "node:latest", "host.example/library/node"])
    def test_a_base_that_is_called_like_a_stage_is_not_replaced(
        self,
        tmp_path: Path,
        registry: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        base: str,
    ) -> None:
        """BuildKit would take the pinned base for the stage, and leave out what the stage does."""
        (tmp_path / lock.NAME).write_text(lock.written({base: PIN}))
        registry(Answer(PLATFORMS, OLD))
        monkeypatch.setattr(bases, "ensure_bases", lambda *_: {})
        whole = definition(tmp_path, **{"dockerfile-inline": f"FROM {base} AS node\nRUN true\n"})
        assert needs.provide(session_of(tmp_path), whole).contexts == {}


def test_an_original_is_asked_for_past_the_mirror_of_look_alikes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under its usual name, and under another spelling that only the mirror understands."""
    embedded = replace(ENGINE, kind="embedded")
    stored = ("127.0.0.1:1/library/node:22", Stored(OLD, {"linux/amd64": OLD}))
    known = ("node:22",)
    monkeypatch.setattr(
        bases, "look_alike", lambda _, name, digest=OLD: stored if name in known else None
    )
    monkeypatch.setattr(reach, "fresh", lambda *_: Answer(PLATFORMS, OLD))
    monkeypatch.setattr(resolving, "ask_registry", lambda *_: Answer(PLATFORMS, NEW))
    wanted = [NODE, BaseNeed("host.example/library/node:22"), BaseNeed("other:1")]
    usual, spelled, other = resolving.current(embedded, wanted, date(2026, 1, 1))
    assert usual.pin
    assert (usual.pin.digest, usual.pin.lookalike) == (NEW, False)
    assert spelled.pin
    assert (spelled.pin.digest, spelled.pin.lookalike) == (OLD, True)
    assert other.pin
    assert not other.pin.lookalike
    monkeypatch.setattr(resolving, "ask_registry", lambda *_: NO_NETWORK)
    (usual,) = resolving.current(embedded, [NODE], date(2026, 1, 1))
    assert usual.pin
    assert usual.pin.lookalike
    (usual,) = resolving.current(ENGINE, [NODE], date(2026, 1, 1))
    assert usual.pin == Pin(OLD, lock.MEDIA_TYPES[1], PLATFORMS, date(2026, 1, 1))


class TestRenewing:
    @pytest.fixture
    def moved(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
        """Locked: node:22 of old and gone:1. Needed: node:22, which moved, and nginx:1."""
        pins = {"node:22": PIN, "gone:1": PIN}
        lock.save(tmp_path, pins)
        session = session_of(tmp_path)
        monkeypatch.setattr(renewing, "needed", lambda *_: (BaseNeed("nginx:1"), NODE))
        monkeypatch.setattr(renewing, "today", lambda: date(2026, 11, 24))
        self.answers(monkeypatch, lambda name: Pin(NEW, INDEX, PLATFORMS, date(2026, 11, 24)))
        return session

    @staticmethod
    def answers(monkeypatch: pytest.MonkeyPatch, say: Callable[[str], Pin | None]) -> None:
        def current(_: Engine, asked: list[BaseNeed], __: date) -> tuple[Found, ...]:
            return tuple(Found(n.reference, say(n.reference), reason="no") for n in asked)

        monkeypatch.setattr(resolving, "current", current)

    def test_pin_adds_and_takes_out_but_moves_nothing(self, moved: Session) -> None:
        changes = renewing.renew(moved, Wanted(), again=False)
        assert {each.reference: each.kind for each in changes} == {
            "gone:1": "not needed",
            "nginx:1": "new",
            "node:22": "unchanged",
        }
        made = lock.load(moved.root) or {}
        assert {name: pin.digest for name, pin in made.items()} == {"nginx:1": NEW, "node:22": OLD}

    def test_update_moves(self, moved: Session) -> None:
        kinds = {e.reference: e.kind for e in renewing.renew(moved, Wanted(), again=True)}
        assert kinds["node:22"] == "moved"
        again = renewing.renew(moved, Wanted(), again=True)
        assert {each.kind for each in again} == {"unchanged"}

    def test_narrowed_the_rest_is_left_alone(self, moved: Session) -> None:
        renewing.renew(moved, Wanted(bases=("node*",)), again=True)
        assert "gone:1" in (lock.load(moved.root) or {})

    def test_dry(self, moved: Session) -> None:
        before = (moved.root / lock.NAME).read_text()
        assert renewing.renew(replace_dry(moved), Wanted(), again=True)
        assert (moved.root / lock.NAME).read_text() == before

    def test_all_or_nothing(self, moved: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        before = (moved.root / lock.NAME).read_text()
        self.answers(monkeypatch, lambda name: PIN if name == "node:22" else None)
        with pytest.raises(OutOfReach, match=r"left as it is: .*nginx:1 \(no\)"):
            renewing.renew(moved, Wanted(), again=True)
        assert (moved.root / lock.NAME).read_text() == before

    def test_look_alikes_are_refused_or_marked(
        self, moved: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.answers(monkeypatch, lambda _: replace(PIN, lookalike=True))
        monkeypatch.setattr(bases, "ensure_bases", lambda *_: {})
        with pytest.raises(OutOfReach, match=r"look-alikes stand in here for nginx:1, .*elsewhere"):
            renewing.renew(moved, Wanted(), again=False)
        renewing.renew(moved, Wanted(look_alikes=True), again=False)
        assert (lock.load(moved.root) or {})["nginx:1"].lookalike


def replace_dry(session: Session) -> Session:
    made = replace(session, dry=True)
    made.__dict__["engine"] = ENGINE
    return made


class TestAging:
    def rows(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, *found: Found, pins: lock.Lock
    ) -> tuple[aging.Aged, ...]:
        lock.save(root, pins)
        needed = tuple(BaseNeed(each.reference) for each in found)
        monkeypatch.setattr(renewing, "needed", lambda *_: needed)
        monkeypatch.setattr(renewing, "today", lambda: date(2026, 11, 24))
        monkeypatch.setattr(resolving, "current", lambda *_: found)
        return aging.check(session_of(root), Wanted())

    def test_current_moved_and_not_locked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = ("node:22", "node:24", "other:1")
        found = [Found(name, replace(PIN, digest=NEW)) for name in names]
        pins = {"node:22": PIN, "node:24": replace(PIN, digest=NEW)}
        rows = self.rows(tmp_path, monkeypatch, *found, pins=pins)
        assert [row.status for row in rows] == ["outdated", "current", "not locked"]
        assert [row.pinned_days for row in rows] == [23, 23, None]
        aging.demand(rows, exit_code=False)
        with pytest.raises(ProofFailed, match=r"^newer than bases\.lock\.json: node:22; "):
            aging.demand(rows, exit_code=True)
        aging.demand(rows[1:], exit_code=True)

    def test_past_its_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = self.rows(tmp_path, monkeypatch, Found("node:20", PIN), pins={"node:20": PIN})
        with pytest.raises(ProofFailed, match=r"node:20: Node\.js 20 ended on 2026-04-30"):
            aging.demand(rows, exit_code=True)

    def test_a_registry_out_of_reach(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = Found("host.example/a:1", None, reason="no such host")
        rows = self.rows(tmp_path, monkeypatch, found, pins={"host.example/a:1": PIN})
        with pytest.raises(
            OutOfReach, match=r": host\.example gives no answer about .*: no such host"
        ):
            aging.demand(rows, exit_code=False)

    def test_a_look_alike_says_nothing_of_the_original(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = Found("node:22", replace(PIN, digest=NEW, lookalike=True))
        rows = self.rows(tmp_path, monkeypatch, found, pins={"node:22": PIN})
        assert (rows[0].status, rows[0].current) == ("out of reach", None)
        with pytest.raises(OutOfReach):
            aging.demand(rows, exit_code=True)

    def test_no_lock(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"write it by: inv bases\.pin"):
            aging.check(session_of(tmp_path), Wanted())


@pytest.mark.parametrize(
    ("reference", "goal"),
    [
        ("node:22", "m.example:5000/library/node:22"),
        ("org/app:1", "m.example:5000/org/app:1"),
        ("host.example/a/b", "m.example:5000/a/b:latest"),
        (f"node@{OLD}", f"m.example:5000/library/node@{OLD}"),
    ],
)
def test_where_a_mirror_has_it(reference: str, goal: str) -> None:
    assert mirroring.destination(reference, "m.example:5000") == goal


def test_what_a_registry_says_is_not_believed() -> None:
    described = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    single = {"manifest": {"digest": OLD, "mediaType": INDEX}, "image": described}
    assert resolving.told(single).platforms == ("linux/arm64",)
    attested = {"platform": {"os": "unknown", "architecture": "unknown"}}
    entries = [{"platform": described}, attested]
    index = {"manifest": {"digest": OLD, "mediaType": INDEX, "manifests": entries}}
    assert resolving.told(index).platforms == ("linux/arm64",)
    for wrong in ({}, {"manifest": {"digest": "x"}, "image": {}}, {"manifest": {"manifests": 1}}):
        with pytest.raises(Malformed):
            resolving.told(wrong)
