"""Proofs on whom an image runs as, and on its accounts."""

from __future__ import annotations

import pytest

from tasks.core.proofs import users
from tasks.core.proofs.verdicts import Status, Verdict
from tests.unit import layers
from tests.unit.layers import Member, file, hard_link, layer, link

PASSWD = b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/false\n"
SHADOW = b"root:*:19000:0:99999:7:::\napp:!:19000::::::\n"


def verdict(
    proof: str, user: str = "1000", passwd: bytes = PASSWD, shadow: bytes = SHADOW
) -> Verdict:
    held = layers.image(
        layer(file("etc/passwd", passwd), file("etc/shadow", shadow)),
        inspectors=users.INSPECTORS,
        config={"User": user},
    )
    return {each.proof: each for each in users.prove("web", held)}[f"identity.{proof}"]


@pytest.mark.parametrize("user", ["1000", "1000:1000", "65532", "1001:0"])
def test_a_number_is_fine(user: str) -> None:
    found = verdict("user", user)
    assert (found.status, found.message) == (Status.PASSED, f"USER {user}")


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("", "USER is not set, so it runs as root"),
        ("0", "USER 0 is root"),
        ("00:1000", "USER 00:1000 is root"),
        ("root", "USER root is a name: uid 0, root"),
        ("app", "USER app is a name: write its number, 1000"),
        ("nobody", "USER nobody is a name: /etc/passwd does not know it"),
        ("\u0661", "USER \u0661 is a name: /etc/passwd does not know it"),
    ],
)
def test_anything_else_is_not(user: str, said: str) -> None:
    found = verdict("user", user)
    assert (found.status, found.findings) == (Status.FAILED, (said,))


def test_a_name_may_be_mapped_to_root() -> None:
    assert verdict("user", "app", b"app:x:0:0::/:\n").message == "USER app is a name: uid 0, root"
    numeral = b"1000:x:0:0::/:\n"
    assert verdict("user", "1000", numeral).findings == (
        "USER 1000 is also a name in /etc/passwd: uid 0, root",
    )


@pytest.mark.parametrize(
    "members",
    [
        (link("etc/passwd", "../nix/store/x/etc/passwd"), file("nix/store/x/etc/passwd", PASSWD)),
        (link("etc", "usr/etc"), file("usr/etc/passwd", PASSWD)),
        (file("etc/passwd-", PASSWD), hard_link("etc/passwd", "etc/passwd-")),
    ],
)
def test_account_files_that_links_lead_to(members: tuple[Member, ...]) -> None:
    told = {"config": {"User": "app"}}
    held = layers.image(layer(*members), inspectors=users.INSPECTORS, **told)
    user, accounts = users.prove("web", held)
    assert user.message == "USER app is a name: write its number, 1000"
    assert accounts.message == "2 accounts"


def test_sound_accounts_pass() -> None:
    found = verdict("accounts")
    assert (found.status, found.message) == (Status.PASSED, "2 accounts")


def test_an_image_without_accounts_has_no_bad_one() -> None:
    held = layers.image(layer(file("x")), config={"User": "1"})
    assert {each.status for each in users.prove("web", held)} == {Status.PASSED}


def test_empty_passwords_and_shared_numbers_are_found() -> None:
    passwd = b"root::0:0::/root:\napp:x:1000:1000::/:\ntoor:x:0:0::/:\nbroken\n+::::::\n"
    shadow = b"root:*:1::::::\napp::19000::::::\n\nbroken\n"
    assert verdict("accounts", passwd=passwd, shadow=shadow).findings == (
        "root has an empty password in /etc/passwd",
        "app has an empty password in /etc/shadow",
        "uid 0 belongs to root, toor",
    )
