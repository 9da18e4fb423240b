"""Small ELF files, made in memory."""

from __future__ import annotations

import struct

I386, ARM, X86_64, AARCH64, S390, MIPS = 3, 40, 62, 183, 22, 8


def elf(
    machine: int = X86_64,
    *,
    bits: int = 64,
    little: bool = True,
    flags: int = 0,
    interpreter: str = "",
    kind: int = 3,
    extra_bytes: int = 0,
) -> bytes:
    """An ELF file with a header and, for an interpreter, one program header and its name."""
    order = "<" if little else ">"
    ident = b"\x7fELF" + bytes([1 if bits == 32 else 2, 1 if little else 2, 1]) + bytes(9)
    name = interpreter.encode() + b"\0" if interpreter else b""
    if bits == 64:
        head = struct.pack(
            f"{order}HHIQQQIHHHHHH",
            *(kind, machine, 1, 0, 64 if name else 0, 0, flags, 64, 56, 1 if name else 0, 0, 0, 0),
        )
        table = struct.pack(f"{order}IIQQQQQQ", 3, 4, 120, 0, 0, len(name), len(name), 1)
    else:
        head = struct.pack(
            f"{order}HHIIIIIHHHHHH",
            *(kind, machine, 1, 0, 52 if name else 0, 0, flags, 52, 32, 1 if name else 0, 0, 0, 0),
        )
        table = struct.pack(f"{order}IIIIIIII", 3, 84, 0, 0, len(name), len(name), 4, 1)
    content = ident + head + (table + name if name else b"")
    return content.ljust(128, b"\0") + bytes(extra_bytes)
