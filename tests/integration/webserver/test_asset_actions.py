"""What people and other systems do to assets by REST: report, wipe, add partitions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import places
from tests.integration.webserver.conftest import Running, problems, publish

from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.partitions import DynamicPartitions
from dagwright_shared.model.snapshot import AssetSnapshot

pytestmark = pytest.mark.integration
ROWS = {"rows": 842, "note": {"type": "md", "raw_value": "**good**"}}


@pytest.fixture
def customers(store: Engine) -> None:
    flights = places.flights()
    added = AssetSnapshot(key=AssetKey("orders"), op_name="orders", partitions=DynamicPartitions(name="customers"))
    publish(store, replace(flights, assets=(*flights.assets, added)))


def report(api: httpx.Client, key: str, **body: Any) -> httpx.Response:
    return api.post(f"/assets/{key}/materializations", json=body)


def test_a_materialization_is_reported(api: httpx.Client) -> None:
    answer = report(api, "outside", metadata=ROWS, description="by hand", data_version="7")
    assert answer.status_code == 201, answer.text
    assert answer.json()["type"] == "ASSET_MATERIALIZED"
    shown = api.get("/assets/outside").json()
    assert shown["summary"]["status"] == "MATERIALIZED"
    assert shown["summary"]["run_id"] is None
    assert (shown["latest"]["run_id"], shown["latest"]["data_version"]) == (None, "7")
    assert shown["latest"]["metadata"] == {"rows": {"type": "int", "raw_value": 842}, "note": {"type": "md", "raw_value": "**good**"}}
    assert [plot["label"] for plot in shown["plots"]] == ["rows"]


def test_a_report_is_made_once_for_each_key(api: httpx.Client) -> None:
    both = [api.post("/assets/carriers/observations", json={}, headers={"Idempotency-Key": "a"}) for _ in range(2)]
    assert both[0].json() == both[1].json()
    assert [one["type"] for one in api.get("/assets/carriers/materializations").json()["items"]] == ["ASSET_OBSERVED"]


def test_a_check_is_reported(api: httpx.Client) -> None:
    answer = api.post("/assets/stats/checks/row_count/evaluations", json={"passed": False, "metadata": ROWS, "partition": "2013-01-02"})
    assert answer.status_code == 201, answer.text
    shown = api.get("/assets/stats").json()
    assert shown["summary"]["status"] == "CHECK_FAILED"
    (check,) = shown["checks"]
    assert (check["passed"], check["blocking"], check["run_id"], check["partition"]) == (False, True, None, "2013-01-02")
    assert api.post("/assets/stats/checks/row_cuont/evaluations", json={"passed": True}).json()["suggestion"] == "row_count"
    assert "passed" in problems(api.post("/assets/stats/checks/row_count/evaluations", json={"passed": "yes"}))


@pytest.mark.parametrize(
    ("key", "body", "where"),
    [
        ("raw/flights", {}, "partition"),
        ("raw/flights", {"partition": "2013-13-01"}, "partition"),
        ("carriers", {"partition": "x"}, "partition"),
        ("carriers", {"metadata": {"a": {"type": "int", "raw_value": "one"}}}, "metadata.a"),
        ("carriers", {"metadata": {"a": {"type": "tabel", "raw_value": 1}}}, "metadata.a"),
        ("carriers", {"metadata": {"a": {"type": "table", "raw_value": 1}}}, "metadata.a"),
        ("carriers", {"description": "a\x00b"}, "description"),
        ("carriers", {"metdata": {}}, "metdata"),
    ],
)
def test_what_cannot_be_reported(api: httpx.Client, key: str, body: dict[str, Any], where: str) -> None:
    assert where in problems(report(api, key, **body))


def test_reports_of_what_is_not_defined(api: httpx.Client) -> None:
    answer = report(api, "cariers")
    assert (answer.status_code, answer.json()["suggestion"]) == (404, "carriers")


def test_an_asset_is_wiped(api: httpx.Client) -> None:
    report(api, "carriers", metadata=ROWS)
    assert api.post("/assets/carriers/wipe", json={"partitions": "all"}).json() == {"asset": "carriers", "partitions": 1}
    shown = api.get("/assets/carriers").json()
    assert (shown["summary"]["status"], shown["latest"], shown["history"], shown["plots"]) == ("MISSING", None, [], [])
    report(api, "carriers")
    again = api.get("/assets/carriers").json()
    assert (again["summary"]["status"], len(again["history"])) == ("MATERIALIZED", 1)


def test_partitions_are_wiped(api: httpx.Client) -> None:
    days = ["2013-01-01", "2013-01-02", "2013-01-03", "2013-01-04"]
    for day in days:
        report(api, "raw/flights", partition=day)

    def ranges() -> list[tuple[str, str]]:
        found = api.get("/assets/raw/flights/partitions").json()["ranges"]
        return [(one["first"], one["last"]) for one in found if one["status"] == "MATERIALIZED"]

    assert ranges() == [("2013-01-01", "2013-01-04")]  # and what is remembered must follow the wipes
    assert api.post("/assets/raw/flights/wipe", json={"partitions": ["2013-01-02", "2013-06-01"]}).json()["partitions"] == 1
    assert ranges() == [("2013-01-01", "2013-01-01"), ("2013-01-03", "2013-01-04")]
    assert api.post("/assets/raw/flights/wipe", json={"partitions": {"start": "2013-01-03", "end": "2013-12-31"}}).json()["partitions"] == 2
    assert ranges() == [("2013-01-01", "2013-01-01")]
    assert [one["partition"] for one in api.get("/assets/raw/flights/materializations").json()["items"]] == ["2013-01-01"]


def test_what_cannot_be_wiped(api: httpx.Client) -> None:
    assert "partitions" in problems(api.post("/assets/carriers/wipe", json={"partitions": ["a"]}))
    assert "partitions" in problems(api.post("/assets/carriers/wipe", json={}))
    assert "partitions" in problems(api.post("/assets/raw/flights/wipe", json={"partitions": {"start": "2013-01-03", "end": "never"}}))
    assert api.post("/assets/carrier/wipe", json={"partitions": "all"}).status_code == 404


def test_dynamic_partitions(api: httpx.Client, customers: None) -> None:
    assert api.get("/dynamic-partitions").json()["items"] == [{"name": "customers", "count": 0, "assets": ["orders"]}]
    added = api.post("/dynamic-partitions/customers", json={"keys": ["acme", "globex", "acme"]})
    assert (added.status_code, added.json()) == (201, {"name": "customers", "added": ["acme", "globex"]})
    assert api.get("/assets/orders/partitions").json()["total"] == 2
    first = api.get("/dynamic-partitions/customers", params={"limit": 1}).json()
    rest = api.get("/dynamic-partitions/customers", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [one["key"] for one in (*first["items"], *rest["items"])] == ["globex", "acme"]
    assert rest["next_cursor"] is None
    assert api.delete("/dynamic-partitions/customers", params={"key": ["acme", "unknown"]}).json()["deleted"] == 1
    missing = api.delete("/dynamic-partitions/customers", params={"key": ["globx"]})
    assert (missing.status_code, missing.json()["suggestion"]) == (404, "globex")
    assert api.post("/dynamic-partitions/custmers", json={"keys": ["a"]}).json()["suggestion"] == "customers"
    assert "keys[1]" in problems(api.post("/dynamic-partitions/customers", json={"keys": ["a", "a...b"]}))


class TestDagstersForm:
    @pytest.fixture
    def client(self, server: Running) -> Any:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            yield client

    def test_materializations(self, client: httpx.Client, api: httpx.Client) -> None:
        by_path = client.post("/report_asset_materialization/raw/flights", json={"partition": "2013-01-01", "metadata": {"rows": 1}})
        assert (by_path.status_code, by_path.json()) == (200, {})
        asked = {"asset_key": '["raw", "flights"]', "partition": "2013-01-02", "metadata": '{"rows": 2}', "data_version": "2"}
        assert client.post("/report_asset_materialization/", params=asked).json() == {}
        body = {"asset_key": ["raw", "flights"], "partition": "2013-01-03", "metadata": {"rows": 3}, "unknown": 1}
        assert client.post("/report_asset_materialization/", json=body, params={"partition": "2013-01-09"}).json() == {}
        history = api.get("/assets/raw/flights/materializations").json()["items"]
        assert [(one["partition"], one["metadata"]["rows"]["raw_value"]) for one in history] == [
            ("2013-01-03", 3), ("2013-01-02", 2), ("2013-01-01", 1),
        ]  # fmt: skip
        assert history[1]["data_version"] == "2"

    def test_observations_and_checks(self, client: httpx.Client, api: httpx.Client) -> None:
        assert client.post("/report_asset_observation/carriers", params={"data_version": "1", "description": "seen"}).json() == {}
        asked = {"check_name": "row_count", "passed": "false", "severity": "WARN", "metadata": json.dumps({"rows": 0})}
        assert client.post("/report_asset_check/stats", params=asked).json() == {}
        (check,) = api.get("/assets/stats").json()["checks"]
        assert (check["passed"], check["severity"]) == (False, "WARN")

    def test_assets_that_nothing_defines(self, client: httpx.Client, api: httpx.Client, store: Engine) -> None:
        assert api.get("/assets/lake/new").status_code == 404
        sent = {"partition": "a|b", "metadata": {"rows": 5}, "description": "from afar"}
        assert client.post("/report_asset_materialization/lake/new", json=sent).json() == {}
        assert client.post("/report_asset_observation/lake/new", params={"data_version": "2"}).json() == {}
        assert client.post("/report_asset_check/lake/new", json={"check_name": "any", "passed": False}).json() == {}
        assert client.post("/report_asset_check/carriers", json={"check_name": "also_any", "passed": True}).json() == {}
        view = api.get("/assets/lake/new").json()
        assert (view["defined"], view["summary"]["execution"], view["latest"]["partition"]) == (False, "external", "a|b")
        assert [(one["name"], one["passed"], one["defined"]) for one in view["checks"]] == [("any", False, False)]
        assert [one["type"] for one in api.get("/assets/lake/new/materializations").json()["items"]] == [
            "ASSET_OBSERVED",
            "ASSET_MATERIALIZED",
        ]
        for tab in ("overview", "plots", "checks", "history"):
            page = client.get(f"/assets/lake/new?tab={tab}")
            assert (page.status_code, "not defined" in page.text) == (200, True), tab
        assert report(api, "lake/new", metadata=ROWS).status_code == 201
        assert api.post("/assets/lake/new/materialize").status_code == 404

        flights = places.flights()
        publish(store, replace(flights, assets=(*flights.assets, AssetSnapshot(key=AssetKey(["lake", "new"]), op_name="lake__new"))))
        now = api.get("/assets/lake/new").json()
        assert (now["defined"], now["latest"]["metadata"]["rows"]["raw_value"]) == (True, 842)

        publish(store, flights)
        assert api.post("/assets/lake/new/wipe", json={"partitions": "all"}).json()["partitions"] == 2
        assert api.get("/assets/lake/new").status_code == 404

    @pytest.mark.parametrize(
        ("path", "sent"),
        [
            ("/report_asset_materialization/", {}),
            ("/report_asset_materialization/", {"params": {"asset_key": "[1]"}}),
            ("/report_asset_materialization/carriers", {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
            ("/report_asset_materialization/carriers", {"content": b"[]", "headers": {"Content-Type": "application/json"}}),
            ("/report_asset_materialization/carriers", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
            ("/report_asset_materialization/carriers", {"params": {"metadata": "{"}}),
            ("/report_asset_materialization/carriers", {"json": {"metadata": 3}}),
            ("/report_asset_materialization/a%E2%80%8Bb", {}),
            (f"/report_asset_materialization/{'a' * 1001}", {}),
            ("/report_asset_check/stats", {"json": {"check_name": "row_count"}}),
            ("/report_asset_check/stats", {"json": {"passed": True}}),
            ("/report_asset_check/stats", {"json": {"check_name": "row_count", "passed": True, "severity": "BAD"}}),
        ],
    )
    def test_refusals(self, client: httpx.Client, path: str, sent: dict[str, Any]) -> None:
        answer = client.post(path, **sent)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]


def test_the_history_by_what_happened(api: httpx.Client, server: Running) -> None:
    for kind in ("materializations", "observations", "materializations"):
        assert api.post(f"/assets/carriers/{kind}", json={"description": kind}).status_code == 201
    found = api.get("/assets/carriers/materializations", params={"type": "ASSET_OBSERVED"}).json()["items"]
    assert [(one["type"], one["description"]) for one in found] == [("ASSET_OBSERVED", "observations")]
    assert len(api.get("/assets/carriers/materializations").json()["items"]) == 3
    assert api.get("/assets/carriers/materializations", params={"type": "NOTHING"}).status_code == 422
    page = httpx.get(f"{server.url}/assets/carriers?tab=history&type=ASSET_OBSERVED", trust_env=False, timeout=60).text
    assert page.count("<time") < httpx.get(f"{server.url}/assets/carriers?tab=history", trust_env=False, timeout=60).text.count("<time")


def test_plots_over_partitions_and_over_time(api: httpx.Client, server: Running) -> None:
    for day, rows in (("2013-01-02", 2), ("2013-01-01", 1), ("2013-01-02", 3)):
        report(api, "stats", partition=day, metadata={"rows": rows})
    values = {over: [[point["value"] for point in plot["points"]] for plot in plots(api, over)] for over in ("partition", "time")}
    assert values == {"partition": [[1.0, 3.0]], "time": [[2.0, 1.0, 3.0]]}
    assert plots(api, None) == plots(api, "partition")
    assert api.get("/assets/stats/plots", params={"over": "all"}).status_code == 422
    page = httpx.get(f"{server.url}/assets/stats?tab=plots&over=time", headers={"Accept": "text/html"}, trust_env=False, timeout=60).text
    assert '"values": [2.0, 1.0, 3.0]' in page


def plots(api: httpx.Client, over: str | None) -> Any:
    return api.get("/assets/stats/plots", params={"over": over} if over else {}).json()["items"]


def test_json_metadata_is_a_tree(api: httpx.Client, server: Running) -> None:
    deep: Any = "<end>"
    for _ in range(12):
        deep = {"in": [deep, None, True, 2.5]}
    report(api, "carriers", metadata={"plan": deep, "none": {}})
    page = httpx.get(f"{server.url}/assets/carriers", headers={"Accept": "text/html"}, trust_env=False, timeout=60).text
    assert page.count('class="tree"') > 5
    assert "&lt;end&gt;" in page
    assert "<end>" not in page
