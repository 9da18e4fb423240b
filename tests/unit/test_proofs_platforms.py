"""Proofs on the files of several platforms: foreign and damaged ELF files, loaders, the index."""

from __future__ import annotations

import tarfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.images.contents import Contents
from tasks.core.images.elf import MACHINES, ElfFacts, facts
from tasks.core.proofs import platforms
from tasks.core.proofs.verdicts import Status, Verdict
from tests.unit import elves, layers
from tests.unit.elves import AARCH64, ARM, I386, MIPS, S390, X86_64, elf
from tests.unit.layers import Member, file, layer, link

HARD, SOFT = 0x5000400, 0x5000200
GLIBC = "/lib64/ld-linux-x86-64.so.2"


def image(*members: Member, **config: Any) -> Contents:
    return layers.image(layer(*members), inspectors=platforms.INSPECTORS, **config)


def verdict(proof: str, contents: Contents, *promised: str) -> Verdict:
    found = platforms.prove("app", [contents], promised or (contents.platform,))
    [wanted] = [each for each in found if each.proof == proof]
    return wanted


def arm(architecture: str, variant: str = "") -> dict[str, str]:
    return {"architecture": architecture, "variant": variant}


class TestElf:
    def test_all_fit(self) -> None:
        held = image(file("bin/node", elf(), 0o755), file("x.node", elf()), file("text", b"#!"))
        found = verdict("platforms.elf", held)
        assert found.status is Status.PASSED
        assert found.message == "2 ELF files, all x86-64"

    def test_foreign_files_are_named_wherever_they_are(self) -> None:
        held = image(
            file("nodejs/bin/node", elf(X86_64), 0o755),
            file("app/a.node", elf(AARCH64)),
            file("app/image.png", elf(I386, bits=32)),
            file("lib/b.so", elf(X86_64, extra_bytes=200_000)),
            file("lib/c.so", elf(X86_64)),
            **arm("arm64"),
        )
        found = verdict("platforms.elf", held)
        assert found.status is Status.FAILED
        assert found.measured == "4 of 5 ELF files do not fit"
        assert found.message == (
            "/app/image.png is i386, not AArch64; /lib/b.so is x86-64, not AArch64; "
            "/lib/c.so is x86-64, not AArch64 (and 1 more)"
        )

    @pytest.mark.parametrize(
        ("platform", "content", "name"),
        [
            (arm("amd64"), elf(I386, bits=32), "i386"),
            (arm("amd64"), elf(X86_64, bits=32), "x32"),
            (arm("386"), elf(X86_64), "x86-64"),
            (arm("arm64"), elf(AARCH64, little=False), "AArch64 (big-endian)"),
            (arm("arm64"), elf(ARM, bits=32, flags=HARD), "ARM hard-float"),
            (arm("arm", "v7"), elf(AARCH64), "AArch64"),
            (arm("arm", "v7"), elf(ARM, bits=32, flags=SOFT), "ARM soft-float"),
            (arm("arm", "v5"), elf(ARM, bits=32, flags=HARD), "ARM hard-float"),
            (arm("s390x"), elf(S390), "S390 (64 bit, little-endian)"),
            (arm("amd64"), elf(elves.X86_64 + 9999), "machine 10061 (64 bit, little-endian)"),
        ],
    )
    def test_what_is_foreign(self, platform: dict[str, str], content: bytes, name: str) -> None:
        found = verdict("platforms.elf", image(file("f", content), **platform))
        assert found.status is Status.FAILED
        assert f"/f is {name}, not " in found.message

    @pytest.mark.parametrize(
        ("platform", "content"),
        [
            (arm("386"), elf(I386, bits=32)),
            (arm("arm64", "v8"), elf(AARCH64)),
            (arm("arm", "v7"), elf(ARM, bits=32, flags=HARD)),
            (arm("arm", "v7"), elf(ARM, bits=32, flags=0x5000000)),  # objects do not say
            (arm("arm", "v6"), elf(ARM, bits=32, flags=HARD)),
            (arm("arm", "v5"), elf(ARM, bits=32, flags=SOFT)),
            (arm("s390x"), elf(S390, little=False)),
            (arm("mips64le"), elf(MIPS)),
            (arm("ppc64le"), elf(21)),
            (arm("riscv64"), elf(243)),
            (arm("loong64"), elf(258)),
            (arm("amd64"), elf(kind=1)),  # an object file
        ],
    )
    def test_what_is_at_home(self, platform: dict[str, str], content: bytes) -> None:
        found = verdict("platforms.elf", image(file("f", content), **platform))
        assert found.status is Status.PASSED, found.message

    def test_a_foreign_file_that_a_later_layer_removes_does_no_harm(self) -> None:
        held = layers.image(
            layer(file("f", elf(AARCH64))),
            layer(file(".wh.f")),
            inspectors=platforms.INSPECTORS,
        )
        assert verdict("platforms.elf", held).status is Status.PASSED

    def test_a_program_of_no_bytes(self) -> None:
        held = image(file("usr/bin/node", b"", 0o755), file("srv/.keep", b"", 0o755))
        assert verdict("platforms.elf", held).message == "/usr/bin/node is an empty program"

    def test_a_program_for_the_kernel_is_at_home_everywhere(self) -> None:
        held = image(file("usr/lib/bpf/probe.o", elf(247, kind=1)), **arm("arm64"))
        assert verdict("platforms.elf", held).status is Status.PASSED

    def test_what_is_started_and_libraries_of_no_bytes(self) -> None:
        members = (file("app/run", b"", 0o755), link("start", "app/run"), file("app/__init__.py"))
        held = image(*members, config={"Entrypoint": ["/start"]})
        assert verdict("platforms.elf", held).message == "/app/run is an empty program"
        held = image(file("app/a.node"), file("lib/b.so.1.2"), config={"Entrypoint": [7]})
        assert verdict("platforms.elf", held).message == (
            "/app/a.node is an empty library; /lib/b.so.1.2 is an empty library"
        )

    @pytest.mark.parametrize(
        ("head", "system"), [(b"\xcf\xfa\xed\xfe", "macOS"), (b"MZ\x90\0", "Windows")]
    )
    def test_an_addon_of_another_system(self, head: bytes, system: str) -> None:
        held = image(
            file("app/build/Release/a.node", head + bytes(99)),
            file("app/prebuilds/darwin-x64+arm64/a.node", head + bytes(99)),
            file("app/a.win32-x64-msvc.node", head + bytes(99)),
        )
        assert verdict("platforms.elf", held).message == (
            f"/app/build/Release/a.node is an add-on for {system}, not for Linux"
        )

    @pytest.mark.parametrize("platform", [arm("amd64", "v2"), arm("arm64", "v9")])
    def test_a_variant_is_held_to_its_architecture(self, platform: dict[str, str]) -> None:
        found = verdict("platforms.elf", image(file("f", elf(I386, bits=32)), **platform))
        assert found.message.startswith("/f is i386, not ")

    def test_a_name_with_control_characters(self) -> None:
        found = verdict("platforms.elf", image(file("a\x1b[2J\n", elf(AARCH64))))
        assert found.message == "/a\\x1b[2J\\x0a is AArch64, not x86-64"

    def test_an_unknown_platform_is_skipped(self) -> None:
        held = image(file("f", elf()), architecture="wasm")
        assert verdict("platforms.elf", held).status is Status.SKIPPED


class TestDamage:
    @pytest.mark.parametrize("size", [4, 5, 20, 52, 63])
    def test_a_header_that_is_cut_off(self, size: int) -> None:
        found = verdict("platforms.elf", image(file("f", elf()[:size])))
        assert found.message == "/f is a damaged ELF file: its header is not whole"

    def test_program_headers_beyond_the_end(self) -> None:
        content = elf(interpreter=GLIBC)[:100]
        assert "lie beyond its end" in facts(content, len(content)).damage

    def test_an_interpreter_beyond_the_end(self) -> None:
        content = elf(interpreter=GLIBC)[:125]
        assert "interpreter lies beyond its end" in facts(content, len(content)).damage

    @given(where=st.integers(4, 140), value=st.binary(min_size=1, max_size=8))
    @settings(max_examples=300, deadline=None)
    def test_nothing_in_a_header_ends_in_a_traceback(self, where: int, value: bytes) -> None:
        content = elf(interpreter=GLIBC)
        content = content[:where] + value + content[where + len(value) :]
        assert isinstance(facts(content, len(content)), ElfFacts)

    @given(rest=st.binary(min_size=60, max_size=300), bits=st.integers(0, 3))
    @settings(max_examples=200, deadline=None)
    def test_nor_does_anything_behind_the_magic(self, rest: bytes, bits: int) -> None:
        content = b"\x7fELF" + bytes([bits, 1]) + rest
        assert isinstance(facts(content, len(content)), ElfFacts)


class TestInterpreter:
    program = file("bin/node", elf(interpreter=GLIBC), 0o755)

    def test_present_through_links(self) -> None:
        loader = file("usr/lib/x/ld.so", elf())
        links = (link("lib64", "usr/lib"), link("usr/lib/ld-linux-x86-64.so.2", "/usr/lib/x/ld.so"))
        found = verdict("platforms.interpreter", image(self.program, loader, *links))
        assert found.status is Status.PASSED
        assert found.message == f"interpreters: {GLIBC}"

    @pytest.mark.parametrize(
        "members", [(), (link(GLIBC, "nowhere"),), (link(GLIBC, GLIBC),), (file(GLIBC, b""),)]
    )
    def test_missing(self, members: tuple[Member, ...]) -> None:
        found = verdict("platforms.interpreter", image(self.program, *members))
        assert found.status is Status.FAILED
        assert found.message == f"/bin/node needs {GLIBC}, which is not in the image"

    def test_static_and_foreign_files_need_none_here(self) -> None:
        held = image(file("a", elf()), file("b", elf(AARCH64, interpreter="/lib/ld.so")))
        found = verdict("platforms.interpreter", held)
        assert (found.status, found.message) == (Status.PASSED, "interpreters: none needed")


class TestIndex:
    def test_exactly_what_was_promised(self) -> None:
        assert verdict("platforms.index", image(), "linux/amd64").status is Status.PASSED

    def test_missing_and_not_promised(self) -> None:
        found = verdict("platforms.index", image(), "linux/arm64", "linux/arm/v7")
        assert found.status is Status.FAILED
        assert found.message == (
            "linux/arm/v7 is missing; linux/arm64 is missing; linux/amd64 was not promised"
        )

    def test_no_image_at_all(self) -> None:
        [found] = platforms.prove("app", [], ("linux/amd64",))
        assert found.message == "linux/amd64 is missing"

    def test_a_config_that_says_otherwise(self) -> None:
        [held] = layers.index([({"os": "linux", "architecture": "arm64"}, {}, [layer()])])
        found = verdict("platforms.config", held)
        assert found.message == "its config says linux/amd64, the index linux/arm64"
        assert verdict("platforms.index", held, "linux/amd64").status is Status.FAILED

    def test_one_platform_twice(self) -> None:
        amd64 = {"os": "linux", "architecture": "amd64"}
        changed = {"config": {"Labels": {"other": "1"}}}
        both = layers.index([(amd64, {}, [layer()]), (amd64, changed, [layer()])])
        found = platforms.prove("app", both, ("linux/amd64",))[0]
        assert found.message == "linux/amd64 is there twice"


def test_every_platform_that_settings_take_has_a_machine() -> None:
    from tasks.core import schema

    assert set(MACHINES) == set(schema.PLATFORMS)


def test_device_nodes_and_pipes_are_no_programs() -> None:
    held = image(layers.special("bin/null", tarfile.CHRTYPE))
    assert verdict("platforms.elf", held).message == "no ELF file"
