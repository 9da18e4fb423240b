"""What is reported of images that were measured."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from tasks.core import daemon
from tasks.core.bake.definitions import Definition, Target
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.images import imagecache, sizes
from tasks.core.images.archive import Image
from tasks.core.session import Session
from tests.unit import archives
from tests.unit.archives import digest_of, layer, pieces

MIB = 2**20
ID = digest_of(b"an image")
LOOKALIKE = {"config": {"Labels": {"dev.slipway.lookalike": "true"}}}


def target(name: str, variant: str, stage: str | None = None, tags: tuple[str, ...] = ()) -> Target:
    service = name.split("-")[0]
    return Target(
        name=name,
        service=service,
        variant=variant,
        stage=stage,
        context=None,
        dockerfile=None,
        inline=None,
        args={},
        labels={},
        tags=tags or (f"{name}:latest",),
        platforms=(),
        secrets=(),
        contexts={},
    )


PRODUCTION = target("app-production", "multistage", "production")
TESTING = target("app-testing", "multistage", "testing")
BASELINE = target("app-baseline", "baseline")
OTHER = target("web-production", "multistage", "production")


def definition(*targets: Target) -> Definition:
    return Definition({each.name: each for each in targets}, {}, {})


def image(compressed: int | None, unpacked: int, **changes: Any) -> Image:
    plain = Image("x:1", ID, ID, "linux/amd64", {}, (), compressed, unpacked)
    return replace(plain, **changes)


def rows(**measured: Image) -> dict[str, sizes.ImageSize]:
    known = {each.name: each for each in (PRODUCTION, TESTING, BASELINE, OTHER)}
    images = {name.replace("_", "-"): (found,) for name, found in measured.items()}
    compared = {BASELINE.name: BASELINE}
    return {row.target: row for row in sizes.compare(known, compared, images)}


class TestChoice:
    def test_what_ships_and_baselines(self) -> None:
        chosen = sizes.choose(definition(PRODUCTION, TESTING, BASELINE))
        assert set(chosen) == {"app-production", "app-baseline"}

    def test_everything(self) -> None:
        assert len(sizes.choose(definition(PRODUCTION, TESTING, BASELINE), every=True)) == 3

    def test_a_target_that_is_named_needs_no_more(self) -> None:
        assert set(sizes.choose(definition(PRODUCTION, TESTING), ["*-testing"])) == {"app-testing"}

    def test_a_repository_where_nothing_is_called_production(self) -> None:
        assert set(sizes.choose(definition(TESTING))) == {"app-testing"}


class TestReduction:
    def test_is_of_the_compressed_size(self) -> None:
        found = rows(app_production=image(25, 60), app_baseline=image(100, 200))
        assert found["app-production"].reduction_percent == 75.0
        assert found["app-production"].unpacked_reduction_percent == 70.0

    def test_is_of_the_unpacked_size_where_that_is_all_there_is(self) -> None:
        found = rows(app_production=image(None, 60), app_baseline=image(None, 200))
        assert found["app-production"].reduction_percent == 70.0

    def test_is_negative_for_a_larger_image(self) -> None:
        found = rows(app_production=image(150, 1), app_baseline=image(100, 1))
        assert found["app-production"].reduction_percent == -50.0

    def test_is_unknown_without_a_baseline_of_the_same_service_and_platform(self) -> None:
        found = rows(
            web_production=image(1, 1),
            app_production=image(1, 1, platform="linux/arm64"),
            app_baseline=image(100, 100),
        )
        assert {row.reduction_percent for row in found.values()} == {None}

    def test_of_an_empty_baseline_is_unknown(self) -> None:
        found = rows(app_production=image(1, 1), app_baseline=image(0, 0))
        assert found["app-production"].reduction_percent is None


class TestRender:
    def test_json_has_what_is_promised(self) -> None:
        found = rows(app_production=image(25, 60, config=LOOKALIKE), app_baseline=image(100, 90))
        document = json.loads(sizes.render(list(found.values()), "json"))
        assert document["schema"] == 1
        assert document["images"][0] == {
            "target": "app-production",
            "service": "app",
            "variant": "multistage",
            "tag": "app-production:latest",
            "platform": "linux/amd64",
            "digest": ID,
            "compressed_bytes": 25,
            "unpacked_bytes": 60,
            "layers": 0,
            "reduction_percent": 75.0,
            "unpacked_reduction_percent": 33.3,
            "lookalike_bases": True,
        }

    def test_text_says_what_was_compared(self) -> None:
        found = rows(app_production=image(25 * MIB, MIB), app_baseline=image(100 * MIB, MIB))
        text = sizes.render(list(found.values()))
        assert "25.0 MiB" in text
        assert "75.0 %" in text
        assert "Reduction: of the compressed size" in text
        assert "look-alike" not in text

    @pytest.mark.parametrize("format_", ["text", "markdown"])
    def test_look_alike_bases_are_owned_up_to(self, format_: str) -> None:
        found = rows(app_production=image(25, 60, config=LOOKALIKE))
        last = sizes.render(list(found.values()), format_).splitlines()[-1]
        assert "look-alike" in last

    def test_an_unknown_size_is_a_dash_and_said_to_be_unknown(self) -> None:
        text = sizes.render(list(rows(app_production=image(None, MIB)).values()))
        assert " - " in text
        assert "Compressed: not known" in text

    def test_summary(self) -> None:
        found = rows(app_production=image(25, 1), app_baseline=image(100, 1))
        assert sizes.summary(list(found.values())) == (
            "2 measured; at least 75.0 % smaller than the baseline"
        )
        assert sizes.summary([]) == "0 measured"


@dataclass
class FakeApi:
    """Just as much of the engine's API as measuring asks for; counts exports."""

    archives: dict[str, bytes]
    exports: list[str] = field(default_factory=list)

    def images(self, filters: Any) -> list[dict[str, Any]]:
        return [{"Id": digest_of(tag.encode()), "Size": 9} for tag in filters["reference"]]

    def inspect_image(self, tag: str) -> dict[str, str]:
        from docker.errors import ImageNotFound

        if tag not in self.archives:
            raise ImageNotFound("no such image")
        return {"Id": digest_of(tag.encode())}

    def get_image(self, image_id: str) -> Iterator[bytes]:
        self.exports.append(image_id)
        [content] = [c for tag, c in self.archives.items() if digest_of(tag.encode()) == image_id]
        return pieces(content)


@dataclass
class FakeClient:
    api: FakeApi

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class FakeSession:
    root: Path
    engine: None = None


@contextlib.contextmanager
def engine(monkeypatch: pytest.MonkeyPatch, **images: bytes) -> Iterator[FakeApi]:
    api = FakeApi({f"{name.replace('_', '-')}:latest": each for name, each in images.items()})
    monkeypatch.setattr(daemon, "connect", lambda _engine: FakeClient(api))
    yield api


def measure(root: Path, *targets: Target, patterns: tuple[str, ...] = ()) -> list[str]:
    session = cast("Session", FakeSession(root))
    found = sizes.measure(session, definition(*targets), patterns)
    return [f"{row.target} {row.reduction_percent}" for row in found]


class TestMeasure:
    small = archives.single(layers=[layer("a", 1000)], compress=bytes)
    large = archives.single(layers=[layer("b", 40_000)], compress=bytes)

    def test_smallest_first_and_nothing_is_exported_twice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with engine(monkeypatch, app_production=self.small, app_baseline=self.large) as api:
            first = measure(tmp_path, BASELINE, PRODUCTION)
            assert [line.split()[0] for line in first] == ["app-production", "app-baseline"]
            assert measure(tmp_path, BASELINE, PRODUCTION) == first
        assert len(api.exports) == 2

    def test_a_target_is_compared_with_a_baseline_that_was_not_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with engine(monkeypatch, app_production=self.small, app_baseline=self.large):
            [line] = measure(tmp_path, BASELINE, PRODUCTION, patterns=("*-production",))
        assert float(line.split()[1]) > 50

    def test_only_the_platforms_that_were_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = cast("Session", FakeSession(tmp_path))
        with engine(monkeypatch, app_production=self.small):
            [row] = sizes.measure(session, definition(PRODUCTION), platforms=["linux/amd64"])
            assert row.platform == "linux/amd64"
            with pytest.raises(OutOfReach, match="for linux/arm64; they are for linux/amd64"):
                sizes.measure(session, definition(PRODUCTION), platforms=["linux/arm64"])

    def test_what_is_missing_is_named_and_the_rest_measured(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with engine(monkeypatch, app_production=self.small):
            assert measure(tmp_path, PRODUCTION, BASELINE) == ["app-production None"]
        assert "app-baseline: no image app-baseline:latest" in capsys.readouterr().err

    def test_nothing_at_all_is_an_error_with_the_mend(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with (
            engine(monkeypatch),
            pytest.raises(OutOfReach, match=r"inv build\.targets app-production"),
        ):
            measure(tmp_path, PRODUCTION)

    def test_a_damaged_export_is_one_line_and_is_not_remembered(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with (
            engine(monkeypatch, app_production=self.small[:700]) as api,
            pytest.raises(UsageError, match="app-production:latest is damaged"),
        ):
            measure(tmp_path, PRODUCTION)
        assert len(api.exports) == 1
        assert not (tmp_path / imagecache.FOLDER).exists()
