"""Secrets on their way out: found by shape, value and name, told by line, and never shown."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tasks.core import settings
from tasks.core.bake import definitions
from tasks.core.bake.definitions import Definition
from tasks.core.errors import OutOfReach
from tasks.core.scanning import leaks, secrets, sending, warning
from tasks.core.scanning.findings import Report, Rules, Severity, State
from tasks.core.secrecy import secretforms
from tasks.core.secrecy.secretforms import Needle
from tasks.core.session import Session

#: In pieces: scan.secrets looks at this file too.
KEY = b"-----BEGIN RSA PRIVATE" + b" KEY-----\n" + b"MIIEpQIBAAKCAQEA7bq9" * 4 + b"\n"
TOKEN = b"ghp" + b"_" + b"a1B2" * 9
VALUE = "correct horse battery"


def kinds(content: bytes, name: str = "file", **values: str) -> list[tuple[int, str]]:
    found = leaks.in_content(content, name, secretforms.needles(values))
    return [(each.line, each.rule) for each in found]


class TestContent:
    def test_each_is_told_by_its_line(self) -> None:
        assert kinds(b"a\n\n" + KEY + b"b\nx = '" + TOKEN + b"'\n") == [
            (3, "private-key"),
            (6, "token"),
        ]

    def test_a_value_of_the_settings_in_any_form(self) -> None:
        assert kinds(f"x\n{VALUE}\n".encode(), PASSWORD=VALUE) == [(2, "value")]
        assert kinds(b"correct%20horse%20battery", PASSWORD=VALUE) == [(1, "value")]
        assert kinds(b"correct horse", PASSWORD=VALUE) == []

    @pytest.mark.parametrize(
        ("name", "content", "found"),
        [
            (".env", b"A=1\nexport DB_PASSWORD=geheim\n", [(2, "variable")]),
            (".env.production", b"API_TOKEN = 'x'\n", [(1, "variable")]),
            (".env", b"DB_PASSWORD=\nAPI_TOKEN=$TOKEN\nKEY_FILE=/run/key\nNODE_ENV=x\n", []),
            (".env.example", b"DB_PASSWORD=geheim\n", []),
            ("settings.py", b"DB_PASSWORD=geheim\n", []),
            (".netrc", b"machine a login b password c\n", [(1, "password")]),
            (".pgpass", b"# a\nhost:5432:db:me:geheim\n", [(2, "password")]),
            (".git-credentials", b"https" + b"://me:geheim@git.example\n", [(1, "password")]),
            ("store.P12", b"\0\1", [(0, "key-store")]),
            ("store.p12", b"", []),
        ],
    )
    def test_what_is_a_secret_by_its_file(
        self, name: str, content: bytes, found: list[tuple[int, str]]
    ) -> None:
        assert kinds(content, name) == found

    def test_many_of_a_kind_are_some(self) -> None:
        assert len(kinds((TOKEN + b"\n") * 1000)) == leaks.MOST_OF_A_KIND

    def test_packed_and_large_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        packed = tmp_path / "a.gz"
        packed.write_bytes(gzip.compress(b"x" * 100 + KEY))
        assert [each.rule for each in leaks.in_file(packed, ()).leaks] == ["private-key"]
        monkeypatch.setattr(leaks, "WHOLE_BYTES", 64)
        monkeypatch.setattr(leaks, "PIECE_BYTES", 50)
        monkeypatch.setattr(leaks, "MOST_BYTES", 1000)
        large = tmp_path / "large"
        large.write_bytes(b"x" * 90 + b"\n" + TOKEN)
        looked = leaks.in_file(large, ())
        assert [(each.rule, each.line) for each in looked.leaks] == [("token", 0)]
        assert looked.unread == ""
        large.write_bytes(b"x" * 5000)
        assert "only its first" in leaks.in_file(large, ()).unread

    def test_no_finding_shows_a_secret(self) -> None:
        told = repr(leaks.in_content(KEY + TOKEN + VALUE.encode(), ".env", ()))
        assert TOKEN.decode() not in told
        assert "MIIE" not in told


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two contexts, one of which has an ignore file; git tracks some of it."""
    for name in ("web", "api", "shared"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (tmp_path / "web/.dockerignore").write_text("keys\n.env\n")
    (tmp_path / "web/keys").mkdir()
    (tmp_path / "docker-bake.hcl").write_text('target "web" {}\n')
    return tmp_path


def session(
    root: Path, monkeypatch: pytest.MonkeyPatch, *overrides: str, **policy: object
) -> Session:
    printed = {
        "web": {"context": "web", "contexts": {"more": "shared", "base": "docker-image://a:1"}},
        "api": {"context": "api"},
    }
    whole = definitions.parse(root, {"target": printed})
    monkeypatch.setattr(Session, "everything", lambda _: whole)
    monkeypatch.setattr(Session, "environment", {})
    loaded = settings.load(root, overrides=overrides)
    return Session(root, loaded, (), False, {"policy": {"*": policy}} if policy else {})


def track(root: Path, *names: str) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "-f", *names], cwd=root, check=True)


def scan(root: Path, monkeypatch: pytest.MonkeyPatch, *patterns: str, **policy: object) -> Report:
    report = secrets.scan(session(root, monkeypatch, **policy), patterns, Rules())
    assert report is not None
    return report


def there(report: Report) -> dict[str, str]:
    return {each.finding.subject: each.finding.title for each in report.of(State.OPEN)}


class TestScan:
    def test_a_key_in_a_context(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "api/id_rsa").write_bytes(KEY)
        (root / "web/keys/id_rsa").write_bytes(KEY)
        report = scan(root, monkeypatch)
        assert there(report) == {"api/id_rsa:1": "private key: sent with the context api (api)"}
        assert report.judged[0].finding.severity is Severity.CRITICAL

    def test_a_named_context_is_sent_too(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "shared/token").write_bytes(TOKEN)
        assert list(there(scan(root, monkeypatch))) == ["shared/token:1"]

    def test_a_dockerfile_is_sent_whatever_is_ignored(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (root / "web/.dockerignore").write_text("*\n")
        (root / "web/Dockerfile").write_bytes(b"FROM scratch\nENV A=" + TOKEN)
        assert list(there(scan(root, monkeypatch))) == ["web/Dockerfile:2"]

    def test_what_git_would_publish(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "web/keys/id_rsa").write_bytes(KEY)
        (root / "loose").write_bytes(TOKEN)
        (root / "my.env").write_bytes(b"MINE=" + TOKEN)
        (root / ".gitignore").write_text("my.env\n")
        track(root, "web/keys/id_rsa")
        assert there(scan(root, monkeypatch)) == {
            "web/keys/id_rsa:1": "private key: tracked by git",
            "loose:1": "GitHub token: in the working tree, not ignored by git",
        }
        track(root, "my.env")
        assert there(scan(root, monkeypatch))["my.env:1"] == "GitHub token: tracked by git"

    def test_no_checkout_is_said(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert any(
            "the working tree was not searched" in note for note in scan(root, monkeypatch).notes
        )

    def test_a_checkout_that_git_cannot_read_is_no_pass(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = session(root, monkeypatch)
        (root / ".git").write_text("gitdir: nowhere\n")
        with pytest.raises(OutOfReach, match="git cannot list the files of the working tree"):
            secrets.scan(now, (), Rules())

    def test_no_name_of_a_file_steers_a_terminal(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (root / "api/a\x1b[31m").write_bytes(TOKEN)
        assert all(place.isprintable() for place in there(scan(root, monkeypatch)))

    def test_a_link_leads_nowhere(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        outside = root / "outside"
        outside.write_bytes(KEY)
        (root / "api/link").symlink_to(outside)
        assert there(scan(root, monkeypatch)) == {}

    def test_an_exception_and_a_target_left_out(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (root / "api/id_rsa").write_bytes(KEY)
        accepted = {
            "proof": "scan.secrets",
            "match": "private-key api/id_rsa",
            "reason": "a test's",
            "expires": "2999-01-01",
        }
        report = scan(root, monkeypatch, exceptions=[accepted])
        assert there(report) == {}
        assert [each.state for each in report.judged] == [State.ACCEPTED]
        left = scan(root, monkeypatch, skip=["scan.secrets"])
        assert there(left) == {}
        assert "secrets: api: the policy leaves it out" in left.notes

    def test_a_default_of_the_example_is_no_secret(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (root / ".env.example").write_text("DB_PASSWORD=postgres-for-everybody\n")
        (root / "api/notes").write_text("postgres-for-everybody, hunter2-hunter2\n")
        assert there(scan(root, monkeypatch)) == {}
        now = session(root, monkeypatch, "DB_PASSWORD=hunter2-hunter2")
        report = secrets.scan(now, (), Rules())
        assert report is not None
        [(place, title)] = there(report).items()
        assert (place, title.partition(":")[0]) == ("api/notes:1", "value of setting DB_PASSWORD")

    def test_what_cannot_be_read_has_not_passed(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> leaks.Looked:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(leaks, "in_file", refuse)
        with pytest.raises(
            OutOfReach, match="cannot search api/Dockerfile for secrets: Permission"
        ):
            scan(root, monkeypatch)

    def test_targets_narrow_the_contexts(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "api/id_rsa").write_bytes(KEY)
        assert there(scan(root, monkeypatch, "web")) == {}
        assert len(there(scan(root, monkeypatch, "api"))) == 1


class TestWarning:
    def warned(
        self, now: Session, definition: Definition, capsys: pytest.CaptureFixture[str]
    ) -> list[str]:
        warning.warn(now, definition)
        return capsys.readouterr().err.splitlines()

    def test_one_line_a_file(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (root / "api/id_rsa").write_bytes(KEY + TOKEN)
        now = session(root, monkeypatch)
        said = self.warned(now, now.everything(), capsys)
        assert said == [
            "warning: api/id_rsa:1: private key, sent with the context api; see: inv scan.secrets"
        ]
        assert self.warned(now, now.everything(), capsys) == said
        (root / "api/.dockerignore").write_text("id_rsa\n")
        assert self.warned(now, now.everything(), capsys) == []

    def test_what_did_not_change_is_not_read_again(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        now = session(root, monkeypatch)
        self.warned(now, now.everything(), capsys)
        read: list[str] = []
        real = leaks.in_file

        def looked(path: Path, needles: Sequence[Needle]) -> leaks.Looked:
            read.append(path.name)
            return real(path, needles)

        monkeypatch.setattr(leaks, "in_file", looked)
        (root / "api/new").write_bytes(TOKEN)
        assert len(self.warned(now, now.everything(), capsys)) == 1
        assert read == ["new"]

    def test_a_cache_that_is_damaged_is_none(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (root / "api/id_rsa").write_bytes(KEY)
        now = session(root, monkeypatch)
        self.warned(now, now.everything(), capsys)
        for path in (root / warning.FOLDER).iterdir():
            path.write_text('{"schema": 1, "files": {"x": [1]}}')
        assert len(self.warned(now, now.everything(), capsys)) == 1

    def test_it_is_bounded_and_says_so(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for number in range(30):
            (root / f"api/{number}").write_bytes(TOKEN)
        now = session(root, monkeypatch)
        said = self.warned(now, now.everything(), capsys)
        assert len(said) == warning.MOST_LINES + 1
        assert "and 10 files more" in said[-1]
        monkeypatch.setattr(warning, "MOST_FILES", 3)
        assert any(
            "only 3 files of the context api were searched" in line
            for line in self.warned(now, now.everything(), capsys)
        )

    def test_an_exception_silences_it(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (root / "api/id_rsa").write_bytes(KEY)
        accepted = {
            "proof": "scan.secrets",
            "match": "private-key api/*",
            "reason": "a test's",
            "expires": "2999-01-01",
        }
        now = session(root, monkeypatch, exceptions=[accepted])
        assert self.warned(now, now.everything(), capsys) == []


def test_contexts_are_told_apart_by_their_ignore_file(root: Path) -> None:
    (root / "api/Other.dockerignore").write_text("secret\n")
    printed = {
        "one": {"context": "api"},
        "two": {"context": "api", "dockerfile": "Other"},
        "three": {"context": "api", "target": "x"},
    }
    found = sending.contexts(root, definitions.parse(root, {"target": printed}).targets.values())
    assert [each.targets for each in found] == [("one", "three"), ("two",)]
