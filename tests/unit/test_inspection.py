"""What is proven of an image in an archive, and which values are searched for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core import settings
from tasks.core.bake import definitions
from tasks.core.errors import UsageError
from tasks.core.images.contents import Contents
from tasks.core.images.digesting import DigestInspector
from tasks.core.proofs import identity
from tasks.core.proofs.verdicts import Status
from tasks.core.secrecy import secretvalues
from tasks.core.session import Session
from tasks.core.shipping import reproducing
from tasks.core.verifying import verification
from tasks.core.verifying.catalogue import CATALOGUE
from tests.unit import archives, layers

REPRODUCIBLE = reproducing.PROOF.id
KEY = "-----BEGIN {} KEY-----\n{}\n".format("PRIVATE", "QUJDREVGR0hJSktM" * 5).encode()


def session(root: Path, **environment: str) -> Session:
    loaded = settings.load(root, environment=environment)
    return Session(root, loaded, (), dry=False, config={})


def archive(root: Path, *made: bytes, **changes: object) -> str:
    path = root / "image.tar"
    path.write_bytes(archives.single(layers=made, settings=archives.config(made, **changes)))
    return str(path)


def test_an_archive_is_proven_without_an_engine(tmp_path: Path) -> None:
    path = archive(tmp_path, layers.layer(layers.file("app/x"), layers.file("app/y", KEY)))
    found = {one.proof: one for one in verification.archive(session(tmp_path), path)}
    assert found["platforms.index"].status is Status.PASSED
    assert found["filesystem.setuid"].status is Status.PASSED
    assert found["secrets.private-keys"].status is Status.FAILED
    assert "/app/y" in found["secrets.private-keys"].message
    families = {"platforms", "filesystem", "secrets", "supply-chain", "budget", "identity"}
    live = {"platforms.reported", "supply-chain.version", "supply-chain.commit", REPRODUCIBLE}
    live |= {"budget.memory", "budget.startup"} | {proof.id for proof in identity.PROOFS}
    assert set(found) == {p.id for p in CATALOGUE if p.family in families and p.id not in live}


def test_no_archive_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--archive .*nowhere: no such file or folder"):
        verification.archive(session(tmp_path), str(tmp_path / "nowhere"))


def test_the_secrets_of_builds_and_settings_are_searched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("file-value\n")
    (tmp_path / ".env.example").write_text("API_TOKEN=setting-value\nPLAIN=x\n")
    (tmp_path / "ca.pem").write_text("public\n")
    secrets = [
        {"id": "a", "env": "FROM_HERE"},
        {"id": "b", "src": "token"},
        {"id": "ca", "src": "ca.pem"},
        {"id": "BY_NAME"},
    ]
    document = {"target": {"x": {"secret": secrets}}}
    targets = definitions.parse(tmp_path, document).targets.values()
    monkeypatch.setattr(Session, "environment", {"FROM_HERE": "variable-value", "BY_NAME": "c"})
    values = secretvalues.of_builds(session(tmp_path), targets)
    assert sorted(values.values()) == ["c", "file-value", "setting-value", "variable-value"]


def test_two_builds_are_compared_file_by_file() -> None:
    def built(text: bytes, date: int, *more: layers.Member) -> Contents:
        files = [layers.file("same", b"s"), layers.file("app/x", text), *more]
        files.append(layers.file("dated", b"d", mtime=date))
        return layers.image(layers.layer(*files), inspectors=(DigestInspector(),))

    here, there = built(b"one", 1), built(b"two", 2, layers.file("new"))
    found = [(each.path, each.how) for each in reproducing.compare("t", here, there)]
    assert found == [
        ("/app/x", "content (3 and 3 bytes)"),
        ("/dated", "date (1 and 2)"),
        ("/new", "only in the second build"),
    ]
    assert list(reproducing.compare("t", here, here)) == []
