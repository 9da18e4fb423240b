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
PRIVATE_KEY, TOKEN, NPMRC, CLOUD_KEY = "private key", "token", "npm credential", "cloud key"
_SECRET_LINE = re.compile(r"^[^=\s]*(auth|token|password|passwd|secret)[^=\s]*\s*=\s*(.+)$", re.I)


@dataclass(frozen=True)
class Shape:
    """A kind of secret: without its ``anchor`` in the text, ``pattern`` is not even tried."""

    kind: str
    name: str
    anchor: bytes
    pattern: re.Pattern[bytes]


def _shape(kind: str, name: str, anchor: bytes, pattern: bytes) -> Shape:
    return Shape(kind, name, anchor, re.compile(pattern))


SHAPES = (
    _shape(
        PRIVATE_KEY,
        "private key",
        b"PRIVATE KEY",
        rb"-----BEGIN ([A-Z0-9]{2,12} )?PRIVATE KEY( BLOCK)?-----"
        rb"(\\r|\\n|\s|[A-Za-z-]{4,20}: [^\n]{0,80}\n){1,20}[A-Za-z0-9+/=]{40}",
    ),
    _shape(TOKEN, "GitHub token", b"gh", rb"\bgh[pousr]_[A-Za-z0-9]{36}"),
    _shape(TOKEN, "GitHub token", b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{50}"),
    _shape(TOKEN, "GitLab token", b"glpat-", rb"\bglpat-[A-Za-z0-9_-]{20}"),
    _shape(TOKEN, "Slack token", b"xox", rb"\bxox[abprs]-[0-9]{6,}-[0-9A-Za-z-]{10,}"),
    _shape(TOKEN, "Stripe key", b"k_live_", rb"\b[rs]k_live_[0-9A-Za-z]{20}"),
    _shape(
        TOKEN,
        "registry login",
        b'"auths"',
        rb'"auths"\s*:\s*\{[^}]{0,300}"auth"\s*:\s*"[A-Za-z0-9+/=]{8}',
    ),
    _shape(NPMRC, "npm token", b"npm_", rb"\bnpm_[A-Za-z0-9]{36}"),
    _shape(
        NPMRC,
        "npm login",
        b"_auth",
        # A digit and some length: manuals have "_authToken=MYTOKEN".
        rb"(?m)(^|/:|\s)_auth(Token)?\s*=\s*[\"']?(?=[^\s]{0,200}[0-9])[A-Za-z0-9+/=_.-]{12}",
    ),
    _shape(NPMRC, "npm password", b":_password", rb":_password\s*=\s*[\"']?[A-Za-z0-9+/=]{8}"),
    _shape(CLOUD_KEY, "AWS key id", b"AKIA", rb"\bAKIA(?!.{9}EXAMPLE)[A-Z2-7]{16}\b"),
    _shape(CLOUD_KEY, "AWS key id", b"ASIA", rb"\bASIA(?!.{9}EXAMPLE)[A-Z2-7]{16}\b"),
    _shape(
        CLOUD_KEY,
        "AWS key",
        b"ecret",
        rb"(?i)aws_?secret_?(access_?)?key[\"']?\s*[=:]\s*[\"']?(?![A-Za-z0-9+/]{33}EXAMPLE)"
        rb"[A-Za-z0-9+/]{40}",
    ),
    _shape(CLOUD_KEY, "Google key", b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}"),
    _shape(CLOUD_KEY, "Azure key", b"AccountKey=", rb"AccountKey=[A-Za-z0-9+/]{86}=="),
)


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
    escaped = json.dumps(value.decode("utf-8", "replace"))[1:-1]
    for special in "<>&":
        escaped = escaped.replace(special, f"\\u{ord(special):04x}")
    yield "JSON", escaped.encode()
    url = quote(text, safe="", errors="surrogateescape")
    lower = re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), url)
    plus = quote_plus(text, errors="surrogateescape")
    partly = quote(text, errors="surrogateescape")
    yield from (("URL", form.encode()) for form in (url, lower, plus, partly))
    for start in range(3):
        yield from (("base64", form) for form in _base64(value, start))


def _base64(value: bytes, start: int) -> Iterator[bytes]:
    """The letters that ``value`` alone decides if it begins ``start`` bytes into a group of 3."""
    first = (0, 2, 3)[start]
    whole = (start + len(value)) // 3 * 4
    rest = (0, 1, 2)[(start + len(value)) % 3]  # letters that are whole although the group is not
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        yield encode(bytes(start) + value)[first : whole + rest]
