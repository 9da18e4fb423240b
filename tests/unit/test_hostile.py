"""Archives that mean harm: one line and exit 2, in bounded time and memory, and nothing written."""

from __future__ import annotations

import gzip
import os
import pickle
import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.core.command import translated
from tasks.core.errors import UsageError
from tasks.core.proofs.policy import Policy
from tasks.core.verifying import looking, proving
from tasks.core.verifying.looking import Job
from tests.unit import hostile
from tests.unit.hostile import MIB, verify
from tests.unit.layers import file, folder, hard_link, layer, link, special

#: A name that would steer a terminal, and add a line of its own.
STEERS = "\x1b[2J\nall is well"
ESCAPES = "../../../escaped"
PEAK_MIB, SECONDS = 400, 60

#: case: (archive, part of the line)
CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "an entry out of the image": (
        lambda: hostile.of_members(file(ESCAPES, b"x")),
        "no path inside the image",
    ),
    "an entry through a link out of the image": (
        lambda: hostile.of_members(link("a", ESCAPES), link("b", "b"), file("b/x", b"1")),
        "through a link that leads nowhere",
    ),
    "hard link out of the image": (
        lambda: hostile.of_members(hard_link("a", ESCAPES)),
        "no path inside the image",
    ),
    "a name that steers": (
        lambda: hostile.of_members(file(f"../{STEERS}", b"x")),
        "no path inside the image",
    ),
    "a member's name twice": (
        lambda: hostile.behind(hostile.header(name="index.json")),
        "holds index.json twice",
    ),
    "a member's name that steers twice": (
        lambda: hostile.behind(*[hostile.header(name=STEERS)] * 2),
        "twice",
    ),
    "a size that is a lie in a descriptor": (
        lambda: hostile.described({"size": 10**15}, of_layer=True),
        "not 1000000000000000",
    ),
    "a size below nothing": (lambda: hostile.described({"size": -1}), "not a whole number"),
    "a size without end": (lambda: hostile.described({"size": 1e400}), "not a whole number"),
    "a digest that is a path": (
        lambda: hostile.described({"digest": f"sha256:{ESCAPES}"}),
        "not a sha256 digest",
    ),
    "a size that is a lie in a layer": (
        lambda: hostile.claiming(gzip.compress(hostile.header(size=10**10) + b"x" * 999)),
        "it ends within an entry",
    ),
    "a size that is a lie in the archive": (
        lambda: hostile.header(name="a", size=10**9) + b"x" * 9999,
        "unexpected end of data",
    ),
    "a size without end in the archive": (
        lambda: hostile.header(name="a", size=10**18) + b"x" * 9999,
        "unpacks to more than",
    ),
    "an index that lists itself": (hostile.listing_itself, "does not match its content"),
    "a config that is deeply nested": (
        lambda: hostile.configured(b'{"config":' + b"[" * 900 + b"]" * 900 + b"}"),
        "nested more than 100 deep",
    ),
    "a config without an end": (lambda: hostile.configured(b"[" * 50_000), "not valid JSON"),
    "a number without an end": (
        lambda: hostile.configured(b'{"config":' + b"9" * MIB + b"}"),
        "not valid JSON",
    ),
    "10,000 layers": (lambda: hostile.with_layers(10_000), "JSON of more than 60000 values"),
    "1,000 layers": (lambda: hostile.with_layers(1000), "an image of 1000 layers; 500 are enough"),
    "a manifest of 10,000 images": (
        lambda: hostile.plain(
            [{"Config": "c", "Layers": []}] * 10_000,
            c=b'{"os":"linux","architecture":"amd64","rootfs":{}}',
        ),
        "holds more than 64 images",
    ),
    "a config out of the archive": (
        lambda: hostile.plain([{"Config": ESCAPES, "Layers": []}]),
        "escaped is missing",
    ),
}
WRONG: tuple[Any, ...] = (None, 7, -1.5, "\0text\n", [], {}, [None, {}], {"": None}, [["a"]], True)
KEYS = ("User", "Env", "Cmd", "Entrypoint", "Labels", "ExposedPorts", "Volumes", "Healthcheck")
#: What a layer may hold without being wrong: engines put it in place.
ODD = {
    "links in circles": (link("a", "b"), link("b", "a"), link("c", "c"), link("d", "d/d/d/d")),
    "hard links in circles": (hard_link("a", "b"), hard_link("b", "a"), hard_link("c", "c")),
    "names with newlines": (folder(STEERS), file(f"{STEERS}/app.js", b"1"), link("a", STEERS)),
    "names twice": (file("a", b"1"), link("a", "b"), folder("a"), file("a", b"2")),
    "pipes and devices": (special("p", tarfile.FIFOTYPE), special("c", tarfile.CHRTYPE)),
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where the archive goes; nothing else is written anywhere around."""
    work = tmp_path / "a/b/c"
    work.mkdir(parents=True)
    yield work / "image"
    assert list(work.iterdir()) in ([], [work / "image"])
    assert [each.name for each in tmp_path.rglob("*") if work not in each.parents] == [*"abc"]


def said(place: Path, content: bytes) -> str:
    """The line that reading an image ends in; "" when there are verdicts on it."""
    place.write_bytes(content)
    families = (*proving.EVERYTHING, "policy")
    job = Job("image", "image", None, place, Policy(port=8080), families)
    try:
        with translated():
            looked = looking.look(job)
    except UsageError as error:
        return one_line(str(error))
    assert pickle.loads(pickle.dumps(looked)) == looked  # noqa: S301 - our own
    assert all("\x1b" not in each.message for each in looked.verdicts)
    return ""


def one_line(message: str) -> str:
    """The message, if a terminal shows it as one line that can be read."""
    assert message.isprintable()
    assert len(message) < 500
    return message


@pytest.mark.parametrize("case", CASES)
def test_each_ends_in_one_line(case: str, place: Path) -> None:
    make, part = CASES[case]
    assert part in said(place, make())


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("kind", ["as it is", "compressed"])
def test_cut_off(kind: str, tenth: int, place: Path) -> None:
    noise = random.Random(tenth).randbytes(40_000)  # noqa: S311 - any bytes
    whole = hostile.of_members(file("a", noise))
    stored = whole[: whole.index(b"oci-layout")]
    stored = stored if kind == "as it is" else gzip.compress(whole)
    assert said(place, stored[: len(stored) * tenth // 10])


@pytest.mark.parametrize("odd", ODD)
def test_what_is_only_odd_is_proven(odd: str, place: Path) -> None:
    assert said(place, hostile.of_members(*ODD[odd])) == ""


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_wrong_types_in_the_config(key: str, wrong: object, place: Path) -> None:
    said(place, hostile.of(layer(file("a", b"1")), config={key: wrong}))


@pytest.mark.parametrize("key", ["config", "history", "created", "rootfs", "os", "variant"])
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_wrong_types_around_it(key: str, wrong: object, place: Path) -> None:
    said(place, hostile.of(layer(file("a", b"1")), **{key: wrong}))


def test_a_pipe_is_not_waited_for(place: Path) -> None:
    os.mkfifo(place)
    ran = verify(place, place.parent, 20)
    assert (ran.code, "neither a file nor a folder" in ran.line) == (2, True)


def test_a_folder_of_links_and_pipes(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "index.json").write_text('{"manifests": []}')
    place.mkdir()
    (place / "index.json").symlink_to(elsewhere / "index.json")
    (place / "blobs").symlink_to(elsewhere)
    (place / "round").symlink_to(place)
    os.mkfifo(place / "oci-layout")
    ran = verify(place, place.parent, 20)
    assert ran.code == 2, ran.err
    assert "it has neither index.json nor manifest.json" in ran.line
