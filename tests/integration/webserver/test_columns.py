"""The columns of an asset with their lineage, and where its code is: REST and its page."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver.conftest import Running, publish

from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.metadata import JsonMetadataValue, MetadataValue, TableColumn, TableColumnConstraints, TableSchema
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetSnapshot, LocationSnapshot

pytestmark = pytest.mark.integration
CHAIN = ("a", "b", "c", "d", "e")


def lineage(deps: Mapping[str, list[tuple[str, str]]]) -> dict[str, Any]:
    listed = {column: [{"asset_key": key, "column_name": name} for key, name in sources] for column, sources in deps.items()}
    return {"type": "table_column_lineage", "raw_value": {"deps_by_column": listed}}


def asset(key: str, *deps: str, metadata: Mapping[str, MetadataValue] | None = None) -> AssetSnapshot:
    listed = tuple(AssetDepSnapshot(key=AssetKey(dep)) for dep in deps)
    return AssetSnapshot(key=AssetKey(key), op_name=key, deps=listed, metadata=metadata or {})


@pytest.fixture
def chain(store: Engine, api: httpx.Client) -> None:
    """a -> b -> c -> d -> e, of which each has a column x made of the one before, and c a column of its own."""
    schema = TableSchema(
        [TableColumn("x", "int", "a number", TableColumnConstraints(nullable=False, unique=True)), TableColumn("own", "text")]
    )
    said = {"c": {"schema": MetadataValue.table_schema(schema)}}
    assets = tuple(asset(key, *CHAIN[max(0, n - 1) : n], metadata=said.get(key)) for n, key in enumerate(CHAIN))
    publish(store, LocationSnapshot(location=LocationName("flights"), dagwright_version="0", python_version="3", assets=assets))
    for above, key in itertools.pairwise(CHAIN):
        deps = {"x": [(above, "x")]} | ({"y": [(above, "y")]} if key == "b" else {})
        answer = api.post(f"/assets/{key}/materializations", json={"metadata": {"columns": lineage(deps)}})
        assert answer.status_code == 201, answer.text


def edges(api: httpx.Client, key: str, depth: int) -> list[str]:
    found = api.get(f"/assets/{key}/columns", params={"depth": depth}).json()["edges"]
    return ["{upstream[asset]}.{upstream[column]}>{downstream[asset]}.{downstream[column]}".format(**edge) for edge in found]


def test_columns(chain: None, api: httpx.Client) -> None:
    found = api.get("/assets/c/columns").json()
    assert found["columns"] == [
        {
            "name": "x",
            "type": "int",
            "description": "a number",
            "constraints": ["not null", "unique"],
            "tags": {},
            "upstream": [{"asset": "b", "column": "x"}],
        },
        {"name": "own", "type": "text", "description": None, "constraints": [], "tags": {}, "upstream": []},
    ]


def test_lineage_of_columns(chain: None, api: httpx.Client) -> None:
    assert edges(api, "c", 1) == ["b.x>c.x", "c.x>d.x"]
    # What b makes of a's y does not concern c.
    assert edges(api, "c", 2) == ["a.x>b.x", "b.x>c.x", "c.x>d.x", "d.x>e.x"]
    assert edges(api, "b", 1) == ["a.x>b.x", "a.y>b.y", "b.x>c.x"]
    assert edges(api, "c", 0) == []


def test_what_has_no_columns(chain: None, api: httpx.Client, server: Running) -> None:
    assert api.get("/assets/a/columns", params={"depth": 0}).json() == {"key": "a", "columns": [], "edges": [], "cut": False}
    assert api.get("/assets/nothing/columns").status_code == 404
    assert api.get("/assets/c/columns", params={"depth": 99}).status_code == 422
    assert "tab=columns" not in page(server, "/assets/a")


def test_the_page_of_columns(chain: None, server: Running) -> None:
    assert "tab=columns" in page(server, "/assets/c")
    text = page(server, "/assets/c?tab=columns")
    assert "not null, unique" in text
    assert '["b", "c", "x", "x"]' in text


def page(server: Running, path: str) -> str:
    answer = httpx.get(f"{server.url}{path}", headers={"Accept": "text/html"}, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_code_references(store: Engine, api: httpx.Client, server: Running) -> None:
    listed = [
        {"kind": "url", "url": "https://github.com/me/project/tree/main/assets.py#L3", "label": "assets.py"},
        {"kind": "url", "url": "javascript:alert(1)", "label": "bad"},
        {"kind": "file", "file_path": "/app/assets.py", "line_number": 3, "label": None},
        "nonsense",
    ]
    metadata = {"dagwright/code_references": JsonMetadataValue({"code_references": listed}), "note": MetadataValue.text("kept")}
    one = asset("linked", metadata=metadata)
    publish(store, LocationSnapshot(location=LocationName("flights"), dagwright_version="0", python_version="3", assets=(one,)))
    found = api.get("/assets/linked").json()["code_references"]
    assert [(each["url"], each["file"], each["line"]) for each in found][2] == (None, "/app/assets.py", 3)
    assert len(found) == 3
    text = page(server, "/assets/linked")
    assert 'href="https://github.com/me/project/tree/main/assets.py#L3"' in text
    assert 'href="javascript' not in text
    assert "/app/assets.py:3" in text
    assert "kept" in text
    assert "dagwright/code_references" not in text
