"""Proofs on the files of a multi-platform image: each platform holds what can run on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tasks.core.images import filetree
from tasks.core.images.contents import Contents, shown
from tasks.core.images.elf import KERNEL, ElfFacts, ElfInspector, ForeignAddon, Machine, machine_of
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity, Verdict

#: What has to look at the files while they go by, for `contents.read`.
INSPECTORS = (ElfInspector(),)
INDEX = Proof(
    "platforms.index",
    "The index holds exactly the promised platforms",
    Severity.HIGH,
    "A platform that is missing is noticed first where the image is started.",
    "The index and what is there of it are compared with what was asked for.",
)
CONFIG = Proof(
    "platforms.config",
    "Each config's platform is what the index says",
    Severity.HIGH,
    "Engines choose by the index, and start what they find.",
    "Each config is compared with its descriptor in the index.",
)
ELF = Proof(
    "platforms.elf",
    "Every program and library is for its platform",
    Severity.HIGH,
    "One add-on of the wrong architecture fails only when it is loaded.",
    "Every file that begins as ELF, whatever its name: machine, class, byte order, and the "
    "float ABI on arm. Arm's versions cannot be told apart by a header. Programs and libraries "
    "without a byte, and add-ons of Node.js for another system, are none that could run.",
)
INTERPRETER = Proof(
    "platforms.interpreter",
    "The loader that each program needs is there",
    Severity.HIGH,
    'Without it the kernel says "no such file" of a program that is there.',
    "The name in the program's header is followed, links too, inside the image.",
)
PROOFS = (INDEX, CONFIG, ELF, INTERPRETER)
#: Folders of programs: what is executable and empty there was meant to be one.
_PROGRAM_FOLDERS = ("bin", "sbin", ".bin", "libexec")
_LIBRARY = re.compile(r"\.(node|so(\.[0-9]+)*)$")


def prove(
    target: str, contents: Sequence[Contents], promised: tuple[str, ...]
) -> tuple[Verdict, ...]:
    """The verdicts on an image whose index should hold exactly the platforms ``promised``.

    ``contents`` were read with INSPECTORS.
    """
    found = [_index(target, contents, promised)]
    for each in contents:
        elves = {
            path: facts
            for path, entry in each.files.items()
            if (facts := entry.finding(ElfFacts)) is not None
        }
        found += [
            _config(target, each),
            _elf(target, each, elves),
            _interpreter(target, each, elves),
        ]
    return tuple(found)


def _index(target: str, contents: Sequence[Contents], promised: tuple[str, ...]) -> Verdict:
    """Compares what is here, and what the index lists, with what was promised."""
    here = Counter(each.platform for each in contents)
    listed = Counter(contents[0].listed) if contents else Counter[str]()
    problems = [f"{name} is missing" for name in sorted(set(promised) - set(here))]
    problems += [
        f"{name} was not promised" for name in sorted((here | listed).keys() - {*promised})
    ]
    problems += [f"{name} is there twice" for name, n in sorted((here | listed).items()) if n > 1]
    absent = sorted(listed.keys() & {*promised} - here.keys())
    problems += [f"{name} is listed, but its content is not here" for name in absent]
    measured = ", ".join(sorted(here)) or "none"
    allowed = ", ".join(sorted(promised))
    verdict = INDEX.judge(target, allowed, problems, f"exactly {measured}", allowed)
    return replace(verdict, measured=measured)


def _config(target: str, contents: Contents) -> Verdict:
    """The config's platform is what the index says of it: engines choose by the index."""
    if contents.described is None:
        reason = "the index says nothing of its platform"
        return CONFIG.skip(target, contents.platform, reason, contents.platform)
    same = contents.described == contents.platform
    words = f"its config says {contents.platform}"
    message = words if same else f"{words}, the index {contents.described}"
    return CONFIG.decide(
        target, contents.platform, same, contents.platform, contents.described, message
    )


def _elf(target: str, contents: Contents, elves: Mapping[str, ElfFacts]) -> Verdict:
    """Every ELF file, found by its first bytes, is for this platform; no program is empty."""
    machine = machine_of(contents.platform)
    if machine is None:
        reason = f"what files of {contents.platform} look like is not known"
        return ELF.skip(target, contents.platform, reason)
    problems = [*_foreign(elves, machine), *_addons(contents.files), *_empty(contents)]
    good = f"{len(elves)} ELF files, all {machine.name}" if elves else "no ELF file"
    verdict = ELF.judge(target, contents.platform, problems, good, f"all {machine.name}")
    measured = f"{len(problems)} of {len(elves)} ELF files do not fit"
    return replace(verdict, measured=measured) if problems else verdict


def _foreign(elves: Mapping[str, ElfFacts], machine: Machine) -> Iterator[str]:
    for path, facts in sorted(elves.items()):
        if facts.damage:
            yield f"{shown(path)} is a damaged ELF file: {facts.damage}"
        elif facts.machine != KERNEL and not facts.fits(machine):
            yield f"{shown(path)} is {facts.name}, not {machine.name}"


def _addons(files: Mapping[str, FileEntry]) -> Iterator[str]:
    for path, entry in sorted(files.items()):
        foreign = entry.finding(ForeignAddon)
        if foreign:
            yield f"{shown(path)} is an add-on for {foreign.system}, not for Linux"


def _empty(contents: Contents) -> Iterator[str]:
    """What is empty and should be a program: by its folder, its name, or as what is started."""
    started = _started(contents)
    for path, entry in sorted(contents.files.items()):
        if entry.kind is not Kind.FILE or entry.size_bytes:
            continue
        folder = path.rpartition("/")[0].rpartition("/")[2]
        if path == started or (entry.mode & 0o111 and folder in _PROGRAM_FOLDERS):
            yield f"{shown(path)} is an empty program"
        elif _LIBRARY.search(path):
            yield f"{shown(path)} is an empty library"


def _started(contents: Contents) -> str:
    """The path of the file that a container starts with, if the config has its whole path."""
    section = contents.config.get("config")
    section = section if isinstance(section, dict) else {}
    command = section.get("Entrypoint") or section.get("Cmd")
    first = command[0] if isinstance(command, list) and command else ""
    if not isinstance(first, str) or not first.startswith("/"):
        return ""
    real = filetree.follow(contents.files, first)
    return real.path if real else ""


def _interpreter(target: str, contents: Contents, elves: Mapping[str, ElfFacts]) -> Verdict:
    """The loader that a program names is in the image; without it, starting it says "not found".

    Files for another machine are `platforms.elf`'s business.
    """
    machine = machine_of(contents.platform)
    asked = {
        path: facts.interpreter
        for path, facts in sorted(elves.items())
        if facts.interpreter and (machine is None or facts.fits(machine))
    }
    there = {name: _is_file(contents, name) for name in set(asked.values())}
    problems = [
        f"{shown(path)} needs {shown(name.lstrip('/'))}, which is not in the image"
        for path, name in asked.items()
        if not there[name]
    ]
    names = ", ".join(sorted(shown(name.lstrip("/")) for name in there)) or "none needed"
    verdict = INTERPRETER.judge(
        target, contents.platform, problems, f"interpreters: {names}", "all present"
    )
    measured = f"{len(problems)} of {len(asked)} without" if problems else names
    return replace(verdict, measured=measured)


def _is_file(contents: Contents, path: str) -> bool:
    entry = filetree.follow(contents.files, path)
    return entry is not None and entry.kind is Kind.FILE and entry.size_bytes > 0
