"""The machine's mirror, private apt options, root file systems: commands, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.provision import apt, recipes, references, rootfs, tools, trees
from tasks.core.provision.apt import Archive, System
from tasks.core.provision.layers import Entry
from tasks.core.provision.recipes import Recipe
from tasks.core.provision.rootfs import Release, Rootfs

INDEX_TARGETS = (Path(__file__).parents[1] / "data/apt-indextargets.txt").read_text()
THIRD_PARTY = """
Created-By: Packages
Codename: nodistro
Origin: . nodistro
Release: nodistro
Repo-URI: https://packages.example/node/
"""
DEBIAN = System("debian", "bookworm")
ARCHIVE = Archive(DEBIAN, "http://m.example/debian", "http://m.example/debian-security", "/k.gpg")
UBUNTU = Archive(System("ubuntu", "noble"), "http://m.example/ubuntu", None, None)


def test_the_main_archive_is_found_among_updates_security_and_third_parties() -> None:
    found = apt.archive(THIRD_PARTY + "\n" + INDEX_TARGETS, DEBIAN)
    assert found is not None
    assert found.uri == "http://mirror.example/debian/"
    assert found.security_uri == "http://mirror.example/debian-security/"


def test_a_suite_name_in_the_sources_serves_as_well() -> None:
    by_suite = INDEX_TARGETS.replace("Release: bookworm\n", "Release: oldstable\n")
    found = apt.archive(by_suite, DEBIAN)
    assert found is not None
    assert found.uri == "http://mirror.example/debian/"


@pytest.mark.parametrize("text", ["", THIRD_PARTY, INDEX_TARGETS.replace("http://", "file:/")])
def test_without_a_usable_archive_there_is_none(text: str) -> None:
    assert apt.archive(text, DEBIAN) is None


def test_the_configured_keyring_is_kept() -> None:
    signed = INDEX_TARGETS.replace("Origin: Debian", "Origin: Debian\nSigned-By: /etc/own.gpg")
    found = apt.archive(signed, DEBIAN)
    assert found is not None
    assert found.line("stable", ("main",)) == (
        "deb [signed-by=/etc/own.gpg] http://mirror.example/debian/ stable main"
    )


@pytest.mark.parametrize(
    ("os_release", "expected"),
    [
        ('ID=debian\nVERSION_CODENAME="bookworm"\n', System("debian", "bookworm")),
        ("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n", System("ubuntu", "noble")),
        (
            'ID=mint\nID_LIKE="ubuntu debian"\nVERSION_CODENAME=x\nUBUNTU_CODENAME=noble\n',
            System("ubuntu", "noble"),
        ),
        ("ID=fedora\n", None),
        ("", None),
    ],
)
def test_distribution(os_release: str, expected: System | None) -> None:
    assert apt.system(os_release) == expected


def test_private_options_touch_nothing_of_the_machines_own() -> None:
    options = apt.options(Path("/h/work"), "arm64")
    assert "-oDir::Etc::SourceParts=/dev/null" in options
    assert "-oDir::State=/h/work/state" in options
    assert "-oAPT::Sandbox::User=root" in options
    assert "-oAPT::Architecture=arm64" in options
    assert not any("-oAPT::Architecture=" in option for option in apt.options(Path("/h")))


def test_engine_packages_come_from_the_newest_suite_that_works() -> None:
    testing, stable, own = tools.sources(ARCHIVE)
    assert [line.split()[3] for line in testing] == ["testing", "stable"]
    assert [line.split()[3] for line in stable] == ["stable"]
    assert [line.split()[3] for line in own] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]


def test_ubuntu_uses_its_own_suites() -> None:
    (lines,) = tools.sources(UBUNTU)
    assert lines == (
        "deb http://m.example/ubuntu noble main universe",
        "deb http://m.example/ubuntu noble-updates main universe",
    )


def made(reference: str, platform: str, archive: Archive = ARCHIVE) -> tuple[str, ...]:
    recipe = recipes.match(references.parse(reference))
    assert recipe is not None
    release = rootfs.releases(recipe, archive)[0]
    one = Rootfs(recipe, platform, release, Path("/w/x.tar"))
    return rootfs.command(one, archive, "linux/amd64")


def test_the_own_architecture_is_configured_for_apt() -> None:
    command = made("node:22-bookworm-slim", "linux/amd64")
    assert "--variant=minbase" in command
    assert "--architectures=amd64" in command
    assert "--dpkgopt=path-exclude=/usr/share/man/*" in command
    position = command.index("bookworm")
    assert command[position + 1] == "/w/x.tar"
    assert [line.split()[3] for line in command[position + 2 :]] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]


def test_a_foreign_architecture_is_only_unpacked() -> None:
    command = made("node:22-bookworm-slim", "linux/arm/v7")
    assert "--variant=extract" in command
    assert "--architectures=armhf" in command
    assert any(word.startswith("--extract-hook=") for word in command)
    assert not any(word.startswith("--customize-hook=") for word in command)
    (include,) = (word for word in command if word.startswith("--include="))
    assert {"dash", "coreutils", "libstdc++6"} <= set(include.partition("=")[2].split(","))


def test_the_full_image_keeps_documentation_and_has_compilers() -> None:
    command = made("node:22", "linux/amd64")
    assert not any(word.startswith("--dpkgopt") for word in command)
    (include,) = (word for word in command if word.startswith("--include="))
    assert {"gcc", "g++", "make", "python3", "git", "libssl-dev"} <= set(include[10:].split(","))


def test_releases_to_try_prefer_the_same_suite() -> None:
    recipe = recipes.match(references.parse("node:22-bookworm-slim"))
    assert recipe is not None
    tried = rootfs.releases(recipe, ARCHIVE)
    assert [release.name for release in tried] == [
        "bookworm with its updates",
        "bookworm",
        "trixie with its updates",
        "trixie",
        "testing",
    ]
    assert tried[1] == Release("bookworm", tried[0].lines[:1], "bookworm")


def test_on_ubuntu_its_own_suite_and_keyring_have_to_do() -> None:
    command = made("node:22-slim", "linux/arm64", UBUNTU)
    assert "noble" in command
    (include,) = (word for word in command if word.startswith("--include="))
    assert "ubuntu-keyring" in include
    assert "debian-archive-keyring" not in include


def test_sources_inside_an_image_name_no_keyring_of_this_machine() -> None:
    (entry,) = rootfs.system_overlay(ARCHIVE, "bookworm")
    assert entry.path == "etc/apt/sources.list"
    assert entry.content is not None
    assert b"/k.gpg" not in entry.content
    assert b"bookworm-security" in entry.content


DUMPED = """Acquire "";
Acquire::Check-Valid-Until "false";
Acquire::http "";
Acquire::http::Proxy "http://user:secret@proxy.example:3128";
Acquire::http::Proxy::mirror.example "DIRECT";
Acquire::https::CAInfo "/etc/ssl/own.pem";
Acquire::IndexTargets::deb::Packages::MetaKey "$(COMPONENT)/Packages";
"""


def test_how_the_archive_is_reached_is_taken_over() -> None:
    lines = apt.settings(DUMPED)
    assert [line.split()[0] for line in lines] == [
        "Acquire::Check-Valid-Until",
        "Acquire::http::Proxy",
        "Acquire::http::Proxy::mirror.example",
        "Acquire::https::CAInfo",
    ]


def test_a_proxy_stays_out_of_commands_and_images() -> None:
    archive = Archive(DEBIAN, "http://m.example/debian", None, None, apt.settings(DUMPED))
    assert "secret" in rootfs.apt_lines(archive)
    assert not any("secret" in word for word in made("node:22", "linux/amd64", archive))
    inside = {entry.path: entry.content or b"" for entry in rootfs.system_overlay(archive, "x")}
    assert inside["etc/apt/apt.conf.d/mirror-validity"] == b'Acquire::Check-Valid-Until "false";\n'
    assert not any(b"secret" in content for content in inside.values())


SLIM = Recipe("nginx", ("bookworm",), "slim")


def test_small_look_alikes_need_no_programs_of_this_machine() -> None:
    distroless = Recipe("distroless", ("trixie",), "nonroot")
    assert rootfs.missing_programs([SLIM, distroless]) == {}
    assert rootfs.missing_programs([SLIM, Recipe("nginx", ("bookworm",))]) == rootfs.PROGRAMS


def test_what_encrypts_is_asked_for_by_its_name_in_the_suite() -> None:
    assert {"nginx", "busybox-static", "libssl3"} <= set(trees.packages(SLIM, "bookworm"))
    assert {"libssl3t64", "libzstd1"} <= set(trees.packages(SLIM, "trixie"))
    assert "libssl3" not in trees.packages(SLIM, "testing")
    assert "libssl3t64" not in trees.packages(Recipe("distroless", ("trixie",)), "trixie")


@pytest.mark.parametrize(
    ("path", "ships"),
    [
        ("usr/sbin/nginx", True),
        ("usr/bin/envsubst", True),
        ("etc/nginx/mime.types", True),
        ("usr/share/doc/nginx/copyright", True),
        ("usr/lib/arm-linux-gnueabihf/libssl.so.3", True),
        ("usr/lib/arm-linux-gnueabihf/gconv/UTF-7.so", False),
        ("usr/lib/x86_64-linux-gnu/engines-3/afalg.so", False),
        ("etc/nginx/sites-available/default", False),
        ("etc/init.d/nginx", False),
        ("usr/bin/gettext", False),
        ("usr/share/nginx/html/index.html", False),
        ("usr/share/man/man8/nginx.8.gz", False),
    ],
)
def test_the_slim_nginx_leaves_out_what_no_server_reads(path: str, ships: bool) -> None:
    assert trees.ships(SLIM, path) == ships


def test_the_web_server_owns_its_configuration_and_nothing_else() -> None:
    own = trees.owned(SLIM, Entry("etc/nginx/mime.types", b""))
    assert (own.uid, own.gid, own.mode) == (101, 0, 0o664)
    assert trees.owned(SLIM, Entry("etc/nginx", mode=0o755)).uid == 101
    assert trees.owned(SLIM, Entry("etc/nginx-like", b"")).uid == 0
    assert trees.owned(SLIM, Entry("usr/sbin/nginx", b"", 0o755)).mode == 0o755


def test_packages_of_an_older_release_are_merged_into_usr(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/busybox").write_text("x")
    (tmp_path / "lib/triplet").mkdir(parents=True)
    (tmp_path / "lib/triplet/libc.so").write_text("x")
    (tmp_path / "usr/lib/triplet").mkdir(parents=True)
    (tmp_path / "usr/lib/triplet/libssl.so").write_text("x")
    (tmp_path / "sbin").symlink_to("usr/sbin")
    trees.merge_usr(tmp_path)
    assert (tmp_path / "bin").readlink() == Path("usr/bin")
    assert (tmp_path / "usr/bin/busybox").exists()
    assert (tmp_path / "sbin").readlink() == Path("usr/sbin")
    names = {path.name for path in (tmp_path / "usr/lib/triplet").iterdir()}
    assert names == {"libc.so", "libssl.so"}
