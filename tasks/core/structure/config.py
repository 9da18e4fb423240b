"""What a structure test's file asks for, as records; the names are the file's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """A variable or label; with ``is_regex`` the value is a regular expression."""

    key: str
    value: str
    is_regex: bool = False


@dataclass(frozen=True)
class CommandTest:
    """A command to be run, and what it has to say; the ``setup`` commands are run before it."""

    name: str
    command: tuple[str, ...]
    setup: tuple[tuple[str, ...], ...] = ()
    environment: tuple[Pair, ...] = ()
    exit_code: int = 0
    expected_output: tuple[str, ...] = ()
    excluded_output: tuple[str, ...] = ()
    expected_error: tuple[str, ...] = ()
    excluded_error: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExistenceTest:
    """A path that is there or not; ``permissions`` as ``-rw-r--r--``; None and "": any will do."""

    name: str
    path: str
    should_exist: bool = True
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None
    executable_by: str = ""


@dataclass(frozen=True)
class ContentTest:
    """What the content of a file has to match, and what not."""

    name: str
    path: str
    expected: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetadataTest:
    """What an image's config has to say; None and "": it may say anything."""

    environment: tuple[Pair, ...] = ()
    unbound: tuple[str, ...] = ()
    labels: tuple[Pair, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    unexposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    unmounted_volumes: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    workdir: str = ""
    user: str = ""


@dataclass(frozen=True)
class LicenseTest:
    """Licence files to be read; ``debian``: those of all packages too."""

    debian: bool
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunOptions:
    """How commands are run otherwise than the image says; ``variables`` are names of our own."""

    user: str = ""
    privileged: bool = False
    variables: tuple[str, ...] = ()
    env_file: str = ""
    capabilities: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """A whole file; ``source`` is what it is called, ``environment`` holds for all commands."""

    source: str
    environment: tuple[Pair, ...] = ()
    commands: tuple[CommandTest, ...] = ()
    existence: tuple[ExistenceTest, ...] = ()
    contents: tuple[ContentTest, ...] = ()
    licenses: tuple[LicenseTest, ...] = ()
    metadata: MetadataTest | None = None
    options: RunOptions | None = None
