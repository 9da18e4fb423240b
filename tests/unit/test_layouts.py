"""Layouts that stay: whose they are, and what is in them for how long."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tasks.core.bake import builds, definitions, layouts
from tasks.core.untrusted import Malformed
from tests.unit import archives
from tests.unit.archives import INDEX, MANIFEST, Layout, encoded


def test_one_build_of_a_checkout_has_them(tmp_path: Path) -> None:
    instead = tmp_path / "instead"
    with layouts.kept(tmp_path, instead) as first:
        assert first == tmp_path / layouts.FOLDER
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
        with layouts.kept(tmp_path, instead) as second:
            assert second == instead
        with layouts.kept(tmp_path / "other", instead) as other:
            assert other == tmp_path / "other" / layouts.FOLDER
    with layouts.kept(tmp_path, instead) as again:
        assert again == first


def test_where_nothing_can_be_kept_it_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".slipway").write_text("")
    with layouts.kept(tmp_path, tmp_path / "instead") as place:
        assert place == tmp_path / "instead"
    assert "layers are sent anew each time: .slipway/cache/layouts: " in capfd.readouterr().err


def test_root_leaves_nothing_in_the_folder_of_another_user(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / layouts.FOLDER).mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(tmp_path / layouts.FOLDER, 1, 1)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with layouts.kept(tmp_path, tmp_path / "instead") as place:
        assert place == tmp_path / "instead"
    assert list((tmp_path / layouts.FOLDER).parent.iterdir()) == [tmp_path / layouts.FOLDER]
    said = capfd.readouterr().err
    assert said.rstrip().endswith("layouts: it belongs to another user")


def test_what_a_build_left_half_is_removed(tmp_path: Path) -> None:
    layout = Layout()
    layout.write(tmp_path, layout.add(encoded(layout.manifest()), MANIFEST))
    (tmp_path / "ingest").mkdir()
    before = layouts.top(tmp_path)
    layouts.prepare(tmp_path)
    layouts.prepare(tmp_path)
    assert layouts.top(tmp_path, layouts.BEFORE) == before
    assert not (tmp_path / layouts.TOP).exists()
    assert not (tmp_path / "ingest").exists()


def test_what_belongs_to_no_image_is_removed(tmp_path: Path) -> None:
    old, new = Layout(), Layout()
    old.write(tmp_path, old.add(encoded(old.manifest([archives.layer("old")])), MANIFEST))
    layouts.prepare(tmp_path)
    image = new.add(encoded(new.manifest([archives.layer("new")])), MANIFEST)
    whole = {"schemaVersion": 2, "manifests": [image, image]}
    new.write(tmp_path, new.add(encoded(whole), INDEX))
    layouts.prune(tmp_path)
    kept = {f"sha256:{path.name}" for path in (tmp_path / layouts.BLOBS).iterdir()}
    assert kept == set(new.blobs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "index.json", "oci-layout"]


@pytest.mark.parametrize("digest", ["../../etc/passwd", "sha256:..", "sha512:00", ""])
def test_a_blob_is_named_by_a_digest(tmp_path: Path, digest: str) -> None:
    with pytest.raises(Malformed):
        layouts.path(tmp_path, digest)


def test_an_index_that_lists_itself_comes_to_an_end(tmp_path: Path) -> None:
    digest = f"sha256:{'0' * 64}"
    entry = {"mediaType": INDEX, "digest": digest, "size": 1}
    whole = {"schemaVersion": 2, "manifests": [entry]}
    layouts.path(tmp_path, digest).parent.mkdir(parents=True)
    layouts.path(tmp_path, digest).write_bytes(encoded(whole))
    with pytest.raises(Malformed, match="nested"):
        layouts.blobs(tmp_path, whole)


@pytest.mark.parametrize(
    ("context", "ignored", "sent"),
    [
        (".", None, True),
        (".", "node_modules\n", True),
        (".", ".slipway\n", False),
        (".", "*\n!src\n", False),
        (".", ".slipway\n!.slipway/cache\n", True),
        ("app", None, False),
    ],
)
def test_what_is_kept_does_not_go_into_a_context(
    tmp_path: Path, context: str, ignored: str | None, sent: bool
) -> None:
    (tmp_path / "app").mkdir()
    if ignored is not None:
        (tmp_path / ".dockerignore").write_text(ignored)
    document = {"target": {"app": {"context": context}}}
    target = definitions.parse(tmp_path, document).targets["app"]
    assert builds._sends(tmp_path, target) is sent
