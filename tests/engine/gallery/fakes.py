"""Secrets that open nothing, put together at run time: nothing here looks like one to a scanner."""

from __future__ import annotations

import base64
import hashlib


def _noise(name: str, size_bytes: int = 64) -> bytes:
    """The same at every call, so that builds of the same are the same."""
    return hashlib.shake_256(f"gallery {name}".encode()).digest(size_bytes)


TOKEN = f"ghp_{_noise('token').hex()[:36]}"
NPM_TOKEN = f"npm_{_noise('npm').hex()[:36]}"
KEY_ID = f"AKIA{base64.b32encode(_noise('key id')).decode()[:16]}"
PASSWORD = f"not-{_noise('password').hex()[:12]}"
#: The value of a secret that the bake file gives to a build, see `VARIABLE`.
BUILD_SECRET = f"build-{_noise('build').hex()[:24]}"
VARIABLE = "GALLERY_SECRET"
PRIVATE_KEY = "\n".join(
    (
        "-----BEGIN " + "PRIVATE KEY-----",
        *(base64.b64encode(_noise(f"key {line}", 48)).decode() for line in range(12)),
        "-----END " + "PRIVATE KEY-----",
        "",
    )
)
#: Bytes that no compression makes smaller.
BULK = _noise("bulk", 2**20)
