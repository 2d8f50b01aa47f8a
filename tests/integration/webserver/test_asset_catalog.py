"""The catalog and the lineage graph: filters, the selection language, and what is told of a mistake in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import places
from tests.integration.webserver.conftest import Running, problems, publish

from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.partitions import MultiPartitions, Partitions, StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetSnapshot, LocationSnapshot

pytestmark = pytest.mark.integration
START = datetime(2013, 1, 1, tzinfo=UTC)


@pytest.fixture
def owned(store: Engine) -> None:
    flights = places.flights()
    assets = [
        replace(one, owners=("team:data",), tags={"tier": "1", "pii": ""}) if one.key == AssetKey("carriers") else one
        for one in flights.assets
    ]
    publish(store, replace(flights, assets=tuple(assets)))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"owner": "team:data"}, ["carriers"]),
        ({"tag": "tier=1"}, ["carriers"]),
        ({"tag": "tier"}, ["carriers"]),
        ({"tag": "tier=2"}, []),
        ({"location": "twin"}, ["elsewhere"]),
        ({"selection": "+stats"}, ["carriers", "raw/flights", "stats"]),
        ({"selection": "+stats and not group:stats", "kind": "duckdb"}, ["raw/flights"]),
        ({"selection": "tag:tier=1 or raw/*"}, ["carriers", "raw/flights"]),
    ],
)
def test_filters(owned: None, api: httpx.Client, wanted: dict[str, Any], found: list[str]) -> None:
    answer = api.get("/assets", params=wanted).json()
    assert [one["key"] for one in answer["items"]] == found
    assert answer["total"] == len(found)
    assert (answer["owners"], answer["tags"], answer["locations"]) == (["team:data"], ["pii", "tier=1"], ["flights", "twin"])


def test_the_graph_of_a_selection(api: httpx.Client) -> None:
    answer = api.get("/lineage", params={"selection": "carriers+"}).json()
    assert [one["key"] for one in answer["nodes"]] == ["carriers", "stats"]
    assert answer["edges"] == [{"upstream": "carriers", "downstream": "stats"}]


def test_a_mistake_is_told_with_its_place(api: httpx.Client, server: Running) -> None:
    for path in ("/assets", "/lineage"):
        assert "at character 7" in problems(api.get(path, params={"selection": "group:"}))["selection"]["message"]
        unknown = problems(api.get(path, params={"selection": "+statz"}))["selection"]
        assert unknown["suggestion"] == "stats"
        page = httpx.get(
            f"{server.url}{path}", params={"selection": "group:"}, headers={"Accept": "text/html"}, trust_env=False, timeout=60
        )
        assert page.status_code == 200
        assert "at character 7" in page.text
        assert 'aria-invalid="true"' in page.text
        assert "carriers" in page.text  # everything is shown beside it


def heat(api: httpx.Client, key: str, **ends: str) -> dict[str, Any]:
    answer = api.get(f"/assets/{key}/partitions/heat", params=ends)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_heat_map_is_looked_into(store: Engine, api: httpx.Client) -> None:
    minutes = TimeWindowPartitions(cron="* * * * *", format="%Y-%m-%d-%H:%M", start=START, end=START + timedelta(minutes=1_000_000))
    publish(store, one_asset(minutes))
    for minute in ("2013-01-01-00:00", "2013-01-01-00:01", "2014-01-01-00:00"):
        api.post("/assets/many/materializations", json={"partition": minute})
    whole = heat(api, "many")
    (row,) = whole["rows"]
    assert (whole["total"], whole["shown"], whole["zoomed"]) == (1_000_000, 1_000_000, False)
    assert len(row["cells"]) <= 366
    made = [cell for cell in row["cells"] if cell["status"] == "PARTIAL"]
    assert [cell["counts"] for cell in made] == [{"MATERIALIZED": 2}, {"MATERIALIZED": 1}]
    assert sum(cell["count"] for cell in row["cells"]) == 1_000_000
    while row["cells"][0]["count"] > 1:
        part = heat(api, "many", first=row["cells"][0]["first"], last=row["cells"][0]["last"])
        assert part["zoomed"]
        (row,) = part["rows"]
    assert [cell["status"] for cell in row["cells"][:3]] == ["MATERIALIZED", "MATERIALIZED", "MISSING"]


def test_a_heat_map_of_two_dimensions(store: Engine, api: httpx.Client) -> None:
    regions = StaticPartitions(keys=tuple(f"r{number:03}" for number in range(200)))
    publish(store, one_asset(MultiPartitions(dimensions=(("day", places.DAILY), ("region", regions)))))
    for key in ("2013-01-02|r001", "2013-01-02|r003", "2013-12-31|r199"):
        assert api.post("/assets/many/materializations", json={"partition": key}).status_code == 201
    whole = heat(api, "many")
    assert (whole["dimensions"], whole["total"]) == (["day", "region"], 365 * 200)
    assert sum(cell["count"] for row in whole["rows"] for cell in row["cells"]) == 365 * 200
    assert sum(cell["counts"].get("MATERIALIZED", 0) for row in whole["rows"] for cell in row["cells"]) == 3
    part = heat(api, "many", first="2013-01-01|r000", last="2013-01-03|r003")
    shape = [(row["label"], [cell["status"] for cell in row["cells"]]) for row in part["rows"]]
    none, made = "MISSING", "MATERIALIZED"
    assert shape == [("2013-01-01", [none] * 4), ("2013-01-02", [none, made, none, made]), ("2013-01-03", [none] * 4)]
    assert part["rows"][1]["cells"][3]["first"] == "2013-01-02|r003"
    assert "first" in problems(api.get("/assets/many/partitions/heat", params={"first": "never|r000"}))
    assert api.get("/assets/carriers/partitions/heat").status_code == 404


def test_results_of_a_check(api: httpx.Client, server: Running) -> None:
    for number in range(3):
        api.post("/assets/stats/checks/row_count/evaluations", json={"passed": number != 1, "metadata": {"rows": number}})
    path = "/assets/stats/checks/row_count/evaluations"
    newest = api.get(path, params={"limit": 2}).json()
    rest = api.get(path, params={"limit": 2, "cursor": newest["next_cursor"]}).json()
    assert [one["passed"] for one in (*newest["items"], *rest["items"])] == [True, False, True]
    assert rest["next_cursor"] is None
    page = httpx.get(f"{server.url}/assets/stats?tab=checks", headers={"Accept": "text/html"}, trust_env=False, timeout=60).text
    assert "3 newest results of row_count" in page
    assert 'data-plot="check-1-1"' in page


def one_asset(partitions: Partitions) -> LocationSnapshot:
    many = AssetSnapshot(key=AssetKey("many"), op_name="many", partitions=partitions)
    return LocationSnapshot(location=LocationName("flights"), dagwright_version="0", python_version="3", assets=(many,))


def test_ten_thousand_assets_are_one_small_page(store: Engine, server: Running) -> None:
    def one(number: int) -> AssetSnapshot:
        deps = (AssetDepSnapshot(key=AssetKey(f"a{number - 500}")),) if number >= 500 else ()
        return AssetSnapshot(key=AssetKey(f"a{number}"), op_name=f"a{number}", group=f"g{number // 500:02}", deps=deps)

    assets = tuple(one(number) for number in range(10_000))
    publish(store, LocationSnapshot(location=LocationName("flights"), dagwright_version="0", python_version="3", assets=assets))
    page = httpx.get(f"{server.url}/lineage", headers={"Accept": "text/html"}, trust_env=False, timeout=60).text
    found = re.search(r'id="lineage-graph">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    graph = json.loads(found.group(1))
    assert 'data-by="group"' in page
    place = graph["keys"].index("a3600")
    assert graph["groups"][graph["group"][place]] == "g07"
    assert graph["statuses"][graph["status"][place]]["status"] == "MISSING"
    pairs = zip(graph["edges"][::2], graph["edges"][1::2], strict=True)
    assert (graph["keys"].index("a3100"), place) in set(pairs)
    assert len(page) < 700_000
