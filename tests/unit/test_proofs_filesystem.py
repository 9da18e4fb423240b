"""Proofs on rights, tools and leftovers in an image's file system."""

from __future__ import annotations

import json
import tarfile
from typing import Any

import pytest

from tasks.core.images import accounts
from tasks.core.images.accounts import User
from tasks.core.proofs import filesystem
from tasks.core.proofs.filesystem import PROOFS
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Status, Verdict
from tests.unit import layers
from tests.unit.layers import Member, file, folder, hard_link, layer, link, special

PASSWD = file("etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/false\nbroken\n")
GROUP = file("etc/group", b"root:x:0:\napp:x:1001:\nmore:x:1002:app,other\n")
DEFAULTS = Policy(shell_allowed=False, package_manager_allowed=False)


def verdict(
    name: str, *members: Member, policy: Policy = DEFAULTS, user: str = "app", **config: Any
) -> Verdict:
    settings = {"config": {"User": user, **config}}
    held = layers.image(
        layer(PASSWD, GROUP, *members), inspectors=filesystem.INSPECTORS, **settings
    )
    found = {each.proof: each for each in filesystem.prove("web", held, policy)}
    return found[f"filesystem.{name}"]


def failure(name: str, *members: Member, **options: Any) -> str:
    found = verdict(name, *members, **options)
    assert found.status is Status.FAILED
    return found.message


def passes(name: str, *members: Member, **options: Any) -> bool:
    return verdict(name, *members, **options).status is Status.PASSED


def test_every_proof_has_one_verdict_and_a_sound_image_raises_nothing() -> None:
    held = layers.image(
        layer(PASSWD, folder("tmp", 0o1777), file("app/server.js", b"1")),
        inspectors=filesystem.INSPECTORS,
        config={"User": "1000"},
    )
    found = filesystem.prove("web", held, DEFAULTS)
    assert [each.proof for each in found] == [proof.id for proof in PROOFS]
    assert {each.status for each in found} == {Status.PASSED}
    assert {proof.family for proof in PROOFS} == {"filesystem"}


class TestRights:
    def test_setuid_setgid_and_capabilities(self) -> None:
        assert failure("setuid", file("su", b"1", 0o4755)) == (
            "/su has mode 4755 and belongs to 0:0"
        )
        assert "2755" in failure("setuid", file("wall", b"1", 0o2755))
        pax = {"SCHILY.xattr.security.capability": "x"}
        assert "capabilities" in failure("setuid", file("ping", b"1", pax_headers=pax))
        assert "2 found" in verdict("setuid", file("a", b"1", 0o4755), hard_link("b", "a")).measured
        assert passes("setuid", folder("var/mail", 0o2775))

    def test_what_distributions_bring_is_told_apart(self) -> None:
        usual = file("usr/bin/su", b"1", 0o4755)
        strict = Policy(system_setuid_allowed=False)
        assert "; 1 setuid programs of the distribution" in verdict("setuid", usual).measured
        assert failure("setuid", usual, policy=strict).startswith("/usr/bin/su has mode 4755")
        pax = {"SCHILY.xattr.security.capability": "x"}
        for other in (
            file("app/bin/su", b"1", 0o4755),
            file("usr/bin/find", b"1", 0o4755),
            file("usr/bin/su", b"1", 0o4777),
            file("usr/bin/su", b"1", 0o4755, uid=1000),
            file("usr/bin/su", b"1", 0o4755, pax_headers=pax),
        ):
            assert "su" in failure("setuid", other) or "find" in failure("setuid", other)

    @pytest.mark.parametrize(
        ("member", "writable"),
        [
            (file("app/f", b"1", uid=1000), True),
            (file("app/f", b"1", 0o444, uid=1000), True),  # the owner may change the mode
            (file("app/f", b"1", 0o664, gid=1001), True),
            (file("app/f", b"1", 0o664, gid=1002), True),  # a further group of the user
            (file("app/f", b"1", 0o666), True),
            (folder("app/data", 0o777), True),
            (folder("app", uid=1000), False),  # an empty folder: somebody's home
            (file("app/f", b"1", 0o664, gid=50), False),
            (file("app/f", b"1", 0o644), False),
            (file("apple", b"1", 0o666), False),
            (link("app/l", "f"), False),
        ],
    )
    def test_the_application_and_its_user(self, member: Member, writable: bool) -> None:
        assert passes("app-writable", member) is not writable

    def test_the_application_is_where_the_policy_or_the_config_says(self) -> None:
        own = file("opt/x/f", b"1", uid=1000)
        assert passes("app-writable", own)
        assert not passes("app-writable", own, WorkingDir="/opt/x")
        assert not passes("app-writable", own, policy=Policy(application=("/opt",)))
        assert passes(
            "app-writable", own, policy=Policy(application=("/opt",), writable=("/opt/x",))
        )

    def test_an_application_that_a_link_leads_to(self) -> None:
        members = (link("app", "data/app"), file("data/app/x.js", b"1", uid=1000))
        assert failure("app-writable", *members) == (
            "/data/app/x.js belongs to the user that it runs as (1000)"
        )
        assert passes("app-writable", link("app", "/"), file("x", b"1", uid=1000))

    def test_a_folder_that_its_files_can_be_replaced_in(self) -> None:
        members = (folder("app", uid=1000), file("app/server.js", b"1"))
        assert failure("app-writable", *members) == (
            "/app belongs to the user that it runs as (1000)"
        )

    def test_root_and_users_that_nobody_knows(self) -> None:
        assert "runs as root" in failure("app-writable", user="")
        assert "runs as root" in failure("app-writable", user="root")
        assert "not in its /etc/passwd" in failure("app-writable", user="nobody")
        assert passes("app-writable", user="4711")

    def test_world_writable(self) -> None:
        assert failure("world-writable", folder("data", 0o777)) == "/data has mode 0777"
        assert failure("world-writable", folder("var/tmp", 0o777)) == "/var/tmp has mode 0777"
        fine = (
            *(folder("tmp", 0o1777), folder("tmp/x", 0o777), folder("var/tmp", 0o1777)),
            *(special("dev/null", tarfile.CHRTYPE), link("l", "x")),
        )
        assert passes("world-writable", *fine)
        assert passes("world-writable", folder("data", 0o777), policy=Policy(writable=("/data",)))

    def test_unknown_owners(self) -> None:
        assert failure("owners", file("f", b"1", uid=501)) == "/f belongs to the unknown user 501"
        assert passes("owners", file("f", b"1", uid=1000))
        assert passes("owners", file("f", b"1", uid=501), user="501")
        assert passes("owners", file("f", b"1", uid=501), policy=Policy(owners=(501,)))


class TestTools:
    def test_shells_under_any_of_their_names(self) -> None:
        assert failure("shell", file("busybox/sh", b"1", 0o755)) == "/busybox/sh is there"
        there = (file("usr/bin/dash", b"1", 0o755), link("bin/sh", "../usr/bin/dash"))
        assert failure("shell", *there) == "/bin/sh is there; /usr/bin/dash is there"

    def test_what_only_has_the_name(self) -> None:
        fine = (
            *(file("usr/share/bash", b"1", 0o755), folder("opt/sh"), file("opt/bash", b"1")),
            link("usr/bin/ash", "nowhere"),
        )
        assert passes("shell", *fine)

    def test_package_managers(self) -> None:
        npm = (
            file("usr/lib/node_modules/npm/bin/npm-cli.js", b"1", 0o755),
            link("usr/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js"),
        )
        assert failure("package-manager", *npm) == "/usr/bin/npm is there"

    def test_the_policy_may_allow_them(self) -> None:
        shell = file("bin/sh", b"1", 0o755)
        assert verdict("shell", shell, policy=Policy(shell_allowed=True)).status is Status.SKIPPED


class TestLeftovers:
    @pytest.mark.parametrize(
        ("path", "what"),
        [
            ("app/src/__tests__/a.js", "a test"),
            ("app/a.spec.tsx", "a test"),
            ("usr/share/nginx/html/main.js.map", "a source map"),
            ("app/.git/config", "of a repository"),
            ("app/.git", "of a repository"),
            ("app/.env", "a file of settings"),
            ("srv/.env.production", "a file of settings"),
            ("root/.npm/_cacache/index", "of a package cache"),
            ("var/lib/apt/lists/deb.example_main", "of a package cache"),
            ("var/cache/apk/x", "of a package cache"),
        ],
    )
    def test_what_is_one(self, path: str, what: str) -> None:
        assert failure("leftovers", file(path, b"1")) == f"/{path} is {what}"

    @pytest.mark.parametrize(
        "path",
        [
            "app/node_modules/x/a.test.js",
            "app/node_modules/x/a.js.map",
            "app/node_modules/x/.env",
            "app/.env.example",
            "app/latest.js",
            "app/.gitkeep",
            "usr/lib/x/a.test.js",
            "var/lib/apt/lists/lock",
        ],
    )
    def test_what_is_none(self, path: str) -> None:
        assert passes("leftovers", file(path, b"1"))

    def test_development_packages(self) -> None:
        named = {"dependencies": {"a": "1"}, "devDependencies": {"a": "1", "@x/b": "1", "c": "1"}}
        package = file("app/package.json", json.dumps(named).encode())
        there = (
            file("app/node_modules/a/x.js", b"1"),
            file("app/node_modules/@x/b/x.js", b"1"),
        )
        assert failure("leftovers", package, *there) == (
            "/app/node_modules/@x/b is a development package"
        )

    @pytest.mark.parametrize("section", ["optionalDependencies", "peerDependencies"])
    def test_what_is_not_for_development_alone(self, section: str) -> None:
        named = {section: {"a": "1"}, "devDependencies": {"a": "1"}}
        package = file("app/package.json", json.dumps(named).encode())
        assert passes("leftovers", package, file("app/node_modules/a/x.js", b"1"))

    def test_what_another_package_needs_too(self) -> None:
        package = file("app/package.json", b'{"devDependencies": {"a": "1", "b": "1", "c": "1"}}')
        there = [file(f"app/node_modules/{name}/x.js", b"1") for name in "abc"]
        told = {"node_modules/a": {"version": "1"}, "node_modules/b": {"dev": True}, "c": 7}
        lock = file("app/node_modules/.package-lock.json", json.dumps({"packages": told}).encode())
        assert failure("leftovers", package, lock, *there) == (
            "/app/node_modules/b is a development package; "
            "/app/node_modules/c is a development package"
        )
        broken = file("app/node_modules/.package-lock.json", b"{")
        assert "/app/node_modules/a is" in failure("leftovers", package, broken, *there)

    @pytest.mark.parametrize("content", [b"{", b"[]", b'{"devDependencies": 1}', b"\xff" * 10])
    def test_a_package_json_that_makes_no_sense_names_none(self, content: bytes) -> None:
        assert passes("leftovers", file("app/package.json", content))


class TestLinks:
    def test_broken_ones(self) -> None:
        assert failure("links", link("a/b", "../c")) == "/a/b leads to /c, which is not there"
        assert failure("links", link("a", "/x/y")) == "/a leads to /x/y, which is not there"
        assert "/loop leads to" in failure("links", link("loop", "loop"))
        assert "hard link" in failure("links", hard_link("a", "gone"))

    def test_what_the_engine_mounts_and_manuals_are_fine(self) -> None:
        fine = (
            *(link("var/log/access.log", "/dev/stdout"), link("etc/mtab", "../proc/mounts")),
            link("usr/share/zoneinfo/localtime", "/etc/localtime"),
            *(link("etc/alternatives/awk.1.gz", "/usr/share/man/x"), link("etc/p", "passwd")),
        )
        assert passes("links", *fine)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, User(0, (0,))),
        ("app", User(1000, (1001, 1002))),
        ("1000", User(1000, (1001, 1002))),
        ("1000:5", User(1000, (5,))),
        ("app:more", User(1000, (1002,))),
        ("app:none", None),
        ("4711", User(4711, (0,))),
        ("nobody", None),
        ("9" * 30, None),
    ],
)
def test_whom_an_image_runs_as(said: Any, expected: User | None) -> None:
    held = layers.image(
        layer(PASSWD, GROUP), inspectors=filesystem.INSPECTORS, config={"User": said}
    )
    assert accounts.user(held) == expected
