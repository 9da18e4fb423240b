"""SBOMs as syft writes them, what buildx reads back, and where they go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.errors import UsageError
from tasks.core.render import attached as attached_table
from tasks.core.scanning import attached, boms
from tasks.core.scanning.boms import CYCLONEDX, SPDX, Bom
from tasks.core.untrusted import Malformed

DATA = Path(__file__).parents[1] / "data" / "scans"
SPDX_TEXT = (DATA / "syft-spdx.json").read_text()
CYCLONEDX_TEXT = (DATA / "syft-cyclonedx.json").read_text()
ATTACHED = (DATA / "attached.json").read_text()


def bom(name: str = "web", platform: str = "linux/arm/v7") -> Bom:
    return Bom(name, platform, "{}", 3, "syft 1")


class TestPackages:
    def test_the_image_itself_and_its_files_are_no_packages(self) -> None:
        assert boms.packages(SPDX_TEXT, SPDX) == 3
        listed = json.loads(CYCLONEDX_TEXT)["components"]
        assert {each["type"] for each in listed} > {"operating-system"}
        assert boms.packages(CYCLONEDX_TEXT, CYCLONEDX) == len(listed) - 1

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"spdxVersion": 2}', '{"bomFormat": "x"}'])
    @pytest.mark.parametrize("format_", [SPDX, CYCLONEDX])
    def test_what_is_no_sbom(self, text: str, format_: str) -> None:
        with pytest.raises(Malformed):
            boms.packages(text, format_)


class TestWrite:
    def test_several_need_a_folder(self, tmp_path: Path) -> None:
        both = [bom(), bom("web", "linux/amd64")]
        with pytest.raises(UsageError, match="2 SBOMs cannot go to one place"):
            boms.write(both, SPDX, str(tmp_path / "one.json"))
        boms.write(both, SPDX, str(tmp_path))
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "web.linux-amd64.spdx.json",
            "web.linux-arm-v7.spdx.json",
        ]

    def test_no_name_leads_out_of_the_folder(self) -> None:
        named = boms.filename(bom("../../etc/x:1", ""), CYCLONEDX)
        assert "/" not in named
        assert named.endswith("etc-x-1.cdx.json")

    def test_options(self) -> None:
        with pytest.raises(UsageError, match="either --target or --image"):
            boms.wish(["a"], "b", "", SPDX)
        with pytest.raises(UsageError, match="--sbom-format 'spdx' is not one of spdx-json"):
            boms.wish([], "b", "", "spdx")


class TestAttached:
    def test_each_platform_has_its_own(self) -> None:
        amd, arm = attached.parse(ATTACHED)
        assert (amd.platform, arm.platform) == ("linux/amd64", "linux/arm64")
        assert amd.digest != arm.digest
        assert amd.packages == arm.packages == 3
        assert amd.sbom["spdxVersion"] == "SPDX-2.3"
        assert any("node@22-bookworm-slim" in each for each in amd.materials)

    def test_nothing_attached_is_said(self) -> None:
        document = {**json.loads(ATTACHED), "sbom": {}, "provenance": None}
        found = attached.parse(json.dumps(document))
        assert "none" in attached_table.render("x", found, "text")
        assert json.loads(attached_table.render("x", found, "json"))["platforms"][0]["sbom"] is None

    def test_an_image_for_one_platform_alone(self) -> None:
        document = json.loads(ATTACHED)
        document["manifest"].pop("manifests")
        document["sbom"] = document["sbom"]["linux/amd64"]
        [found] = attached.parse(json.dumps(document))
        assert (found.platform, found.packages) == ("", 3)

    @pytest.mark.parametrize(
        "text", ["", "{}", '{"manifest": {}}', '{"manifest": {"digest": "x"}}']
    )
    def test_what_makes_no_sense(self, text: str) -> None:
        with pytest.raises(Malformed):
            attached.parse(text)
