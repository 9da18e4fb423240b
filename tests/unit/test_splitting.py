"""What one bake call is to build: whole targets, or a target a platform on several nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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


def plan(*wanted: str, as_layouts: bool = True, nodes: int = 1, **more: Any) -> Plan:
    additions = Additions("shop", epoch=86400, **more)
    return splitting.plan(
        definition(), wanted, additions, FOLDER, as_layouts=as_layouts, nodes=nodes
    )


def outputs(made: Plan) -> dict[str, Any]:
    return {name: entry.get("output") for name, entry in made.overlay["target"].items()}


def test_one_node_builds_each_target_whole() -> None:
    made = plan("app", "tool")
    assert made.names == ("app", "tool")
    assert made.split == {}
    assert made.layouts == {
        "app": (FOLDER / "app",),
        "tool": (FOLDER / "tool",),
    }
    layout = {
        "type": "oci",
        "tar": "false",
        "dest": str(FOLDER / "app"),
        "rewrite-timestamp": "true",
        "source-date-epoch": "86400",
    }
    assert outputs(made)["app"] == [layout]
    assert outputs(made)["plain"] is None


def test_several_nodes_build_one_target_a_platform() -> None:
    made = plan("app", "tool", nodes=2)
    assert made.names == (*PARTS, "tool")
    assert made.parts("app") == PARTS
    assert made.parts("tool") == ("tool",)
    assert [path.name for path in made.layouts["app"]] == list(PARTS)
    entries = made.overlay["target"]
    for part, platform, layout in zip(PARTS, THREE, made.layouts["app"], strict=True):
        assert entries[part]["inherits"] == ["app"]
        assert entries[part]["platforms"] == [platform]
        assert entries[part]["output"][0]["dest"] == str(layout)
    assert "output" not in entries["app"], "nobody asks for the whole"
    assert entries["app"]["labels"] == {"dev.slipway.project": "shop"}, "what the parts inherit"


def test_platforms_of_the_settings_are_for_targets_that_name_none() -> None:
    made = plan("plain", "tool", nodes=2, platforms=dict.fromkeys(("plain", "tool"), THREE[:2]))
    assert made.names == ("plain--linux-amd64", "plain--linux-arm64", "tool")
    assert made.overlay["target"]["plain"]["platforms"] == THREE[:2]


def test_what_is_no_layout_goes_to_the_exporter_dated() -> None:
    made = plan("app", "plain", as_layouts=False, nodes=2)
    assert made.names == ("app", "plain")
    assert (made.layouts, made.split) == ({}, {})
    dated = [{"type": "docker", "source-date-epoch": "86400"}]
    assert outputs(made) == {"app": dated, "plain": dated, "tool": None}


DATE = {"source-date-epoch": "7"}
LOCAL = {"type": "local", "dest": "out"}
FILE = {"type": "docker", "dest": "image.tar"}


@pytest.mark.parametrize(
    ("given", "kind", "added"),
    [
        ([], "docker", True),
        ([], "image", True),
        ([{"type": "docker"}], "docker", False),
        ([{"type": "docker"}], "image", True),
        ([FILE], "docker", True),
        ([{"type": "image", "name": "x"}], "docker", True),
        ([{"type": "registry"}, {"type": "oci", "dest": "x.tar"}], "docker", True),
        ([{"type": "image"}], "image", False),
        ([LOCAL], "docker", False),
        ([LOCAL], "image", False),
    ],
)
def test_every_output_is_dated_and_also_what_bake_would_add(
    given: list[dict[str, str]], kind: str, added: bool
) -> None:
    """bake adds one to load or to push where the ones that it is given say nothing against it."""
    more = [{"type": kind}] if added else []
    assert exporting.dated(given, kind, 7) == [{**one, **DATE} for one in (*given, *more)]


def test_what_has_a_date_of_its_own_or_cannot_have_one_stays() -> None:
    for own in (
        [{"type": "oci", "source-date-epoch": "3"}],
        [{"type": "cacheonly"}],
        ["type=local"],
    ):
        assert exporting.dated(own, "image", 7) == own


def test_the_argument_of_a_target_is_its_date() -> None:
    document: dict[str, Any] = {"target": {"old": {"args": {"SOURCE_DATE_EPOCH": "3"}}, "new": {}}}
    known = definitions.parse(FOLDER, document)
    for as_layouts in (False, True):
        made = splitting.plan(
            known, ("old", "new"), Additions("shop", epoch=86400), FOLDER, as_layouts=as_layouts
        )
        dates = {name: out[0]["source-date-epoch"] for name, out in outputs(made).items()}
        assert dates == {"old": "3", "new": "86400"}


def test_parts_never_write_to_one_cache() -> None:
    where = {"type": "registry", "ref": "host/cache:app"}
    made = plan("app", nodes=2, caches={"app": Cache((where,), (where,))})
    written = [made.overlay["target"][part].get("cache-to") for part in PARTS]
    assert written == [None, [], []], "the first inherits it"
