"""What one bake call is to build: whole targets, or a target a platform on several nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.core.bake import definitions, exporting, splitting
from tasks.core.bake.caching import Cache
from tasks.core.bake.definitions import Definition
from tasks.core.bake.overlay import Additions
from tasks.core.bake.splitting import Plan

FOLDER = Path("/nowhere")
THREE = ("linux/amd64", "linux/arm64", "linux/arm/v7")
PARTS = ("app--linux-amd64", "app--linux-arm64", "app--linux-arm-v7")


def definition() -> Definition:
    document: dict[str, Any] = {
        "target": {
            "app": {"platforms": list(THREE), "tags": ["host/app:1"]},
            "tool": {"platforms": ["linux/arm64"]},
            "plain": {"tags": ["plain:1"]},
        }
    }
    return definitions.parse(FOLDER, document)


def plan(*wanted: str, archived: bool = True, nodes: int = 1, **more: Any) -> Plan:
    additions = Additions("shop", epoch=86400, **more)
    return splitting.plan(definition(), wanted, additions, FOLDER, archived=archived, nodes=nodes)


def outputs(made: Plan) -> dict[str, Any]:
    return {name: entry.get("output") for name, entry in made.overlay["target"].items()}


def test_one_node_builds_each_target_whole() -> None:
    made = plan("app", "tool")
    assert made.names == ("app", "tool")
    assert made.split == {}
    assert made.archives == {
        "app": (FOLDER / "app.part.tar",),
        "tool": (FOLDER / "tool.part.tar",),
    }
    archive = {
        "type": "oci",
        "dest": str(FOLDER / "app.part.tar"),
        "rewrite-timestamp": "true",
        "source-date-epoch": "86400",
    }
    assert outputs(made)["app"] == [archive]
    assert outputs(made)["plain"] is None


def test_several_nodes_build_one_target_a_platform() -> None:
    made = plan("app", "tool", nodes=2)
    assert made.names == (*PARTS, "tool")
    assert made.parts("app") == PARTS
    assert made.parts("tool") == ("tool",)
    assert [path.name for path in made.archives["app"]] == [f"{part}.part.tar" for part in PARTS]
    entries = made.overlay["target"]
    for part, platform, archive in zip(PARTS, THREE, made.archives["app"], strict=True):
        assert entries[part]["inherits"] == ["app"]
        assert entries[part]["platforms"] == [platform]
        assert entries[part]["output"][0]["dest"] == str(archive)
    assert "output" not in entries["app"], "nobody asks for the whole"
    assert entries["app"]["labels"] == {"dev.slipway.project": "shop"}, "what the parts inherit"


def test_platforms_of_the_settings_are_for_targets_that_name_none() -> None:
    made = plan("plain", "tool", nodes=2, platforms=dict.fromkeys(("plain", "tool"), THREE[:2]))
    assert made.names == ("plain--linux-amd64", "plain--linux-arm64", "tool")
    assert made.overlay["target"]["plain"]["platforms"] == THREE[:2]


def test_what_is_not_archived_goes_to_the_exporter_dated() -> None:
    made = plan("app", "plain", archived=False, nodes=2)
    assert made.names == ("app", "plain")
    assert (made.archives, made.split) == ({}, {})
    dated = [{"type": "docker", "source-date-epoch": "86400"}]
    assert outputs(made) == {"app": dated, "plain": dated, "tool": None}


def test_outputs_of_the_bake_file_are_kept_and_only_images_are_dated() -> None:
    given = [{"type": "local", "dest": "out"}, {"type": "image", "name": "x"}, "type=cacheonly"]
    assert exporting.dated(given, "docker", 7) == [
        {"type": "local", "dest": "out"},
        {"type": "image", "name": "x", "source-date-epoch": "7"},
        "type=cacheonly",
    ]
    own = [{"type": "oci", "source-date-epoch": "3"}]
    assert exporting.dated(own, "docker", 7) == own


def test_parts_never_write_to_one_cache() -> None:
    where = {"type": "registry", "ref": "host/cache:app"}
    made = plan("app", nodes=2, caches={"app": Cache((where,), (where,))})
    written = [made.overlay["target"][part].get("cache-to") for part in PARTS]
    assert written == [None, [], []], "the first inherits it"
