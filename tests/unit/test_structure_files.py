"""Structure tests on files and config: what a container would see, through links, within limits."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.core import structure
from tasks.core.images.contents import Contents
from tasks.core.proofs.verdicts import Status, Verdict
from tasks.core.structure import files, keeping, proving, reading
from tasks.core.structure.config import Config
from tests.unit import archives, layers
from tests.unit.archives import pieces
from tests.unit.layers import file, folder, hard_link, layer, link, special

SETTINGS = {
    "Env": ["HOME=/srv", "EMPTY=", "PAIR=a=b", "broken"],
    "Labels": {"version": "1.2.3", "odd": 5},
    "ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
    "Volumes": {"/data": {}},
    "WorkingDir": "/app",
    "User": "1000",
    "Entrypoint": ["/usr/bin/tini", "--"],
    "Cmd": ["node", "main.js"],
}
LOWER = layer(
    folder("usr/lib"),
    link("lib", "usr/lib"),
    file("usr/lib/real", b"hidden behind links\n"),
    file("srv/page", b"old\n", 0o600),
    file("gone", b"1"),
    file("etc/hosts", b"127.0.0.1 own\n", 0o600),
    folder("usr/share/doc/one"),
    file("usr/share/doc/one/copyright", b"The MIT License"),
)
UPPER = layer(
    folder(".", 0o711, uid=3),
    file(".wh.gone"),
    file("srv/page", b"first\nsecond\n", 0o640, uid=7, gid=8),
    file("lib/late", b"written through a link"),
    link("etc/release", "../usr/lib/real"),
    link("srv/late", "/lib/late"),
    hard_link("srv/hard", "usr/lib/real"),
    link("srv/lost", "nowhere"),
    link("srv/round", "round"),
    folder("shared", 0o1777),
    folder("ours", 0o2750),
    file("bin/su", b"\x7fELF", 0o4755),
    file("bytes", b"\xff\xfe\0a"),
    file("empty"),
    special("queue", tarfile.FIFOTYPE),
)


def opened(*stacked: bytes, **settings: Any) -> Any:
    told = archives.config(stacked, config=settings or SETTINGS)
    archive = archives.single(layers=stacked, settings=told)
    return lambda: pieces(archive, 50_000)


def verdicts(tests: str, *stacked: bytes, **settings: Any) -> list[Verdict]:
    config = reading.parse(f"schemaVersion: 2.0.0\n{tests}".encode(), "t.yaml")
    held = proving.read(opened(*(stacked or (LOWER, UPPER)), **settings), "app:1", config)
    return [verdict for each in held for verdict in proving.observe(config, "app", each)]


def said(tests: str, *stacked: bytes, **settings: Any) -> str:
    """What is wrong, "" for nothing."""
    (verdict,) = verdicts(tests, *stacked, **settings)
    assert (verdict.status is Status.FAILED) == bool(verdict.findings)
    return "; ".join(line.partition(": ")[2] for line in verdict.findings)


def existence(fields: str) -> str:
    return said(f"fileExistenceTests: [{{name: n, {fields}}}]")


def content(fields: str, *stacked: bytes) -> str:
    return said(f"fileContentTests: [{{name: n, {fields}}}]", *stacked)


def metadata(fields: str) -> str:
    return said(f"metadataTest: {{{fields}}}")


class TestExistence:
    @pytest.mark.parametrize(
        "path",
        [
            *("/", "/srv", "/srv/", "/srv/page", "srv/page", "//srv/../srv/./page", "$HOME/page"),
            *("/lib/real", "/usr/lib/late", "/srv/lost", "/srv/round", "/srv/hard", "/lib/"),
            *("/empty", "/etc/hosts", "/.dockerenv", "/proc", "/dev/pts", "/etc/mtab"),
        ],
    )
    def test_there(self, path: str) -> None:
        assert existence(f"path: {path}") == ""
        assert existence(f"path: {path}, shouldExist: false").endswith(" is there")

    @pytest.mark.parametrize(
        "path", ["/gone", "/srv/page/", "/srv/page/x", "/srv/lost/x", "$NONE/page", "/queue"]
    )
    def test_not_there(self, path: str) -> None:
        assert existence(f"path: {path}, shouldExist: no, uid: 5") == ""
        assert existence(f"path: {path}").endswith(" is not there")

    @pytest.mark.parametrize(
        ("path", "mode"),
        [
            ("/srv/page", "-rw-r-----"),
            ("/srv", "drwxr-xr-x"),
            ("/shared", "dtrwxrwxrwx"),
            ("/ours", "dgrwxr-x---"),
            ("/bin/su", "urwxr-xr-x"),
            ("/srv/lost", "Lrwxrwxrwx"),
            ("/", "drwx--x--x"),
            ("/etc/hosts", "-rwxr-xr-x"),
        ],
    )
    def test_permissions_in_the_letters_of_go(self, path: str, mode: str) -> None:
        assert existence(f"path: {path}, permissions: {mode}") == ""
        assert existence(f"path: {path}, permissions: '----------'") == (
            f"{path} is {mode}, not ----------"
        )

    def test_owners(self) -> None:
        assert existence("path: /srv/page, uid: 7, gid: 8") == ""
        assert existence("path: /srv/page, uid: 0, gid: 1") == (
            "/srv/page has uid 7, not 0; /srv/page has gid 8, not 1"
        )

    @pytest.mark.parametrize(("by", "fits"), [("owner", True), ("group", True), ("other", False)])
    def test_executable(self, by: str, fits: bool) -> None:
        assert (existence(f"path: /ours, isExecutableBy: {by}") == "") is fits
        assert existence("path: /bin/su, isExecutableBy: any") == ""
        assert existence("path: /srv/page, isExecutableBy: any") == (
            "/srv/page is -rw-r-----: not executable by any"
        )

    def test_variables_of_the_file(self) -> None:
        given = 'globalEnvVars: [{key: AT, value: "$HOME/page"}]\n'
        assert said(f"{given}fileExistenceTests: [{{name: n, path: $AT}}]") == ""


class TestContent:
    @pytest.mark.parametrize(
        "path", ["/etc/release", "/lib/real", "/usr/lib/real", "/srv/hard", "usr/lib/../lib/real"]
    )
    def test_a_file_behind_links(self, path: str) -> None:
        assert content(f"path: {path}, expectedContents: ['links$', '^hidden']") != ""
        assert content(f"path: {path}, expectedContents: ['(?m)links$', '^hidden']") == ""

    @pytest.mark.parametrize("path", ["/srv/late", "/usr/lib/late", "/lib/late"])
    def test_a_file_that_its_layer_has_under_another_name(self, path: str) -> None:
        assert content(f"path: {path}, expectedContents: [written]") == ""

    def test_the_upper_layer_counts(self) -> None:
        assert content("path: /srv/page, expectedContents: [first], excludedContents: [old]") == ""

    def test_what_the_engine_puts_there(self) -> None:
        assert content("path: /etc/hosts, excludedContents: [own]") == ""

    def test_what_is_wrong(self) -> None:
        assert content("path: /srv/page, expectedContents: [a, b], excludedContents: [first]") == (
            "/srv/page has no match for 'a'; /srv/page has no match for 'b'; "
            "/srv/page has a match for 'first'"
        )

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/gone", "/gone is not there"),
            ("/srv/lost", "/srv/lost is not there"),
            ("/srv/round", "/srv/round is not there"),
            ("/srv", "/srv is no file: it is a directory"),
            ("/queue", "/queue is no file: it is a pipe"),
        ],
    )
    def test_no_file(self, path: str, expected: str) -> None:
        assert content(f"path: {path}, excludedContents: [x]") == expected

    def test_bytes_and_nothing(self) -> None:
        assert content(r'path: /bytes, expectedContents: ["^..\\x00a$"]') == ""
        assert content("path: /empty, expectedContents: ['^$']") == ""

    def test_one_that_is_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping, "MAX_FILE_BYTES", 100)
        big = layer(file("big", b"x" * 101), file("small", b"x" * 100))
        expected = "/big has 101 bytes: too many to be searched"
        assert content("path: /big, excludedContents: [y]", big) == expected
        assert content("path: /small, excludedContents: [y]", big) == ""

    def test_what_all_files_may_take_is_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping, "MAX_KEPT_BYTES", 250)
        stacked = [layer(file("f", bytes([65 + number]) * 100)) for number in range(4)]
        found = content("path: /f, expectedContents: [D]", *stacked)
        assert found in ("", "/f has 100 bytes: too many to be searched")
        config = reading.parse(
            b"schemaVersion: 2.0.0\nfileContentTests: [{name: n, path: /f}]", "t.yaml"
        )
        held = layers.image(*stacked, inspectors=[keeping.keeper(config)])
        assert sum(len(kept.content) for kept in every(held)) <= 250


def every(held: Contents) -> Iterator[keeping.Kept]:
    for each in held.layers:
        for entry in each.entries:
            kept = entry.finding(keeping.Kept)
            if kept:
                yield kept


class TestLicenses:
    def licenses(self, fields: str, *more: tuple[tarfile.TarInfo, bytes]) -> str:
        return said(f"licenseTests: [{{{fields}}}]", LOWER, layer(*more))

    def test_all_is_well(self) -> None:
        exempt = folder("usr/share/doc/libgnutls30")
        assert self.licenses("debian: true, files: [/srv/page]", exempt) == ""

    def test_a_word_in_any_case(self) -> None:
        upper = file("usr/share/doc/two/copyright", b"Affero: agplv3")
        assert self.licenses("debian: true", upper) == "/usr/share/doc/two/copyright names AGPL"
        assert self.licenses("debian: false", upper) == ""
        assert (
            self.licenses("files: [LICENSE]", file("LICENSE", b"WTFPL")) == "/LICENSE names WTFPL"
        )

    def test_none_for_a_package(self) -> None:
        bare = folder("usr/share/doc/bare")
        assert self.licenses("debian: true", bare) == "/usr/share/doc/bare/copyright is not there"

    def test_links(self) -> None:
        other = (
            link("usr/share/doc/alias", "one"),
            folder("usr/share/doc/two"),
            link("usr/share/doc/two/copyright", "../three"),
            file("usr/share/doc/three", b"AGPL"),
        )
        assert self.licenses("debian: true", *other) == "/usr/share/doc/two/copyright names AGPL"

    def test_no_documents_at_all(self) -> None:
        found = said("licenseTests: [{debian: true}]", layer(file("x")))
        assert found == "/usr/share/doc is not there"


class TestMetadata:
    @pytest.mark.parametrize(
        "fields",
        [
            "workdir: /app, user: 1000, cmd: [node, main.js], entrypoint: [/usr/bin/tini, --]",
            "exposedPorts: [8080, '53'], unexposedPorts: [80, 8080/tcp]",
            "volumes: [/data], unmountedVolumes: [/dat]",
            "envVars: [{key: EMPTY, value: ''}, {key: PAIR, value: a=b}, {key: broken}]",
            "envVars: [{key: HOME, value: ^/s, isRegex: true}], unboundEnvVars: [{key: HOM}]",
            r"labels: [{key: version, value: '^\d', isRegex: true}, {key: version, value: 1.2.3}]",
        ],
    )
    def test_as_demanded(self, fields: str) -> None:
        assert metadata(fields) == ""

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ("workdir: /", "workdir is '/app', not '/'"),
            ("user: root", "user is '1000', not 'root'"),
            ("cmd: []", "cmd is ['node', 'main.js'], not []"),
            ("cmd: [node]", "cmd is ['node', 'main.js'], not ['node']"),
            ("entrypoint: [sh]", "entrypoint is ['/usr/bin/tini', '--'], not ['sh']"),
            ("exposedPorts: [8080/tcp]", "port '8080/tcp' is not exposed"),
            ("unexposedPorts: [53]", "port '53' is exposed"),
            ("volumes: [/dat]", "volume '/dat' is not declared"),
            ("unmountedVolumes: [/data]", "volume '/data' is declared"),
            ("envVars: [{key: NO}]", "the variable 'NO' is not there"),
            ("envVars: [{key: HOME, value: a}]", "the variable 'HOME' is '/srv', not 'a'"),
            ("labels: [{key: odd, value: 5}]", "the label 'odd' is not there"),
            ("unboundEnvVars: [{key: HOME}]", "the variable 'HOME' is set"),
            (
                "labels: [{key: version, value: '^2', isRegex: on}]",
                "the label 'version' is '1.2.3': no match for '^2'",
            ),
        ],
    )
    def test_not_as_demanded(self, fields: str, expected: str) -> None:
        assert metadata(fields) == expected

    def test_a_config_that_says_nothing(self) -> None:
        strange = {"Env": "A=1", "Labels": [], "Cmd": {}, "ExposedPorts": 5, "Entrypoint": None}
        tests = "metadataTest: {cmd: [], entrypoint: [], unboundEnvVars: [{key: A}]}"
        assert said(tests, LOWER, **strange) == ""


def test_verdicts_say_the_test_and_the_file() -> None:
    tests = (
        'fileExistenceTests: [{name: page, path: /none}, {name: "a\\nb", path: /}]\n'
        "fileContentTests: [{name: text, path: /srv/page}]\n"
        "licenseTests: [{files: [/srv/page]}]\n"
        "metadataTest: {user: 1000}\n"
    )
    found = verdicts(tests)
    assert [(each.proof, each.status, each.message) for each in found] == [
        ("structure.file-content", Status.PASSED, "text"),
        ("structure.file-existence", Status.FAILED, "page: /none is not there"),
        ("structure.file-existence", Status.PASSED, "a\\x0ab"),
        ("structure.license", Status.PASSED, "licenses 1"),
        ("structure.metadata", Status.PASSED, "metadata"),
    ]
    assert {each.allowed for each in found} == {"as t.yaml says"}
    assert found[1].findings == ("page: /none is not there",)


def test_every_platform_has_its_verdicts() -> None:
    config = Config(
        "t.yaml",
        existence=reading.parse(
            b"schemaVersion: 2.0.0\nfileExistenceTests: [{name: n, path: /x}]", "t.yaml"
        ).existence,
    )
    both = layers.index(
        [
            ({"os": "linux", "architecture": "amd64"}, {}, [layer(file("x"))]),
            (
                {"os": "linux", "architecture": "arm64"},
                {"architecture": "arm64"},
                [layer(file("y"))],
            ),
        ]
    )
    found = [verdict for held in both for verdict in proving.observe(config, "app", held)]
    assert {(each.platform, each.status) for each in found} == {
        ("linux/amd64", Status.PASSED),
        ("linux/arm64", Status.FAILED),
    }


def test_the_family_is_whole() -> None:
    ids = [proof.id for proof in structure.PROOFS]
    assert ids == [
        *("structure.command", "structure.file-existence", "structure.file-content"),
        *("structure.metadata", "structure.license"),
    ]
    assert files.EXEMPT == "libgnutls30"
