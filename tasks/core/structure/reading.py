"""A structure test's file -> its Config: everything in it is checked before anything is run."""

from __future__ import annotations

from pathlib import Path

from tasks.core import untrusted
from tasks.core.errors import UsageError
from tasks.core.structure import document, keeping, section
from tasks.core.structure.config import (
    CommandTest,
    Config,
    ContentTest,
    ExistenceTest,
    LicenseTest,
    MetadataTest,
    RunOptions,
)
from tasks.core.structure.section import Section
from tasks.core.untrusted import Malformed

VERSION = "2.0.0"
EXECUTABLE_BY = ("", "owner", "group", "other", "any")
_TOP = (
    *("schemaVersion", "globalEnvVars", "commandTests", "fileExistenceTests"),
    *("fileContentTests", "metadataTest", "licenseTests", "containerRunOptions"),
)
_COMMAND = (
    *("name", "setup", "teardown", "command", "args", "envVars", "exitCode"),
    *("expectedOutput", "excludedOutput", "expectedError", "excludedError"),
)
_EXISTENCE = ("name", "path", "shouldExist", "permissions", "uid", "gid", "isExecutableBy")
_CONTENT = ("name", "path", "expectedContents", "excludedContents")
#: "env" is what "envVars" was called up to version 1.12 of the tool.
_METADATA = (
    *("envVars", "env", "unboundEnvVars", "exposedPorts", "unexposedPorts", "entrypoint", "cmd"),
    *("workdir", "volumes", "unmountedVolumes", "labels", "user"),
)
_OPTIONS = (
    *("user", "privileged", "allocateTty", "envVars", "envFile", "capabilities", "bindMounts"),
)


def load(path: Path) -> Config:
    """The tests in the file at ``path``; its name says whether it is YAML or JSON.

    Raises UsageError, with the file and the place in it, for what cannot be read or meant.
    """
    try:
        return parse(_content(path), path.name)
    except Malformed as problem:
        raise UsageError(f"{path}: {problem}") from None


def parse(content: bytes, name: str) -> Config:
    """The tests in ``content``. Raises Malformed with the place."""
    is_json = name.endswith(".json")
    if not is_json and not name.endswith((".yaml", ".yml")):
        raise Malformed("is neither .yaml, .yml nor .json")
    read = document.from_json(content) if is_json else document.from_yaml(content)
    top = section.of(read, "", folded=is_json)
    _check_version(top)
    top.only(*_TOP)
    config = Config(
        source=name,
        environment=top.pairs("globalEnvVars"),
        commands=tuple(_command(each) for each in top.sections("commandTests", *_COMMAND)),
        existence=tuple(
            _existence(each) for each in top.sections("fileExistenceTests", *_EXISTENCE)
        ),
        contents=tuple(_content_test(each) for each in top.sections("fileContentTests", *_CONTENT)),
        licenses=tuple(_license(each) for each in top.sections("licenseTests", "debian", "files")),
        metadata=_metadata(top.section("metadataTest", *_METADATA)),
        options=_options(top.section("containerRunOptions", *_OPTIONS)),
    )
    _check_whole(config)
    return config


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(document.MAX_BYTES + 1)
    except OSError as error:
        raise Malformed(f"cannot be read: {error.strerror}") from None
    if len(content) > document.MAX_BYTES:
        raise Malformed(f"has more than {document.MAX_BYTES // 2**10} KiB")
    return content


def _check_version(top: Section) -> None:
    """The version comes first: files of another one have other keys."""
    version = top.text("schemaVersion")
    if version == "1.0.0":
        raise Malformed(
            f"schemaVersion: '1.0.0' is not run; say '{VERSION}', and split each command list "
            "into its first word, command, and the others, args"
        )
    if version != VERSION:
        said = untrusted.shown(repr(version), 40) if version else "what is missing"
        raise Malformed(f"schemaVersion: {said} is not '{VERSION}'")


def _check_whole(config: Config) -> None:
    tests = (config.commands, config.existence, config.contents, config.licenses, config.metadata)
    if not any(tests):
        raise Malformed("has no test in it")
    mounts = config.options.mounts if config.options else ()
    mounted = [keeping.normal(mount.split(":")[1]) for mount in mounts]
    paths = [(test.name, test.path) for test in config.existence]
    paths += [(test.name, test.path) for test in config.contents]
    for name, path in paths:
        normal = keeping.normal(path)
        if any(normal == place or normal.startswith(f"{place}/") for place in mounted):
            raise Malformed(
                f"containerRunOptions.bindMounts: {path} of the test {name!r} lies in one, but "
                "files are looked at in the image; test it with a command"
            )


def _command(given: Section) -> CommandTest:
    given.commands("teardown")  # checked and not run, as by the tool: nothing is left to tear down
    return CommandTest(
        name=given.text("name", needed=True),
        command=(given.text("command", needed=True), *given.texts("args")),
        setup=given.commands("setup"),
        environment=given.pairs("envVars", valued=True),
        exit_code=given.number("exitCode") or 0,
        expected_output=given.regexes("expectedOutput"),
        excluded_output=given.regexes("excludedOutput"),
        expected_error=given.regexes("expectedError"),
        excluded_error=given.regexes("excludedError"),
    )


def _existence(given: Section) -> ExistenceTest:
    by = given.text("isExecutableBy")
    if by not in EXECUTABLE_BY:
        known = ", ".join(EXECUTABLE_BY[1:])
        said = untrusted.shown(repr(by), 40)
        raise Malformed(f"{given.at('isExecutableBy')}: {said} is none of: {known}")
    if given.folded and given.get("shouldExist") is None:
        raise Malformed(f"{given.at('shouldExist')}: JSON has no default for it; say true or false")
    uid, gid = given.number("uid"), given.number("gid")
    return ExistenceTest(
        name=given.text("name", needed=True),
        path=given.text("path", needed=True),
        should_exist=given.flag("shouldExist", True),
        permissions=given.text("permissions"),
        uid=None if uid == -1 else uid,
        gid=None if gid == -1 else gid,
        executable_by=by,
    )


def _content_test(given: Section) -> ContentTest:
    return ContentTest(
        name=given.text("name", needed=True),
        path=given.text("path", needed=True),
        expected=given.regexes("expectedContents"),
        excluded=given.regexes("excludedContents"),
    )


def _license(given: Section) -> LicenseTest:
    return LicenseTest(given.flag("debian", False), given.texts("files", filled=True))


def _metadata(given: Section) -> MetadataTest | None:
    """None where nothing is asked for: the tool then runs no test."""
    found = MetadataTest(
        environment=(*given.pairs("envVars"), *given.pairs("env")),
        unbound=tuple(pair.key for pair in given.pairs("unboundEnvVars")),
        labels=given.pairs("labels"),
        exposed_ports=given.texts("exposedPorts", filled=True),
        unexposed_ports=given.texts("unexposedPorts"),
        volumes=given.texts("volumes", filled=True),
        unmounted_volumes=given.texts("unmountedVolumes"),
        entrypoint=None if given.get("entrypoint") is None else given.texts("entrypoint"),
        cmd=None if given.get("cmd") is None else given.texts("cmd"),
        workdir=given.text("workdir"),
        user=given.text("user"),
    )
    return None if found == MetadataTest() else found


def _options(given: Section) -> RunOptions | None:
    if given.flag("allocateTty", False):
        raise Malformed(
            f"{given.at('allocateTty')}: is not supported: a terminal mixes what a command says on "
            "stdout and stderr; leave it out"
        )
    env_file = given.text("envFile")
    if "\0" in env_file:
        raise Malformed(f"{given.at('envFile')}: holds a zero byte")
    mounts = given.texts("bindMounts", filled=True)
    for number, mount in enumerate(mounts):
        parts = mount.split(":")
        if len(parts) not in (2, 3) or not parts[0] or not parts[1].startswith("/"):
            said = untrusted.shown(repr(mount), 80)
            raise Malformed(f"{given.at('bindMounts')}[{number}]: {said} is not SOURCE:/TARGET")
    found = RunOptions(
        user=given.text("user"),
        privileged=given.flag("privileged", False),
        variables=given.texts("envVars", filled=True),
        env_file=env_file,
        capabilities=given.texts("capabilities", filled=True),
        mounts=mounts,
    )
    return None if found == RunOptions() else found
