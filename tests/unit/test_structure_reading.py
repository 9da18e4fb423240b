"""Structure tests: what a file may say, and the place of everything that cannot be meant."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core import structure
from tasks.core.errors import UsageError
from tasks.core.structure import document, reading
from tasks.core.structure.config import CommandTest, Config, ExistenceTest, MetadataTest, Pair
from tasks.core.untrusted import Malformed

HEAD = 'schemaVersion: "2.0.0"\n'
WHOLE = (
    HEAD
    + r"""
globalEnvVars:
  - { key: HOME_OF, value: "$HOME/app" }
commandTests:
  - name: says its version
    setup: [[touch, /x], [rm, /y]]
    teardown: [[rm, /x]]
    command: node
    args: [--version, 22]
    envVars: [{ key: A, value: yes }]
    exitCode: 0x10
    expectedOutput: ['^v\d+']
    excludedOutput: [beta]
    expectedError: ['']
    excludedError: [Warning]
fileExistenceTests:
  - &file
    name: page
    path: /srv/index.html
    permissions: "-rw-r--r--"
    uid: 0
    gid: -1
    isExecutableBy: any
  - <<: *file
    path: /srv/none
    shouldExist: off
fileContentTests:
  - { name: users, path: /etc/passwd, expectedContents: ["(?m)^app:"], excludedContents: [toor] }
metadataTest:
  envVars: [{ key: NODE_ENV, value: prod.*, isRegex: true }]
  env: [{ key: OLD, value: "" }]
  unboundEnvVars: [{ key: TOKEN }]
  labels: [{ key: l, value: v }]
  exposedPorts: [8080, "53"]
  unexposedPorts: [80]
  volumes: [/data]
  unmountedVolumes: [/root]
  entrypoint: []
  cmd: [node, main.js]
  workdir: /app
  user: 1000
licenseTests:
  - { debian: true, files: [/LICENSE] }
  - { debian: no, files: }
containerRunOptions:
  user: root
  privileged: true
  allocateTty: false
  envVars: [CI]
  envFile: test.env
  capabilities: [NET_ADMIN]
  bindMounts: ["/tmp/a:/a:ro"]
"""
)


def parse(text: str, name: str = "test.yaml") -> Config:
    return reading.parse(text.encode(), name)


def test_every_field() -> None:
    found = parse(WHOLE)
    assert found.environment == (Pair("HOME_OF", "$HOME/app"),)
    assert found.commands == (
        CommandTest(
            name="says its version",
            command=("node", "--version", "22"),
            setup=(("touch", "/x"), ("rm", "/y")),
            environment=(Pair("A", "yes"),),
            exit_code=16,
            expected_output=(r"^v\d+",),
            excluded_output=("beta",),
            expected_error=("",),
            excluded_error=("Warning",),
        ),
    )
    page, none = found.existence
    assert page == ExistenceTest("page", "/srv/index.html", True, "-rw-r--r--", 0, None, "any")
    assert (none.path, none.should_exist, none.uid) == ("/srv/none", False, 0)
    assert found.contents[0].excluded == ("toor",)
    assert found.metadata == MetadataTest(
        environment=(Pair("NODE_ENV", "prod.*", True), Pair("OLD", "")),
        unbound=("TOKEN",),
        labels=(Pair("l", "v"),),
        exposed_ports=("8080", "53"),
        unexposed_ports=("80",),
        volumes=("/data",),
        unmounted_volumes=("/root",),
        entrypoint=(),
        cmd=("node", "main.js"),
        workdir="/app",
        user="1000",
    )
    assert [each.debian for each in found.licenses] == [True, False]
    assert found.options is not None
    assert found.options.mounts == ("/tmp/a:/a:ro",)


def test_json_says_the_same_and_its_keys_may_be_of_any_case() -> None:
    tests = [{"name": "n", "PATH": "/x", "shouldExist": True, "uid": 5}]
    text = json.dumps({"SchemaVersion": "2.0.0", "fileExistenceTests": tests})
    assert parse(text, "t.json").existence == (ExistenceTest("n", "/x", uid=5),)


def test_json_has_no_default_for_should_exist() -> None:
    tests = [{"name": "n", "path": "/x"}]
    with pytest.raises(Malformed, match=r"^fileExistenceTests\[0\].shouldExist: JSON has no"):
        parse(json.dumps({"schemaVersion": "2.0.0", "fileExistenceTests": tests}), "t.json")


EXISTENCE = HEAD + "fileExistenceTests:\n- name: n\n  path: /x\n"
COMMAND = HEAD + "commandTests:\n- name: n\n  command: c\n"
BAD: dict[str, tuple[str, str]] = {
    "nothing": ("", r"^the file: this is not a mapping"),
    "a list": ("- 1", r"^the file: this is not a mapping"),
    "no version": ("commandTests: []", r"^schemaVersion: what is missing is not '2.0.0'"),
    "old version": ('schemaVersion: "1.0.0"', r"^schemaVersion: '1.0.0' is not run; say '2.0.0',"),
    "other version": ("schemaVersion: 3", r"^schemaVersion: '3' is not '2.0.0'"),
    "no test": (HEAD + "metadataTest: {}\n", r"^has no test in it"),
    "unknown key": (HEAD + "fileTests: []", r"^fileTests: unknown key; known: schemaVersion,"),
    "unknown key inside": (EXISTENCE + "  mode: 1", r"^fileExistenceTests\[0\].mode: unknown key"),
    "twice": (EXISTENCE + "  path: /y", r"^line 5: the key 'path' is there twice"),
    "no name": (
        HEAD + "fileContentTests: [{path: /x}]",
        r"^fileContentTests\[0\].name: is missing",
    ),
    "no list": (HEAD + "commandTests: {}", r"^commandTests: this is not a list"),
    "no mapping": (HEAD + "commandTests: [a]", r"^commandTests\[0\]: 'a' is not a mapping"),
    "no flag": (EXISTENCE + "  shouldExist: 1", r"\[0\].shouldExist: '1' is not true or false"),
    "no plain flag": (EXISTENCE + "  shouldExist: 'y'", r"shouldExist: 'y' is not true or false"),
    "no number": (EXISTENCE + "  uid: '0'", r"\[0\].uid: '0' is not a whole number"),
    "half": (EXISTENCE + "  uid: 0.5", r"\[0\].uid: '0.5' is not a whole number"),
    "sixty": (EXISTENCE + "  uid: 1:30", r"\[0\].uid: '1:30' is not a whole number"),
    "huge": (EXISTENCE + "  uid: " + "9" * 5000, r"\[0\].uid: '9+… is not a whole number"),
    "who": (EXISTENCE + "  isExecutableBy: me", r"'me' is none of: owner, group, other, any"),
    "regex": (COMMAND + "  expectedOutput: [a, '(?=b)']", r"expectedOutput\[1\]: '\(\?=b\)' is no"),
    "unclosed": (COMMAND + "  excludedError: ['(']", r"excludedError\[0\]: '\(' is no regular"),
    "a byte": (COMMAND + r"  excludedError: ['a\\\C']", r"is no regular expression: it has \\C"),
    "label": (
        HEAD + "metadataTest: {labels: [{key: a, value: '[', isRegex: true}]}",
        r"^metadataTest.labels\[0\].value: '\[' is no regular expression",
    ),
    "null": (COMMAND + "  args: [~]", r"args\[0\]: is empty; for an empty text say ''"),
    "setup": (COMMAND + "  setup: [[]]", r"setup\[0\]: this is not a command, a list of words"),
    "words": (COMMAND + "  setup: [ls]", r"setup\[0\]: 'ls' is not a command, a list of words"),
    "teardown": (COMMAND + "  teardown: [[]]", r"teardown\[0\]: this is not a command"),
    "no value": (COMMAND + "  envVars: [{key: A}]", r"envVars\[0\].value: is missing or empty"),
    "tag": (HEAD + "metadataTest: !!python/object:os.system {}", r"line 2: has the tag tag:yaml.o"),
    "scalar tag": (HEAD + "metadataTest: {user: !!binary aGk=}", r"^line 2: has the tag tag:yaml"),
    "syntax": (HEAD + "a: [", r"^line 2: is not valid YAML: "),
    "no letter": (HEAD + 'a: "\\UFFFFFFFF"', r"is not valid YAML: "),
    "two documents": (HEAD + "---\na: 1", r"is not valid YAML: but found another document"),
    "anchor": (HEAD + "a: *b", r"is not valid YAML: found undefined alias"),
    "circle": (HEAD + "a: &a [*a]", r"^line 2: more than 20000 values, or more than 32 in each"),
    "merge": (HEAD + "<<: 5", r"^line 2: << takes a mapping"),
    "key": (HEAD + "[a]: 5", r"^line 2: a key that is no text"),
    "terminal": (
        COMMAND + "containerRunOptions: {allocateTty: true}",
        r"^containerRunOptions.allocateTty: is not supported: a terminal mixes",
    ),
    "mount": (
        COMMAND + "containerRunOptions: {bindMounts: [/a]}",
        r"^containerRunOptions.bindMounts\[0\]: '/a' is not SOURCE:/TARGET",
    ),
    "file in a mount": (
        EXISTENCE + "containerRunOptions: {bindMounts: ['/a:/x/']}",
        r"bindMounts: /x of the test 'n' lies in one, but files are looked at in the image",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_meant_is_named_with_its_place(case: str) -> None:
    text, expected = BAD[case]
    with pytest.raises(Malformed, match=expected):
        parse(text)


@pytest.mark.parametrize("text", ["{", '{"a": 1, "a": 2}', "[" * 100_000, "NaN", '{"A":1,"a":1}'])
def test_json_that_cannot_be_meant(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text, "t.json")


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    above = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *above]
    with pytest.raises(Malformed, match="more than 20000 values"):
        parse(HEAD + "\n".join(lines))


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000])
def test_depth_without_end(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


class TestLoad:
    def test_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "structure.yml"
        path.write_text(EXISTENCE)
        assert structure.load(path).source == "structure.yml"

    @pytest.mark.parametrize("name", ["a.yaml", "a.toml", "folder.yaml"])
    def test_what_cannot_be_read(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "a.toml").write_text(EXISTENCE)
        (tmp_path / "folder.yaml").mkdir()
        with pytest.raises(UsageError, match=rf"{name}: (cannot be read: |is neither )"):
            structure.load(tmp_path / name)

    def test_one_that_is_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_bytes(b"#" * (document.MAX_BYTES + 1))
        with pytest.raises(UsageError, match="has more than 256 KiB"):
            structure.load(path)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%#?, \n<~01", max_size=60), st.booleans())
@settings(max_examples=300, deadline=None)
def test_nothing_in_a_file_ends_in_a_traceback(text: str, json_: bool) -> None:
    with contextlib.suppress(Malformed):
        parse((HEAD if not json_ else "") + text, "t.json" if json_ else "t.yaml")
