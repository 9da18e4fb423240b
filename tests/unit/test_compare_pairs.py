"""Which images two names mean, and which of their platforms are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tasks.core.comparing import pairs, places
from tasks.core.errors import UsageError
from tasks.core.provision import apt
from tasks.core.secrecy import secretvalues
from tasks.core.session import Session
from tests.unit import archives
from tests.unit.archives import INDEX, MANIFEST, Layout, encoded
from tests.unit.engines import APP, LARGE, FakeSession, Make, maker

LAYER = archives.layer()


def index(*architectures: str) -> bytes:
    """An archive with an image for each architecture."""
    layout = Layout()
    images = []
    for architecture in architectures:
        told = archives.config([LAYER], architecture=architecture)
        manifest = layout.manifest(layers=[LAYER], settings=told)
        platform = {"os": "linux", "architecture": architecture}
        images.append({**layout.add(encoded(manifest), MANIFEST), "platform": platform})
    return archives.tar(layout.files([layout.add(encoded({"manifests": images}), INDEX)]))


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(secretvalues, "of_settings", lambda _: {})
    monkeypatch.setattr(apt, "native_platform", lambda: "linux/arm64")
    monkeypatch.chdir(tmp_path)
    return maker(tmp_path, monkeypatch)


def compared(make: Make, one: Sequence[str], other: Sequence[str], platform: str = "") -> list[str]:
    """The platforms that were compared, of images for ``one`` and ``other``."""
    for name, architectures in (("one.tar", one), ("other.tar", other)):
        Path(name).write_bytes(index(*architectures))
    found = pairs.compare(cast("Session", make()), "one.tar", "other.tar", platform)
    assert not found.differs
    return [each.platform for each in found.comparisons]


class TestPlatforms:
    both = ("amd64", "arm64", "s390x")

    def test_the_own_one_if_both_have_it(
        self, make: Make, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert compared(make, self.both, self.both) == ["linux/arm64"]
        told = "comparing linux/arm64; also in both: linux/amd64, linux/s390x (--platform all)"
        assert told in capsys.readouterr().err

    def test_else_the_first_of_both(self, make: Make) -> None:
        assert compared(make, ("s390x", "amd64"), ("amd64", "arm64", "s390x")) == ["linux/s390x"]

    def test_all_that_are_in_both(self, make: Make) -> None:
        found = compared(make, self.both, ("s390x", "amd64"), "all")
        assert found == ["linux/amd64", "linux/s390x"]

    def test_one_that_is_asked_for(self, make: Make) -> None:
        assert compared(make, self.both, self.both, "linux/amd64") == ["linux/amd64"]

    def test_one_that_is_not_in_both(self, make: Make) -> None:
        expected = "not in both images: one.tar has linux/amd64, linux/arm64, linux/s390x; other"
        with pytest.raises(UsageError, match=expected):
            compared(make, self.both, ("arm64",), "linux/amd64")

    def test_none_in_common(self, make: Make) -> None:
        with pytest.raises(UsageError, match=r"no platform is in both images: one\.tar has"):
            compared(make, ("amd64",), ("arm64",))

    @pytest.mark.parametrize("word", ["linux/amd64,linux/arm64", "amd64", "linux/", "ALL", " "])
    def test_what_is_no_platform(self, word: str) -> None:
        with pytest.raises(UsageError, match="--platform"):
            pairs.check_platform(word)


class TestPlaces:
    def find(self, session: FakeSession, name: str) -> Any:
        (session.root / "docker-bake.hcl").touch()
        return places.find(cast("Session", session), name)

    def test_a_file_comes_before_a_target_of_its_name(self, make: Make) -> None:
        Path(APP.name).write_bytes(LARGE)
        assert self.find(make(), APP.name).archive == Path(APP.name)

    def test_a_folder_that_is_no_layout_is_none(self, make: Make) -> None:
        Path(APP.name).mkdir()
        assert self.find(make(), APP.name).reference == APP.tags[0]

    def test_a_name_with_a_tag_is_an_image(self, make: Make) -> None:
        found = self.find(make(), f"{APP.name}:1")
        assert (found.reference, found.archive) == (f"{APP.name}:1", None)

    @pytest.mark.parametrize("name", ["./x", "/x/y", "gone.tar", "gone.tar.gz", "", " x"])
    def test_what_cannot_be_an_image(self, make: Make, name: str) -> None:
        with pytest.raises(UsageError, match=r"no such archive|names no image"):
            self.find(make(), name)
