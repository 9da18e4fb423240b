"""Proofs that no secret is in an image: every place, every form, and never its value."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.images.bytestream import HEAD_BYTES
from tasks.core.images.contents import Contents
from tasks.core.proofs import secrets
from tasks.core.proofs.verdicts import Status, Verdict
from tasks.core.secrecy import secretforms, secretscan
from tasks.core.secrecy.secretscan import Content, Hits, SecretInspector
from tests.unit import layers
from tests.unit.layers import file, layer, link

VALUE = "canary/8d7f&6a5s+4d3f"
NAMED = {"NPM_TOKEN": VALUE}
# Put together here, so that no scanner takes this file for the real thing.
KEY = b"-----BEGIN RSA PRIVATE" + b" KEY-----\n" + b"MIIEpAIBAAKCAQEA" * 4 + b"\n"
GITHUB = b"ghp" + b"_" + b"a1B2" * 9
AWS = b"AKIA" + b"ABCDEFGHIJ234567"
#: In pieces, as all of them: scan.secrets looks at this file too.
LOGGED_IN = b'"dXNlcjpwYXNz"}}}'
LOGIN = b"//npm.example/:_auth" + b"Token=0123456789abcdef"


def image(*stacked: bytes, named: Mapping[str, str] = NAMED, **config: Any) -> Contents:
    return layers.image(*stacked, inspectors=[SecretInspector(named)], **config)


def prove(contents: Contents, named: Mapping[str, str] = NAMED) -> dict[str, Verdict]:
    found = secrets.prove("web", contents, SecretInspector(named), named)
    text = json.dumps([verdict.as_dict() for verdict in found])
    assert VALUE not in text
    assert base64.b64encode(VALUE.encode()).decode() not in text
    return {verdict.proof.removeprefix("secrets."): verdict for verdict in found}


def failed(verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    return {name: each.message for name, each in verdicts.items() if each.status is Status.FAILED}


class TestKinds:
    @pytest.mark.parametrize(
        ("content", "proof"),
        [
            (KEY, "private-keys"),
            (KEY.replace(b"\n", b"\\n"), "private-keys"),
            (KEY.replace(b"RSA", b"OPENSSH"), "private-keys"),
            (GITHUB, "tokens"),
            (b'{"auths": {"r.example": {"auth": ' + LOGGED_IN, "tokens"),
            (b"npm" + b"_" + b"a1B2" * 9, "npmrc"),
            (LOGIN, "npmrc"),
            (b'x = "line\\n' + GITHUB + b'"', "tokens"),
            (b"?token%3D" + GITHUB, "tokens"),
            (b'{"auths": {"a.example": {}, "b.example": {"auth": ' + LOGGED_IN, "tokens"),
            (AWS, "cloud-keys"),
            (b"AWS_SECRET_ACCESS" + b"_KEY=" + b"wJalrXUtnF" * 4, "cloud-keys"),
            (b"aws_secret_access" + b"_key = " + b"wJalrXUtnF" * 4, "cloud-keys"),
            (b"AIza" + b"Sy0123456789" * 3, "cloud-keys"),
        ],
    )
    def test_each_is_found_by_its_own_proof(self, content: bytes, proof: str) -> None:
        found = failed(prove(image(layer(file("f", b"text " * 40 + content + b"\n")))))
        assert list(found) == [proof]
        assert "/f in layer 1: " in found[proof]

    @pytest.mark.parametrize(
        "content",
        [
            b"-----BEGIN RSA PRIVATE KEY-----\n...\n",
            b"-----BEGIN PUBLIC KEY-----\n" + b"MIIE" * 20,
            b"//npm.example/:_authToken=${NPM_TOKEN}",
            b"//npm.example/:_authToken=MYTOKEN",
            b"AKIAIOSFODNN7EXAMPLE",
            b"ghp_short",
            b"ghp_" + b"x" * 36,  # so manuals write it
            b"npm_" + b"a" * 36,
            b"\0binary" + KEY,  # a library for cryptography
        ],
    )
    def test_what_is_none(self, content: bytes) -> None:
        assert not failed(prove(image(layer(file("f", content)))))


class TestPlaces:
    def test_a_file_that_a_later_layer_removes(self) -> None:
        found = failed(
            prove(image(layer(file("root/.npmrc", LOGIN)), layer(file("root/.wh..npmrc"))))
        )
        assert found["npmrc"] == ("/root/.npmrc in layer 1, removed or replaced later: a npm login")

    def test_texts_of_the_config(self) -> None:
        held = image(
            layer(),
            config={
                "Env": [f"A={VALUE}", "GH_TOKEN=x", "PATH=/bin"],
                "Labels": {"x": KEY.decode()},
            },
            history=[{"created_by": "|1 NPM_TOKEN=hunter2 /bin/sh -c npm ci"}, {}, 7],
        )
        found = failed(prove(held))
        assert found["private-keys"] == "config.config.Labels.x: a private key"
        assert found["values"] == "config.config.Env A: the value of NPM_TOKEN"
        assert found["variables"] == (
            "config.Env: GH_TOKEN has a value; history, step 1: NPM_TOKEN has a value"
        )
        assert "hunter2" not in str(found)

    @pytest.mark.parametrize(
        "command",
        [
            'RUN NPM_TOKEN="$(cat /run/secrets/npm)" npm ci',
            "RUN NPM_TOKEN=`cat /run/secrets/npm` npm ci",
            "RUN export NPM_TOKEN='' && npm ci",
            'ENV NPM_TOKEN=""',
        ],
    )
    def test_what_a_shell_puts_in_later_is_no_value(self, command: str) -> None:
        assert not failed(prove(image(layer(), history=[{"created_by": command}])))

    @pytest.mark.parametrize(
        "pair",
        [
            "POSTGRES_PASSWORD_FILE=/run/secrets/password",
            "SSH_AUTH_SOCK=/run/agent",
            "GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D",
        ],
    )
    def test_a_place_and_a_fingerprint_are_public(self, pair: str) -> None:
        history = [{"created_by": f"ENV {pair}"}]
        assert not failed(prove(image(layer(), config={"Env": [pair]}, history=history)))

    @pytest.mark.parametrize("pair", ["PASSWORD_FILE=hunter22", "GPG_KEY=hunter22"])
    def test_the_same_names_with_other_values(self, pair: str) -> None:
        assert list(failed(prove(image(layer(), config={"Env": [pair]})))) == ["variables"]

    def test_a_config_that_makes_no_sense(self) -> None:
        odd = {"Env": {"a": 1}, "Labels": [], "\ud800": ["\udfff", None]}
        held = image(layer(), config=odd, history="text")
        assert not failed(prove(held))

    def test_gzip_in_a_layer_also_of_several_members(self) -> None:
        packed = gzip.compress(b"x" * 70_000) + gzip.compress(b"y" * 9000 + VALUE.encode())
        found = failed(prove(image(layer(file("logs.gz", packed)))))
        assert found == {"values": "/logs.gz in layer 1: the value of NPM_TOKEN"}

    def test_a_tar_archive_in_gzip(self) -> None:
        packed = gzip.compress(layer(file("key.pem", KEY)))
        assert "private-keys" in failed(prove(image(layer(file("a.tgz", packed)))))

    def test_what_cannot_be_read_to_its_end_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(secretscan, "MAX_UNPACKED_BYTES", 2**20)
        bomb, broken = gzip.compress(bytes(5 * 2**20)), gzip.compress(b"x" * 99)[:10] + b"\xff" * 9
        short = gzip.compress(b"x" * 99)[:-4]
        files = (file("bomb.gz", bomb), file("broken.gz", broken), file("short.gz", short))
        found = prove(image(layer(*files)))
        assert "/bomb.gz (it unpacks to more than 1 MiB)" in found["values"].message
        assert "/broken.gz (its gzip data is damaged)" in found["values"].message
        assert "/short.gz (its gzip data ends early)" in found["values"].message

    @pytest.mark.parametrize("less", [0, 1, 2, 3])
    def test_a_gzip_member_that_begins_where_a_piece_ends(self, less: int) -> None:
        padding = bytes(HEAD_BYTES - len(gzip.compress(b"x")) - less)
        packed = gzip.compress(b"x") + padding + gzip.compress(VALUE.encode() + bytes(9000))
        assert list(failed(prove(image(layer(file("a.gz", packed)))))) == ["values"]


class TestForms:
    @given(before=st.binary(max_size=6), after=st.binary(max_size=6))
    @settings(max_examples=50, deadline=None)
    def test_base64_wherever_the_value_begins(self, before: bytes, after: bytes) -> None:
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            content = encode(before + VALUE.encode() + after)
            assert Content(secretforms.needles(NAMED)).search(content)

    @pytest.mark.parametrize(
        "text",
        [VALUE, quote(VALUE), quote(VALUE, safe=""), VALUE.replace("&", "\\u0026")],
    )
    def test_plain_url_and_json(self, text: str) -> None:
        assert Content(secretforms.needles(NAMED)).search(f"a={text}&b".encode())

    def test_in_names_of_files_and_links_without_saying_which(self) -> None:
        value = "canary-8d7f6a5s"
        held = image(layer(file(f"a/{value}", b"1")), layer(link("l", value)), named={"X": value})
        found = secrets.prove("web", held, SecretInspector({"X": value}), {"X": value})
        [wrong] = [each for each in found if each.status is Status.FAILED]
        assert wrong.findings == (
            "a file's name in layer 1: the value of X",
            "a file's name in layer 2: the value of X",
        )

    def test_no_place_tells_it(self) -> None:
        value = "canary-8d7f6a5s"
        content = file(f"a/{value}", value.encode())
        held = image(layer(content), named={"X": value}, config={"Labels": {value: value}})
        found = secrets.prove("web", held, SecretInspector({"X": value}), {"X": value})
        assert value not in str(found)
        assert "a place whose name holds a secret: the value of X" in str(found)

    @pytest.mark.parametrize("ascii_only", [True, False])
    def test_json_as_each_encoder_escapes(self, ascii_only: bool) -> None:
        named = {"X": 's3cr3t<ä"ö&x'}
        text = json.dumps(named, ensure_ascii=ascii_only)
        assert Content(secretforms.needles(named)).search(text.encode())

    @pytest.mark.parametrize("width", [64, 76])
    def test_base64_in_lines(self, width: int) -> None:
        named = {"X": "".join(f"line {number} of a secret\n" for number in range(20))}
        letters = base64.b64encode(named["X"].encode())
        lines = [letters[at : at + width] for at in range(0, len(letters), width)]
        assert Content(secretforms.needles(named)).search(b"\n".join(lines))

    @given(cut=st.integers(1, 30), rest=st.integers(0, 200_000))
    @settings(max_examples=30, deadline=None)
    def test_across_pieces(self, cut: int, rest: int) -> None:
        scan = Content(secretforms.needles(NAMED))
        whole = b"x" * rest + VALUE.encode() + b"yyyyyyyyyyyyyyyyyyyy"
        scan.search(whole[: rest + cut])
        assert scan.search(whole[rest + cut :])

    def test_in_a_binary_too(self) -> None:
        held = image(layer(file("node", b"\0\1" * 90_000 + VALUE.encode() + bytes(9))))
        assert list(failed(prove(held))) == ["values"]

    def test_a_token_in_a_binary(self) -> None:
        held = image(layer(file("settings.pyc", b"\0\1" * 90_000 + GITHUB + bytes(9))))
        assert list(failed(prove(held))) == ["tokens"]

    def test_what_an_npmrc_assigns_is_searched_for_by_itself(self) -> None:
        login = "//npm.example/:_authToken" + "=canary-123456"
        named = {"npmrc": f"registry=https://npm.example\n{login}\n"}
        held = image(layer(file("f", b"see canary-123456")), named=named)
        assert list(failed(prove(held, named))) == ["values"]
        plain = image(layer(file("f", b"https://npm.example")), named=named)
        assert not failed(prove(plain, named))

    def test_values_too_short_to_search_for_are_named(self) -> None:
        named = {"PIN": "1234", "EMPTY": "", **NAMED}
        found = prove(image(layer(file("f", b"1234")), named=named), named)
        assert found["values"].status is Status.PASSED
        assert found["values"].message.endswith("too short to search for: PIN")

    def test_without_values_there_is_nothing_to_say(self) -> None:
        assert prove(image(layer(), named={}), {})["values"].status is Status.SKIPPED

    def test_no_value_in_what_is_printed_of_records(self) -> None:
        assert VALUE not in repr(secretforms.needles(NAMED))
        held = image(layer(file("f", VALUE.encode())))
        assert VALUE not in repr(held.files["f"].finding(Hits))
