"""The overview: the timeline by jobs and groups, ticks to come, health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.integration.webserver.conftest import problems

pytestmark = pytest.mark.integration


def look(api: httpx.Client, **params: Any) -> dict[str, Any]:
    answer = api.get("/overview", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_lanes(api: httpx.Client, store: Engine) -> None:
    ping = api.post("/runs", json={"job": "ping", "location": "flights"}).json()["run_id"]
    api.post("/runs", json={"assets": ["raw/flights", "stats"], "partition": "2013-01-01"})
    found = look(api, hours=1)
    rows = {row["name"]: row for row in found["timeline"]["rows"]}
    assert [run["run_id"] for run in rows["ping"]["runs"]] == [ping]
    assert (rows["ping"]["job"], rows["ping"]["group"], rows["raw/flights and 1 more"]["job"]) == ("ping", None, None)
    groups = look(api, hours=1, by="group")["timeline"]["rows"]
    assert all(row["job"] is None and row["group"] == row["name"] for row in groups)
    assert sum(len(row["runs"]) for row in groups) == len(groups) >= 1  # the job makes no asset
    # A time before there was anything.
    until = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    early = look(api, hours=1, until=until)["timeline"]
    assert (early["rows"], early["complete"]) == ([], True)
    assert datetime.fromisoformat(early["end"]) - datetime.fromisoformat(early["start"]) == timedelta(hours=1)


def test_ticks_to_come_of_what_is_switched_on(api: httpx.Client, store: Engine) -> None:
    assert all(not row["ticks"] for row in look(api, hours=720)["timeline"]["rows"])
    assert api.post("/schedules/nightly/start", params={"location": "flights"}).status_code == 200
    view = look(api, hours=720)["timeline"]
    (row,) = [row for row in view["rows"] if row["ticks"]]
    assert (row["name"], row["job"], row["runs"]) == ("day", "day", [])
    assert 3 <= len(row["ticks"]) <= 4  # nightly, for 12 % of 720 hours
    assert all(view["now"] < tick["at"] <= view["end"] for tick in row["ticks"])


def test_how_all_fares(api: httpx.Client, store: Engine) -> None:
    api.post("/runs", json={"job": "ping", "location": "flights"})
    found = look(api)
    parts = {part["name"]: part for part in found["parts"]}
    assert (parts["Daemons"]["ok"], parts["Daemons"]["words"]) == (False, "none is running")
    assert "1 waiting" in parts["Queue"]["words"]
    assert parts["Database"]["words"].startswith("Postgres ")
    with store.begin() as conn:
        conn.execute(text("INSERT INTO assets (location, key) VALUES ('flights', 'fresh') ON CONFLICT DO NOTHING"))
        conn.execute(text("INSERT INTO freshness_states (asset_id, state, since) SELECT min(asset_id), 'FAIL', now() FROM assets"))
    assert look(api)["freshness"] == {"FAIL": 1}


def test_bad_requests(api: httpx.Client) -> None:
    assert "hours" in problems(api.get("/overview", params={"hours": 0}))
    assert "by" in problems(api.get("/overview", params={"by": "colour"}))
    assert "until" in problems(api.get("/overview", params={"until": "soon"}))
