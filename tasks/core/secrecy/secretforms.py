"""What secrets look like: known kinds by their shape, and given values in every form they take."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

#: A shorter value would be found in any large file at random.
SHORTEST = 8
#: How long lines of base64 are: those of coreutils and of PEM.
_LINES = (76, 64)
PRIVATE_KEY, TOKEN, NPMRC, CLOUD_KEY = "private key", "token", "npm credential", "cloud key"
_SECRET_LINE = re.compile(r"^[^=\s]*(auth|token|password|passwd|secret)[^=\s]*\s*=\s*(.+)$", re.I)


@dataclass(frozen=True)
class Shape:
    """A kind of secret: without its ``anchor`` in the text, ``pattern`` is not even tried.

    ``unmistakable``: nothing else looks like it, not even in a program. Libraries for cryptography
    are full of what looks like a key.
    """

    kind: str
    name: str
    anchor: bytes
    pattern: re.Pattern[bytes]
    unmistakable: bool = False


def _shape(kind: str, name: str, anchor: bytes, pattern: bytes) -> Shape:
    return Shape(kind, name, anchor, re.compile(pattern))


def _token(prefix: bytes, length: int, rest: bytes) -> bytes:
    r"""A pattern of what begins with ``prefix``, of so many bytes, and where a word may begin.

    That is also behind an escape, ``\n`` in a string or ``%3D`` in an address. The prefix stands
    first, as `re` is ten times as fast with letters that it can look for. Manuals go on with one
    letter over and over: ``ghp_xxxx``.
    """
    back = b".{%d}" % length
    begins = (rb"\b", rb"\\[nrtbf]", rb"%[0-9A-Fa-f]{2}")
    behind = b"|".join(b"(?<=" + each + back + b")" for each in begins)
    return prefix + b"(?:" + behind + rb")(?!(.)\1{7})" + rest


def _unmistakable(kind: str, name: str, prefix: bytes, length: int, rest: bytes) -> Shape:
    """A token. `re` looks for letters that stand first faster than ``in`` does: no anchor."""
    return Shape(kind, name, b"", re.compile(_token(prefix, length, rest)), unmistakable=True)


_AWS_KEY = (
    rb"(?i)aws_?secret_?(access_?)?key[\"']?\s*[=:]\s*[\"']?(?![A-Za-z0-9+/]{33}EXAMPLE)"
    rb"[A-Za-z0-9+/]{40}"
)
SHAPES = (
    _shape(
        PRIVATE_KEY,
        "private key",
        b"PRIVATE KEY",
        rb"-----BEGIN ([A-Z0-9]{2,12} )?PRIVATE KEY( BLOCK)?-----"
        rb"(\\r|\\n|\s|[A-Za-z-]{4,20}: [^\n]{0,80}\n){1,20}[A-Za-z0-9+/=]{40}",
    ),
    _unmistakable(TOKEN, "GitHub token", rb"gh[pousr]_", 4, rb"[A-Za-z0-9]{36}"),
    _unmistakable(TOKEN, "GitHub token", b"github_pat_", 11, rb"[A-Za-z0-9_]{50}"),
    _unmistakable(TOKEN, "GitLab token", b"glpat-", 6, rb"[A-Za-z0-9_-]{20}"),
    _shape(
        TOKEN, "Slack token", b"xox", _token(rb"xox[abprs]-", 5, rb"[0-9]{6,}-[0-9A-Za-z-]{10,}")
    ),
    _shape(TOKEN, "Stripe key", b"k_live_", _token(rb"[rs]k_live_", 8, rb"[0-9A-Za-z]{20}")),
    _shape(
        TOKEN,
        "registry login",
        b'"auths"',
        # Registries with a helper come without a login: {"auths":{"a":{},"b":{"auth":...}}}.
        rb'"auths"\s*:\s*\{[^}]{0,300}(\}\s*,[^}]{0,300}){0,8}"auth"\s*:\s*"[A-Za-z0-9+/=]{8}',
    ),
    _unmistakable(NPMRC, "npm token", b"npm_", 4, rb"[A-Za-z0-9]{36}"),
    _shape(
        NPMRC,
        "npm login",
        b"_auth",
        # A digit and some length: manuals have "_authToken=MYTOKEN".
        rb"(?m)(^|/:|\s)_auth(Token)?\s*=\s*[\"']?(?=[^\s]{0,200}[0-9])[A-Za-z0-9+/=_.-]{12}",
    ),
    _shape(NPMRC, "npm password", b":_password", rb":_password\s*=\s*[\"']?[A-Za-z0-9+/=]{8}"),
    _shape(
        CLOUD_KEY, "AWS key id", b"AKIA", _token(rb"AKIA", 4, rb"(?!.{9}EXAMPLE)[A-Z2-7]{16}\b")
    ),
    _shape(
        CLOUD_KEY, "AWS key id", b"ASIA", _token(rb"ASIA", 4, rb"(?!.{9}EXAMPLE)[A-Z2-7]{16}\b")
    ),
    _shape(CLOUD_KEY, "AWS key", b"ecret", _AWS_KEY),
    _shape(CLOUD_KEY, "AWS key", b"ECRET", _AWS_KEY),
    _shape(CLOUD_KEY, "Google key", b"AIza", _token(rb"AIza", 4, rb"[0-9A-Za-z_-]{35}")),
    _shape(CLOUD_KEY, "Azure key", b"AccountKey=", rb"AccountKey=[A-Za-z0-9+/]{86}=="),
)
#: What is looked for in programs and databases too.
UNMISTAKABLE = tuple(shape for shape in SHAPES if shape.unmistakable)


@dataclass(frozen=True)
class Needle:
    """The bytes of a secret in one form; neither is printed, only ``name`` and ``form``."""

    name: str
    form: str
    content: bytes

    def __repr__(self) -> str:
        return f"Needle({self.name!r}, {self.form!r})"


def needles(secrets: Mapping[str, str]) -> tuple[Needle, ...]:
    """Every form of ``secrets`` (value by name) that is searched for, once each.

    Of a value of several lines, an .npmrc, what its lines assign is searched for too. Values below
    SHORTEST bytes have none, see `too_short`.
    """
    found: dict[bytes, Needle] = {}
    for name, value in secrets.items():
        for part in _parts(value):
            for form, content in _forms(part.encode("utf-8", "surrogateescape")):
                if len(content) >= SHORTEST:
                    found.setdefault(content, Needle(name, form, content))
    return tuple(found.values())


def too_short(secrets: Mapping[str, str]) -> tuple[str, ...]:
    """The names of values that cannot be searched for; empty ones are none."""
    short = {name for name, value in secrets.items() if 0 < len(value.strip().encode()) < SHORTEST}
    return tuple(sorted(short))


def _parts(value: str) -> Iterator[str]:
    """The value itself and, of an .npmrc, what its secret lines assign."""
    whole = value.strip()
    yield whole
    for line in whole.splitlines():
        assigned = _SECRET_LINE.match(line.strip())
        if assigned and not assigned[2].startswith("${"):
            yield assigned[2].strip("\"' ")


def _forms(value: bytes) -> Iterator[tuple[str, bytes]]:
    if len(value) < SHORTEST:
        return
    yield "plain", value
    text = value.decode("utf-8", "surrogateescape")
    yield from (("JSON", form.encode()) for form in _json(value.decode("utf-8", "replace")))
    url = quote(text, safe="", errors="surrogateescape")
    lower = re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), url)
    plus = quote_plus(text, errors="surrogateescape")
    partly = quote(text, errors="surrogateescape")
    yield from (("URL", form.encode()) for form in (url, lower, plus, partly))
    for start in range(3):
        yield from (("base64", form) for form in _base64(value, start))


def _json(text: str) -> Iterator[str]:
    """As Python, Go, JavaScript and Go's plain encoder write it: each escapes other letters."""
    for ascii_only in (True, False):
        escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", escaped)


def _base64(value: bytes, start: int) -> Iterator[bytes]:
    """The letters that ``value`` alone decides if it begins ``start`` bytes into a group of 3."""
    first = (0, 2, 3)[start]
    whole = (start + len(value)) // 3 * 4
    rest = (0, 1, 2)[(start + len(value)) % 3]  # letters that are whole although the group is not
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        yield encode(bytes(start) + value)[first : whole + rest]
    if start == 0:  # in lines, as `base64` and openssl write what is longer than one
        letters = base64.standard_b64encode(value)[: whole + rest]
        for width in _LINES:
            lines = [letters[at : at + width] for at in range(0, len(letters), width)]
            yield b"\n".join(lines)
