"""ELF files: what their first bytes say of the machine that they are for."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core.images.bytestream import HEAD_BYTES
from tasks.core.images.entries import FileEntry

if TYPE_CHECKING:
    from elftools.elf.structs import ELFStructs

MAGIC = b"\x7fELF"
MAX_SEGMENTS = 512
MAX_INTERPRETER_BYTES = 4096
#: Flags of the header by which the linker sums up Tag_ABI_VFP_args of all its parts.
SOFT_FLOAT, HARD_FLOAT = 0x200, 0x400
#: Programs that the kernel translates itself: they are the same for every machine.
KERNEL = "EM_BPF"
_NAMES = {
    ("EM_386", 32, True): "i386",
    ("EM_X86_64", 64, True): "x86-64",
    ("EM_X86_64", 32, True): "x32",
    ("EM_AARCH64", 64, True): "AArch64",
    ("EM_AARCH64", 64, False): "AArch64 (big-endian)",
    ("EM_ARM", 32, True): "ARM",
    ("EM_ARM", 32, False): "ARM (big-endian)",
    ("EM_PPC64", 64, True): "ppc64le",
    ("EM_PPC64", 64, False): "ppc64 (big-endian)",
    ("EM_S390", 64, False): "s390x",
    ("EM_RISCV", 64, True): "riscv64",
    ("EM_LOONGARCH", 64, True): "loong64",
    ("EM_MIPS", 64, True): "mips64le",
    ("EM_MIPS", 64, False): "mips64 (big-endian)",
}


@dataclass(frozen=True)
class Machine:
    """What a platform's files are: ``hard_float`` is about arm only, None: either will do."""

    name: str
    machine: str
    bits: int
    little: bool
    hard_float: bool | None = None


#: arm's versions cannot be told apart by a header, but Debian's v5 passes floats in integers.
MACHINES: Mapping[str, Machine] = {
    "linux/386": Machine("i386", "EM_386", 32, True),
    "linux/amd64": Machine("x86-64", "EM_X86_64", 64, True),
    "linux/arm/v5": Machine("ARM soft-float", "EM_ARM", 32, True, False),
    "linux/arm/v6": Machine("ARM", "EM_ARM", 32, True),
    "linux/arm/v7": Machine("ARM hard-float", "EM_ARM", 32, True, True),
    "linux/arm64": Machine("AArch64", "EM_AARCH64", 64, True),
    "linux/loong64": Machine("loong64", "EM_LOONGARCH", 64, True),
    "linux/mips64le": Machine("mips64le", "EM_MIPS", 64, True),
    "linux/ppc64le": Machine("ppc64le", "EM_PPC64", 64, True),
    "linux/riscv64": Machine("riscv64", "EM_RISCV", 64, True),
    "linux/s390x": Machine("s390x", "EM_S390", 64, False),
}

#: How programs of other systems begin, 64 and 32 bits, and several machines in one.
_OTHERS: Mapping[bytes, str] = {
    **dict.fromkeys((b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe"), "macOS"),
    b"MZ": "Windows",
}
#: Packages bring add-ons for every system, in folders or under names that say so.
_FOR_OTHERS = re.compile(r"darwin|mac|osx|apple|win|msvc", re.I)


def machine_of(platform: str) -> Machine | None:
    """What the files of a platform are; a variant like amd64/v2 is its architecture's."""
    return MACHINES.get(platform) or MACHINES.get(platform.rpartition("/")[0])


@dataclass(frozen=True)
class ForeignAddon:
    """An add-on of Node.js for another system than Linux, by its first bytes."""

    system: str


@dataclass(frozen=True, slots=True)
class ElfFacts:
    """What an ELF file is. ``damage`` says why nothing else is known, otherwise it is empty.

    ``machine`` is its name in the standard, ``hard_float`` None where the file does not say (or is
    not for arm), ``interpreter`` the program loader that it asks for, empty for a static one.
    """

    machine: str = ""
    bits: int = 0
    little: bool = True
    hard_float: bool | None = None
    interpreter: str = ""
    damage: str = ""

    @property
    def name(self) -> str:
        """The machine as people call it."""
        order = "little" if self.little else "big"
        other = f"{self.machine.removeprefix('EM_')} ({self.bits} bit, {order}-endian)"
        name = _NAMES.get((self.machine, self.bits, self.little), other)
        floats = {None: "", True: " hard-float", False: " soft-float"}[self.hard_float]
        return f"{name}{floats}"

    def fits(self, machine: Machine) -> bool:
        """Whether it is for that machine."""
        floats = None in (machine.hard_float, self.hard_float)
        return (self.machine, self.bits, self.little) == (
            machine.machine,
            machine.bits,
            machine.little,
        ) and (floats or machine.hard_float == self.hard_float)


class ElfInspector:
    """Reads the header of every ELF file, whatever its name and place.

    Where an add-on is for another system, and neither it nor its folder says so, it tells that.
    """

    def open(self, entry: FileEntry, head: bytes) -> _Header | _Addon | None:
        """A probe for files that begin as ELF files do, and for such add-ons."""
        if head[:4] == MAGIC:
            return _Header(entry.size_bytes)
        if entry.path.endswith(".node") and not _FOR_OTHERS.search(entry.path):
            system = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), "")
            return _Addon(system) if system else None
        return None


@dataclass(frozen=True)
class _Addon:
    system: str

    def feed(self, piece: bytes) -> bool:
        return False

    def result(self) -> ForeignAddon:
        return ForeignAddon(self.system)


class _Header:
    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._head = b""

    def feed(self, piece: bytes) -> bool:
        self._head += piece[: HEAD_BYTES - len(self._head)]
        return len(self._head) < HEAD_BYTES

    def result(self) -> ElfFacts:
        return facts(self._head, self._size_bytes)


def facts(head: bytes, size_bytes: int) -> ElfFacts:
    """What the ELF file that begins with ``head`` is; never raises, however damaged it is."""
    from elftools.common.exceptions import ELFError
    from elftools.common.utils import struct_parse
    from elftools.construct.core import ConstructError

    # No other byte order and class exist: the library takes anything for the second one.
    if len(head) < 64 or head[4] not in (1, 2) or head[5] not in (1, 2):
        return ElfFacts(damage="its header is not whole")
    structs = _structs(head[5] == 1, 32 * head[4])
    try:
        header = struct_parse(structs.Elf_Ehdr, io.BytesIO(head), stream_pos=0)
        return _facts(structs, header, head, size_bytes)
    except (ELFError, ConstructError, ValueError, KeyError, OverflowError):
        return ElfFacts(damage="its header makes no sense")


@functools.cache
def _structs(little: bool, bits: int) -> ELFStructs:
    """How headers are laid out. `ELFFile` makes this anew for each file, which takes 1 ms."""
    from elftools.elf.structs import ELFStructs

    structs = ELFStructs(little_endian=little, elfclass=bits)
    structs.create_basic_structs()
    structs.create_advanced_structs()
    return structs


def _facts(
    structs: ELFStructs, header: Mapping[str, Any], head: bytes, size_bytes: int
) -> ElfFacts:
    machine, floats = str(header["e_machine"]), None
    if machine == "EM_ARM":
        floats = {HARD_FLOAT: True, SOFT_FLOAT: False}.get(header["e_flags"] & 0x600)
    end = header["e_phoff"] + header["e_phnum"] * header["e_phentsize"]
    if header["e_phnum"] and end > size_bytes:
        return ElfFacts(damage="its program headers lie beyond its end")
    interpreter = _interpreter(structs, header, head, size_bytes)
    if interpreter is None:
        return ElfFacts(damage="the name of its interpreter lies beyond its end")
    return ElfFacts(
        machine=machine if machine.startswith("EM_") else f"machine {machine}",
        bits=structs.elfclass,
        little=structs.little_endian,
        hard_float=floats,
        interpreter=interpreter,
    )


def _interpreter(
    structs: ELFStructs, header: Mapping[str, Any], head: bytes, size_bytes: int
) -> str | None:
    """The loader it asks for: empty for none, None where it should stand but does not.

    Linkers put the program headers and this name at the very start. What lies behind the head
    that was kept is not known, and taken for none.
    """
    from elftools.common.utils import struct_parse
    from elftools.elf.enums import ENUM_P_TYPE_BASE as ENUM_P_TYPE

    stream = io.BytesIO(head)
    kind, size = structs.Elf_word(""), structs.Elf_Phdr.sizeof()
    for number in range(min(header["e_phnum"], MAX_SEGMENTS)):
        at = header["e_phoff"] + number * header["e_phentsize"]
        if at + header["e_phentsize"] > len(head):
            return ""
        if at + size > len(head):
            raise ValueError("entries that are smaller than program headers are")
        # The type comes first; to parse the rest of all segments takes ten times as long.
        if struct_parse(kind, stream, stream_pos=at) == ENUM_P_TYPE["PT_INTERP"]:
            segment = struct_parse(structs.Elf_Phdr, stream, stream_pos=at)
            start, length = segment["p_offset"], segment["p_filesz"]
            if start + length > size_bytes or length > MAX_INTERPRETER_BYTES:
                return None
            name = head[start : start + length]
            return name.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return ""
