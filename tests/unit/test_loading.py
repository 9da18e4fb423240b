"""A layout on its way into the engine: what is sent, what is left out, and what is tried again."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import requests

from tasks.core.bake import exporting, layouts, loading
from tasks.core.bake.exporting import Exported
from tasks.core.errors import BuildFailed, OutOfReach
from tests.unit import archives
from tests.unit.archives import MANIFEST, Layout, encoded

if TYPE_CHECKING:
    from docker import DockerClient

BASE = archives.layer("base")
LOADED = {"stream": "Loaded image: app:1"}
#: As an engine said it, but for shorter digests.
LOST = {
    "error": "failed to prepare extraction snapshot "
    '"extract-4 sha256:583a": parent snapshot sha256:78bf does not exist: not found'
}


class Engine:
    """The engine's API as far as loading goes: it answers ``answers`` in turn, the last for ever.

    An image is whole if all its blobs were sent; ``old`` ones do not know what that is.
    """

    def __init__(self, *answers: dict[str, Any], old: bool = False) -> None:
        self.api, self._answers, self._old = self, list(answers) or [LOADED], old
        self.tagged: list[tuple[str, ...]] = []
        self.sent: list[set[str]] = []
        self.blobs: set[str] = set()
        self.images: dict[str, set[str]] = {}

    def load_image(self, stream: Iterator[bytes], quiet: bool) -> list[dict[str, Any]]:
        assert quiet
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as opened:
            files = {member.name: opened.extractfile(member) for member in opened}
            content = {name: file.read() for name, file in files.items() if file is not None}
        assert {"oci-layout", "index.json"} <= content.keys()
        self.sent.append({archives.digest_of(content[n]) for n in content if "blobs/" in n})
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if "error" not in answer:
            self.blobs |= self.sent[-1]
        return [answer]

    def tag(self, *words: str) -> None:
        self.tagged.append(words)

    def _url(self, text: str, digest: str) -> str:
        return text.format(digest)

    def _get(self, url: str, params: Any) -> Any:
        assert params == {"manifests": "1"}
        image = self.images.get(url.split("/")[2])
        if image is None:
            return SimpleNamespace(status_code=HTTPStatus.NOT_FOUND)
        told = {} if self._old else {"Manifests": [{"Available": image <= self.blobs}]}
        return SimpleNamespace(status_code=HTTPStatus.OK, told=told)

    def _result(self, answer: Any, *, json: bool) -> Any:
        assert json
        return answer.told


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "app"


def built(place: Path, text: str, engine: Engine) -> Exported:
    """What a build writes into the layout at ``place``; the engine knows what belongs to it."""
    layouts.prepare(place)
    layout = Layout()
    layers = [BASE, archives.layer(text)]
    image = layout.add(encoded(layout.manifest(layers, settings=archives.config(layers))), MANIFEST)
    layout.write(place, image)
    engine.images[image["digest"]] = set(layout.blobs)
    return exporting.collect("app", [place])


def load(engine: Engine, exported: Exported, *tags: str) -> bool:
    again = loading.load(cast("DockerClient", engine), exported, tags or ("app:1",))
    layouts.prune(exported.layout)
    return again


def test_the_image_gets_all_its_tags(place: Path) -> None:
    engine = Engine()
    exported = built(place, "one", engine)
    assert not load(engine, exported, "h:5/app:1", "h:5/app")
    assert engine.tagged == [
        (exported.digest, "h:5/app", "1"),
        (exported.digest, "h:5/app", "latest"),
    ]
    assert engine.sent == [engine.images[exported.digest]]


def test_what_the_engine_holds_of_the_image_before_is_left_out(place: Path) -> None:
    engine = Engine()
    first = built(place, "one", engine)
    load(engine, first)
    second = built(place, "two", engine)
    load(engine, second)
    assert engine.sent[1] == engine.images[second.digest] - engine.images[first.digest]
    assert engine.images[second.digest] <= engine.blobs
    kept = {f"sha256:{path.name}" for path in (place / layouts.BLOBS).iterdir()}
    assert kept == engine.images[second.digest]


@pytest.mark.parametrize("gone", ["the image", "a blob", "what it was"])
def test_all_is_sent_where_the_image_before_is_not_there(place: Path, gone: str) -> None:
    engine = Engine()
    first = built(place, "one", engine)
    load(engine, first)
    second = built(place, "two", engine)
    if gone == "the image":
        del engine.images[first.digest]
    elif gone == "a blob":
        engine.blobs.pop()
    else:
        (place / layouts.BEFORE).write_text("{")
    load(engine, second)
    assert engine.sent[1:] == [engine.images[second.digest]]


def test_all_is_sent_to_an_engine_that_cannot_tell(place: Path) -> None:
    engine = Engine(old=True)
    load(engine, built(place, "one", engine))
    second = built(place, "two", engine)
    load(engine, second)
    assert engine.sent[1] == engine.images[second.digest]


@pytest.mark.parametrize("refused", [False, True])
def test_all_is_sent_where_the_new_image_is_not_whole(
    place: Path, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine may lose the old one after it was asked."""
    engine = Engine(*[LOADED, {"error": "content not found"}, LOADED][:: 1 if refused else 2])
    load(engine, built(place, "one", engine))
    second = built(place, "two", engine)
    honest, asked = engine._get, []

    def get(url: str, params: Any) -> Any:
        asked.append(url)
        answer = honest(url, params)
        engine.blobs.clear()  # right after it was asked
        return answer

    monkeypatch.setattr(engine, "_get", get)
    assert load(engine, second)
    assert len(engine.sent) == 3
    assert engine.sent[1] < engine.sent[2] == engine.images[second.digest] <= engine.blobs


def test_an_engine_that_does_not_take_it(place: Path) -> None:
    engine = Engine({"errorDetail": {}, "error": "no space left on device"})
    with pytest.raises(OutOfReach, match=r"^app: the engine does not take the image: no space"):
        load(engine, built(place, "one", engine))
    assert engine.tagged == []
    assert len(engine.sent) == 1


def test_a_layer_that_the_engine_lost_is_loaded_once_more(place: Path) -> None:
    engine = Engine(LOST, LOADED)
    assert load(engine, built(place, "one", engine))
    assert len(engine.tagged) == 1
    with pytest.raises(OutOfReach, match="does not take the image: failed to prepare"):
        load(Engine(LOST), built(place, "two", engine))


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_blob_that_went_bad_is_not_sent(place: Path, damage: str) -> None:
    engine = Engine()
    exported = built(place, "one", engine)
    blob = max((place / layouts.BLOBS).iterdir(), key=lambda path: path.stat().st_size)
    if damage == "missing":
        blob.unlink()
    else:
        blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    with pytest.raises(BuildFailed, match=r"^app: what the build wrote is damaged, build again: "):
        load(engine, exported)
    assert engine.sent == []


def test_an_engine_that_goes_away_says_nothing_of_the_layout(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine()
    exported = built(place, "one", engine)

    def load_image(*_: object, **__: object) -> list[dict[str, Any]]:
        raise requests.ConnectionError("Connection aborted")

    monkeypatch.setattr(engine, "load_image", load_image)
    with pytest.raises(requests.ConnectionError):
        load(engine, exported)
