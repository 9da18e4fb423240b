"""trivy's commands and answers, the gate's exceptions, and what a scan takes for an image."""

from __future__ import annotations

import datetime
import io
import json
import re
import tarfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from tasks.core.errors import OutOfReach
from tasks.core.journal.history import Failure
from tasks.core.proofs.policy import Accepted
from tasks.core.scanning import database, layouts, rego, scanner, stage, trivy
from tasks.core.scanning.findings import Severity
from tasks.core.scanning.layouts import NoLayout
from tasks.core.untrusted import Malformed
from tests.scanner import database as test_database
from tests.unit.test_startup import ROOT

if TYPE_CHECKING:
    from tasks.core.session import Session

DATA = Path(__file__).parents[1] / "data"
REPORT = (DATA / "trivy-image.json").read_bytes()
DAY = datetime.date(2026, 11, 24)


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(REPORT), **fields}).encode()


def test_a_report_becomes_findings_with_their_place() -> None:
    answer = trivy.answer(REPORT, "backend-production", "linux/amd64")
    assert (answer.packages, answer.system, answer.ended) == (4, "debian 12.15", False)
    [found] = answer.findings
    assert (found.rule, found.severity) == ("CVE-2099-0002", Severity.HIGH)
    assert (found.subject, found.fixed) == ("bash@5.2.15-2+b13", "99.0-1")
    assert (found.place, found.platform) == ("backend-production", "linux/amd64")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not valid JSON"),
        (b"[]", "not an object"),
        (changed(SchemaVersion=3), "schema '3', not 2"),
        (changed(Results=None), "did not scan the packages of 'debian 12.15'"),
        (changed(Results={}, Metadata=None), "not an array"),
        (changed(Results=[{"Class": "os-pkgs", "Vulnerabilities": [{}]}]), "VulnerabilityID"),
        (
            changed(Results=[{"Class": "os-pkgs", "Vulnerabilities": [{"VulnerabilityID": " "}]}]),
            "no VulnerabilityID",
        ),
    ],
)
def test_what_is_no_report_is_no_pass(content: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=re.escape(reason)):
        trivy.answer(content, "web", "")


def test_a_severity_that_nobody_knows_is_taken_for_a_grave_one() -> None:
    report = json.loads(REPORT)
    report["Results"][0]["Vulnerabilities"][0]["Severity"] = "APOCALYPTIC"
    [found] = trivy.answer(json.dumps(report).encode(), "web", "").findings
    assert found.severity is Severity.CRITICAL


def test_the_database_is_as_old_as_it_says() -> None:
    known = trivy.knowledge((DATA / "trivy-version.json").read_text())
    assert str(known).startswith("trivy 0.59.1, database of 2026-11-24")
    later = known.updated + datetime.timedelta(hours=30)
    assert known.age(later) == "the vulnerability database is 30 hours old"
    assert "renew it" in known.age(known.updated + datetime.timedelta(days=8))
    for said in ('{"Version": "0.59.1"}', '{"Version": "1", "VulnerabilityDB": {}}', "trivy 0.59"):
        with pytest.raises(Malformed):
            trivy.knowledge(said)


def test_a_scan_never_fetches_the_database_by_the_way() -> None:
    argv = trivy.image("trivy", "/c", "/i", "/r", trivy.Sources(offline=True))
    assert {"--skip-db-update", "--skip-java-db-update", "--offline-scan"} <= set(argv)
    argv = trivy.image("trivy", "/c", "/i", "/r", trivy.Sources(java_repository="host/java"))
    assert "--skip-db-update" in argv
    assert argv[argv.index("--java-db-repository") + 1] == "host/java"
    assert "--skip-java-db-update" not in argv


def test_a_failure_of_trivy_names_the_mend() -> None:
    assert "set TRIVY_DB" in str(scanner.failed(1, "no such host", updates=True))
    assert "java-db" in str(scanner.failed(1, "Unable to initialize the Java DB", updates=False))
    assert str(scanner.failed(2, "a\nb", updates=False)) == "trivy could not scan (exit 2): a b"


@pytest.mark.parametrize(
    "glob",
    [
        *("CVE-2021-23337", "CVE-2021-* lodash", "CVE-2021-23337 lodash@4.17.2?", "*", ""),
        *("CVE-[0-9]*", "CVE-[!0-9]*", "[", "a[b", "*[]]", "[!]]x", "x[a-c^]", "a.b", "\\d+"),
    ],
)
def test_a_glob_means_the_same_in_the_gate(glob: str) -> None:
    """RE2's language is part of Python's, in what is used of it here."""
    names = ("CVE-2021-23337", "CVE-2021-23337 lodash", "CVE-2021-23337 lodash@4.17.20")
    for name in (*names, "", "[", "a[b", "x]", "yx", "xb", "x^", "axb", "a.b", "12", "CVE-x\n"):
        expected = name == glob or fnmatchcase(name, glob)
        # RE2 has no \Z: its $ is the very end, as Python's \Z is.
        found = re.match(rego.pattern(glob).removesuffix("$") + r"\Z", name)
        assert bool(found) == expected, (glob, name)


def test_the_gate_gets_the_exceptions_of_its_scan_with_their_ends() -> None:
    mine = Accepted("scan.*", 'CVE-1 "x"', "not\ncalled", DAY)
    other = Accepted("scan.secrets", "CVE-2", "no", DAY)
    text = rego.policy([mine, other, mine])
    midnight = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC).timestamp()
    assert f"time.now_ns() < {int(midnight)}000000000" in text
    assert text.count("ignore if") == 1
    assert "# not called, until 2026-11-24\n" in text
    assert "CVE-2" not in text
    assert rego.policy([other]) == ""


@pytest.mark.parametrize(("code", "unable"), [(1, False), (33, True), (34, True), (133, False)])
def test_a_gate_that_could_not_scan_is_no_failed_build(code: int, unable: bool) -> None:
    line = "the build failed at [scan-on 2/2] RUN sh /scan.sh"
    for step in ("[scan-on 2/2] RUN sh /scan.sh", "[linux/arm64 scan-on 2/2] RUN sh /scan.sh"):
        error = stage.unable(Failure(step, f"exit code: {code}", ()), line)
        assert (error is not None) is unable
    assert stage.unable(Failure("[test 1/1] RUN scan-on", "exit code: 33", ()), line) is None


def test_both_services_have_the_same_gate() -> None:
    scripts = {(ROOT / name / "scripts/scan.sh").read_text() for name in ("frontend", "backend")}
    assert len(scripts) == 1
    steps = set()
    for path in (path for name in ("frontend", "backend") for path in (ROOT / name).glob("D*.*")):
        text = path.read_text()
        if not path.name.endswith("baseline") and path.suffix != ".dockerignore":
            [step] = re.findall(
                r"^FROM scratch AS trivy-db.*?AS vulnerabilities$", text, re.M | re.S
            )
            steps.add(re.sub(r"from=\w+,source=\S+,target=/scan/release", "", step))
            assert "--mount=type=bind,from=vulnerabilities,target=" in text
    assert len(steps) == 1


def archived(files: dict[str, bytes]) -> list[bytes]:
    spool = io.BytesIO()
    with tarfile.open(fileobj=spool, mode="w") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return [spool.getvalue()]


def image(*platforms: str) -> dict[str, bytes]:
    """The files of an OCI archive whose platforms share one layer."""
    files = {"oci-layout": b"{}"}

    def add(content: bytes) -> dict[str, Any]:
        digest = sha256(content).hexdigest()
        files[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}", "size": len(content), "mediaType": "x"}

    layer, listed = add(b"layer"), []
    for platform in platforms:
        system, architecture = platform.split("/")
        config = add(json.dumps({"os": system, "architecture": architecture}).encode())
        manifest = add(json.dumps({"config": config, "layers": [layer]}).encode())
        where = {"os": system, "architecture": architecture}
        kind = "application/vnd.oci.image.manifest.v1+json"
        listed.append({**manifest, "mediaType": kind, "platform": where})
    files["index.json"] = json.dumps({"manifests": listed}).encode()
    return files


def test_each_platform_can_be_made_the_only_one(tmp_path: Path) -> None:
    found = layouts.unpack(archived(image("linux/amd64", "linux/arm64")), tmp_path / "image")
    assert [one.platform for one in found] == ["linux/amd64", "linux/arm64"]
    for one in found:
        one.choose()
        [only] = json.loads((tmp_path / "image/index.json").read_text())["manifests"]
        assert only["digest"] == one.manifest.digest


def test_a_platform_that_is_not_all_there_is_left_out(tmp_path: Path) -> None:
    files = image("linux/amd64")
    layer = f"blobs/sha256/{sha256(b'layer').hexdigest()}"
    del files[layer]
    assert layouts.unpack(archived(files), tmp_path / "image") == ()
    files[layer] = b"other"
    with pytest.raises(Malformed, match="does not match its content"):
        layouts.unpack(archived(files), tmp_path / "other")


def test_nothing_is_written_but_blobs(tmp_path: Path) -> None:
    files = {**image("linux/amd64"), "../outside": b"x", "/tmp/x": b"x", "blobs/sha256/..": b"x"}
    layouts.unpack(archived(files), tmp_path / "image")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent.name for path in written} == {"sha256"}
    with pytest.raises(NoLayout):
        layouts.unpack(archived({"manifest.json": b"[]"}), tmp_path / "docker")
    with pytest.raises(Malformed):
        layouts.unpack([b"x" * 700], tmp_path / "none")


@dataclass(frozen=True)
class Settings:
    """As much of a session as finding a database takes."""

    settings: dict[str, str]


def loaded(folder: Path) -> dict[str, Path]:
    session = cast("Session", Settings({"TRIVY_DB": str(folder)}))
    return dict(database.loaded(session))


def test_a_database_is_a_cache_of_trivys_or_its_own_folder(tmp_path: Path) -> None:
    made = test_database.write(tmp_path)
    assert loaded(made) == {"db": made / "db", "java-db": made / "java-db"}
    assert loaded(made / "db") == {"db": made / "db"}
    database.demand(made)


def test_a_folder_without_a_database_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "trivy.db").write_bytes(b"half of it")
    with pytest.raises(OutOfReach, match=r"does not hold trivy.db and metadata.json"):
        loaded(tmp_path)
    with pytest.raises(OutOfReach, match="there is no vulnerability database in"):
        database.demand(tmp_path)


def test_a_member_of_any_size_is_refused_at_once(tmp_path: Path) -> None:
    member = tarfile.TarInfo("x")
    member.size = 2**62
    with pytest.raises(Malformed, match="unpacks to more than"):
        layouts.unpack([member.tobuf(tarfile.GNU_FORMAT) + bytes(5000)], tmp_path / "layout")
