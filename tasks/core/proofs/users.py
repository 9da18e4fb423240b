"""Proofs on whom an image runs as and whom it knows; they start no container."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tasks.core import untrusted
from tasks.core.images import accounts
from tasks.core.images.accounts import AccountInspector
from tasks.core.images.contents import Contents
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity, Verdict

#: What has to look at the files while they go by, for `contents.read`.
INSPECTORS = (AccountInspector(),)

USER = Proof(
    "identity.user",
    "The image's user is a number, and not root's",
    Severity.HIGH,
    "Kubernetes cannot tell that a name is not root, and refuses to start it; a name can be "
    "anybody's number.",
    "USER in the config, looked up in the image's /etc/passwd.",
)
ACCOUNTS = Proof(
    "identity.accounts",
    "No account is without a password or shares its number",
    Severity.MEDIUM,
    "Nobody needs a password to become the first, and the second is another name for somebody.",
    "/etc/passwd and /etc/shadow as the container sees them: empty password fields, equal uids.",
)
PROOFS = (USER, ACCOUNTS)


def prove(target: str, contents: Contents) -> tuple[Verdict, ...]:
    """The verdicts on one platform; ``contents`` were read with INSPECTORS."""
    said = _said(contents)
    known = accounts.known(contents)
    user = list(_user(contents, said))
    return (
        USER.judge(target, contents.platform, user, f"USER {said}", "a number, not 0"),
        ACCOUNTS.judge(
            target,
            contents.platform,
            list(_accounts(contents)),
            f"{len(known)} accounts",
            "a number each, no empty password",
        ),
    )


def _said(contents: Contents) -> str:
    section = contents.config.get("config")
    said = section.get("User") if isinstance(section, dict) else ""
    return untrusted.shown(str(said or ""), 60)


def _user(contents: Contents, said: str) -> Iterator[str]:
    name = said.partition(":")[0]
    if not name:
        yield "USER is not set, so it runs as root"
        return
    number = int(name) if name.isascii() and name.isdigit() else None
    if number == 0:
        yield f"USER {said} is root"
    elif number is None:
        user = accounts.user(contents)
        number = None if user is None else user.uid
        yield f"USER {said} is a name: {_meant(number)}"
    elif any(line.uid == 0 and line.name == name for line in accounts.known(contents)):
        yield f"USER {said} is also a name in /etc/passwd: uid 0, root"


def _meant(number: int | None) -> str:
    if number is None:
        return "/etc/passwd does not know it"
    return "uid 0, root" if number == 0 else f"write its number, {number}"


def _accounts(contents: Contents) -> Iterator[str]:
    names: dict[int, list[str]] = defaultdict(list)
    for account in accounts.known(contents):
        names[account.uid].append(account.name)
        if not account.password:
            yield f"{untrusted.shown(account.name, 40)} has an empty password in /etc/passwd"
    for name in accounts.without_password(contents):
        yield f"{untrusted.shown(name, 40)} has an empty password in /etc/shadow"
    for uid, found in names.items():
        if len(found) > 1:
            listed = ", ".join(untrusted.shown(name, 40) for name in found[:5])
            yield f"uid {uid} belongs to {listed}"
