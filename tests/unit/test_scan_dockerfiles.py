"""What hadolint and BuildKit say, captured from the real programs, and which file it is about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.bake import definitions
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.process import Completed
from tasks.core.scanning import buildcheck, dockerfiles, hadolint
from tasks.core.scanning.dockerfiles import Source
from tasks.core.scanning.findings import Severity
from tasks.core.scanning.hadolint import Remark
from tasks.core.untrusted import Malformed

DATA = Path(__file__).parents[1] / "data" / "scans"
LINTED = (DATA / "hadolint.json").read_text()
CHECKED = (DATA / "buildx-check.json").read_text()
BAKE = """target "app" {
  dockerfile = "A"
}
target "inline" {
  dockerfile-inline = <<EOT
FROM scratch as x
COPY a b
EOT
}
"""
PRINTED = {
    "target": {
        "app": {"context": ".", "dockerfile": "A"},
        "last": {"context": ".", "dockerfile": "A", "target": "last"},
        "inline": {"context": ".", "dockerfile-inline": "FROM scratch as x\nCOPY a b\n"},
        "far": {"context": "https://example.invalid/repository.git"},
    }
}


class TestHadolint:
    def test_each_file_has_its_own_remarks(self) -> None:
        first, second, third = hadolint.parse(LINTED, 3)
        assert [(each.rule, each.line) for each in first][:3] == [
            ("DL4000", 2),
            ("DL3064", 3),
            ("DL3008", 4),
        ]
        assert {each.rule: each.severity for each in first} | {"": None} == {
            "": None,
            "DL4000": Severity.HIGH,
            "DL3064": Severity.MEDIUM,
            "DL3008": Severity.MEDIUM,
            "SC2164": Severity.MEDIUM,
            "DL3015": Severity.LOW,
            "DL3003": Severity.MEDIUM,
            "DL3014": Severity.MEDIUM,
            "SC2086": Severity.LOW,
        }
        assert [each.rule for each in second] == ["DL1000"]
        assert third == ()

    def test_each_rule_is_explained_somewhere(self) -> None:
        urls = {each.rule: each.url for each in hadolint.parse(LINTED, 3)[0]}
        assert urls["DL3008"].endswith("/hadolint/wiki/DL3008")
        assert urls["SC2164"].endswith("shellcheck.net/wiki/SC2164")

    def test_a_file_that_it_cannot_read_says_so(self) -> None:
        [remark] = hadolint.parse(LINTED, 3)[1]
        assert remark.severity is Severity.HIGH
        assert "has checked nothing of this file" in remark.title
        assert "an empty line behind a here-document" in remark.title

    @pytest.mark.parametrize(
        "said",
        [
            "",
            "{}",
            '[{"file": "7", "code": "X", "level": "info", "line": 1, "message": ""}]',
            '[{"file": "../0", "code": "X", "level": "info", "line": 1, "message": ""}]',
            '[{"file": "0", "code": "X", "level": "info", "line": -1, "message": ""}]',
            '[{"file": "0", "level": "info", "line": 1, "message": ""}]',
        ],
    )
    def test_what_is_no_report_is_refused(self, said: str) -> None:
        with pytest.raises(Malformed):
            hadolint.parse(said, 3)

    def test_nothing_of_a_message_steers_a_terminal(self) -> None:
        told = [{"file": "0", "code": "DL1", "level": "x", "line": 1, "message": "a\x1b[31m\nb"}]
        [[remark]] = hadolint.parse(json.dumps(told), 1)
        assert remark.title.isprintable()
        assert remark.severity is Severity.UNKNOWN


class TestBuildCheck:
    def test_warnings_of_each_target(self) -> None:
        found = buildcheck.parse(CHECKED)
        assert [(each.rule, each.line, each.severity) for each in found["app"].remarks] == [
            ("FromAsCasing", 1, Severity.MEDIUM),
            ("MaintainerDeprecated", 2, Severity.MEDIUM),
            ("SecretsUsedInArgOrEnv", 3, Severity.HIGH),
        ]
        assert found["app"].remarks[0].url.startswith("https://docs.docker.com/")

    def test_a_dockerfile_that_cannot_be_built(self) -> None:
        [remark] = buildcheck.parse(CHECKED)["broken"].remarks
        assert (remark.rule, remark.line) == ("BuildError", 2)
        assert "unknown instruction: COPPY" in remark.title

    def test_what_is_an_error_by_request_is_told_once(self) -> None:
        assert [each.rule for each in buildcheck.parse(CHECKED)["strict"].remarks] == [
            "FromAsCasing"
        ]

    def test_a_base_that_is_not_there_is_no_finding(self) -> None:
        found = buildcheck.parse(CHECKED)["away"]
        assert found.remarks == ()
        assert "failed to resolve source metadata" in found.away

    def test_no_answer_is_no_pass(self) -> None:
        said = "#1 reading\nERROR: failed to solve: frontend: not found\n"
        with pytest.raises(OutOfReach, match="check failed: failed to solve: frontend: not found"):
            buildcheck._answer(Completed(("docker",), 1, "", said, 0.1))
        with pytest.raises(OutOfReach, match="the check of app is not an object"):
            buildcheck._answer(Completed(("docker",), 0, '{"target": {"app": {}}}', "", 0.1))


class TestSources:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "docker-bake.hcl").write_text(BAKE)
        (tmp_path / "A").write_text("FROM scratch\n")
        return tmp_path

    def test_each_dockerfile_once(self, root: Path) -> None:
        found = dockerfiles.sources(root, "docker-bake.hcl", definitions.parse(root, PRINTED))
        assert [(each.place, each.targets, each.ahead) for each in found] == [
            ("A", ("app", "last"), 0),
            ("docker-bake.hcl", ("inline",), 5),
            ("docker-bake.hcl", ("far",), None),
        ]
        assert [each.content is None for each in found] == [False, False, True]

    def test_one_that_is_not_there(self, root: Path) -> None:
        (root / "A").unlink()
        with pytest.raises(UsageError, match=r"app: cannot read its Dockerfile .*No such file"):
            dockerfiles.sources(root, "docker-bake.hcl", definitions.parse(root, PRINTED))

    def test_what_several_targets_say_is_one_finding(self) -> None:
        same = Remark("FromAsCasing", Severity.MEDIUM, "casing", 1)
        other = Remark("FromAsCasing", Severity.MEDIUM, "casing", 4)
        found = list(dockerfiles.findings(Source("A", b"", ("a", "b")), [same, other, same]))
        assert [(each.place, each.line) for each in found] == [("A", 1), ("A", 4)]
        assert len({each.fingerprint for each in found}) == 2

    def test_a_line_that_moves_is_no_news(self) -> None:
        before, after = (
            next(
                dockerfiles.findings(Source("A", b"", ("a",)), [Remark("X", Severity.LOW, "t", n)])
            )
            for n in (3, 9)
        )
        assert before.fingerprint == after.fingerprint

    def test_a_dockerfile_in_the_bake_file_has_the_lines_of_that(self) -> None:
        inline = Source("docker-bake.hcl", b"", ("c",), ahead=5)
        [found] = dockerfiles.findings(inline, [Remark("X", Severity.LOW, "why", 2)])
        assert (found.line, found.title) == (7, "why (the Dockerfile of c, line 2)")
        moved = Source("docker-bake.hcl", b"", ("c",), ahead=None)
        [found] = dockerfiles.findings(moved, [Remark("X", Severity.LOW, "why", 2)])
        assert (found.line, found.title) == (0, "why (the Dockerfile of c, line 2)")
