"""Backfills over REST: what is taken, what each mistake is told, and what becomes of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from tests import build
from tests.integration.webserver import places
from tests.integration.webserver.conftest import Running, problems, publish

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.backfills import Backfills
from dagwright_shared.model.events import RunFailed, RunSucceeded
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.partitions import StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetSnapshot, BackfillPolicyData
from dagwright_shared.store import events, runs

pytestmark = pytest.mark.integration
JANUARY = {"start": "2013-01-01", "end": "2013-01-31"}
BOTH = {"assets": ["raw/flights", "stats"], "partitions": JANUARY}


def limit(number: int) -> dict[str, Any]:
    return {"ops": {"carriers": {"config": {"limit": number}}}}


def tick(store: Engine) -> None:
    loop = Backfills(store, Catalog())
    while loop.tick(Turn(now=datetime.now(UTC))).done:
        pass


def end(store: Engine, count: int, payload: Any) -> None:
    with store.begin() as conn:
        for run in runs.claim(conn, limit=count, lease_seconds=60):
            events.append(conn, [build.batch(run, [build.planned("step"), payload])])
        conn.execute(text("UPDATE runs SET retried = true WHERE status = 'FAILURE'"))


def test_from_launch_to_end(api: httpx.Client, store: Engine) -> None:
    answer = api.post("/backfills", json={**BOTH, "title": "January", "tags": {"team": "x"}})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert list(made) == ["backfill_id", "status", "url"]
    assert made["status"] == "REQUESTED"
    assert made["url"].endswith(f"/backfills/{made['backfill_id']}")
    url = f"/backfills/{made['backfill_id']}"
    assert answer.headers["location"] == f"/api/v1{url}"
    tick(store)
    found = api.get(url).json()
    numbers = {
        name: found[name] for name in ("status", "targeted", "enqueued", "in_progress", "succeeded", "failed", "canceled", "skipped")
    }
    assert numbers == {
        "status": "IN_PROGRESS", "targeted": 62, "enqueued": 62, "in_progress": 62,
        "succeeded": 0, "failed": 0, "canceled": 0, "skipped": 0,
    }  # fmt: skip
    assert found["title"] == "January"
    assert [part["name"] for part in found["parts"]] == ["raw/flights", "stats"]
    assert found["runs"]["QUEUED"] == 31
    listed = api.get("/runs", params={"backfill": made["backfill_id"], "limit": 100}).json()["items"]
    assert len(listed) == 31
    assert {run["trigger"] for run in listed} == {"backfill"}

    end(store, 30, RunSucceeded())
    end(store, 1, RunFailed(error=build.ERROR))
    tick(store)
    found = api.get(url).json()
    assert (found["status"], found["succeeded"], found["failed"]) == ("FAILED", 60, 2)
    assert found["can_resume"]
    again = api.post(f"{url}/retry").json()
    retry = api.get(f"/backfills/{again['backfill_id']}").json()
    assert (retry["targeted"], retry["parent_id"]) == (2, made["backfill_id"])
    assert api.get(url).json()["retried_by"] == [again["backfill_id"]]
    assert api.post(f"{url}/resume").json()["status"] == "REQUESTED"
    assert api.post(f"{url}/cancel").status_code == 202
    tick(store)
    assert api.get(url).json()["status"] == "CANCELED"
    assert api.post(f"{url}/retry").status_code == 201


def test_a_cancel_holds_from_its_answer_on(api: httpx.Client, store: Engine) -> None:
    url = f"/backfills/{api.post('/backfills', json=BOTH).json()['backfill_id']}"
    tick(store)
    assert api.post(f"{url}/cancel").json()["status"] == "CANCELING"
    [first, *_] = api.get("/runs", params={"status": "QUEUED"}).json()["items"]
    reasons = api.get(f"/runs/{first['run_id']}/waiting").json()["reasons"]
    assert [reason["kind"] for reason in reasons if reason["kind"] != "daemon"] == ["backfill"]
    with store.begin() as conn:
        assert not runs.claim(conn, limit=50, lease_seconds=60)
    assert api.post(f"{url}/cancel").json()["status"] == "CANCELING"
    tick(store)
    found = api.get(url).json()
    assert (found["status"], found["canceled"], found["runs"]["CANCELED"]) == ("CANCELED", 62, 31)
    assert api.post(f"{url}/cancel").json()["status"] == "CANCELED"


def test_job(api: httpx.Client, store: Engine) -> None:
    made = api.post("/backfills", json={"job": "day", "partitions": ["2013-01-02", "2013-03-01"]}).json()
    tick(store)
    found = api.get(f"/backfills/{made['backfill_id']}").json()
    assert (found["job"], found["targeted"], found["parts"][0]["name"]) == ("day", 2, "day")
    runs_of = api.get("/runs", params={"backfill": made["backfill_id"]}).json()["items"]
    assert sorted(run["partition"] for run in runs_of) == ["2013-01-02", "2013-03-01"]


def test_preview(api: httpx.Client, store: Engine) -> None:
    found = api.post("/backfills/preview", json=BOTH).json()
    assert (found["targeted"], found["runs"], found["waves"], found["complete"]) == (62, 31, 1, True)
    assert found["parts"][0] == {
        "name": "raw/flights", "partitions": 31, "runs": 31, "first": [f"2013-01-{day:02}" for day in range(1, 11)],
    }  # fmt: skip
    assert found["first"][0] == {"assets": ["raw/flights", "stats"], "partition": "2013-01-01", "partition_end": None}
    assert len(found["first"]) == 20
    assert not api.get("/backfills").json()["items"]
    everything = api.post("/backfills/preview", json={"assets": ["raw/flights", "colours"], "partitions": "all"}).json()
    assert everything["targeted"] == 365 + 2


def test_assets_of_several_locations(server: Running, api: httpx.Client, store: Engine) -> None:
    body = {"assets": ["stats", "elsewhere"], "partitions": JANUARY}
    assert api.post("/backfills/preview", json=body).json()["runs"] == 32
    url = f"/backfills/{api.post('/backfills', json=body).json()['backfill_id']}"
    tick(store)
    found = api.get(url).json()
    assert (found["location"], found["locations"], found["targeted"]) == ("flights", ["flights", "twin"], 32)
    listed = api.get("/runs", params={"backfill": found["backfill_id"], "limit": 100}).json()["items"]
    assert {(run["location"], *run["assets"]) for run in listed} == {("flights", "stats"), ("twin", "elsewhere")}
    with httpx.Client(base_url=server.url, headers={"Accept": "text/html"}, trust_env=False, timeout=60) as browser:
        assert "2 assets of flights, twin" in browser.get(url).text
    api.post(f"{url}/cancel")
    tick(store)
    again = api.get(f"/backfills/{api.post(f'{url}/retry').json()['backfill_id']}").json()
    assert (again["locations"], again["targeted"]) == (["flights", "twin"], 32)
    assert "of several locations (flights, twin)" in problems(api.post("/backfills", json={**body, "config": {}}))["config"]["message"]
    publish_without(store, "twin", "elsewhere")
    assert "elsewhere no longer defined in flights, twin" in api.post(f"{url}/retry").json()["detail"]


def publish_without(store: Engine, location: str, asset: str) -> None:
    changed(store, location, lambda found: None if found.key.to_user_string() == asset else found)


def changed(store: Engine, location: str, change: Callable[[AssetSnapshot], AssetSnapshot | None]) -> None:
    """Publish a location with some of its assets changed."""
    snapshot = {"flights": places.flights, "twin": places.twin}[location]()
    kept = tuple(found for found in map(change, snapshot.assets) if found is not None)
    publish(store, dataclasses.replace(snapshot, assets=kept))


def test_a_retry_goes_by_keys_where_partitions_were_defined_anew(api: httpx.Client, store: Engine) -> None:
    made = api.post("/backfills", json={"assets": ["colours"], "partitions": "all"}).json()
    tick(store)

    def become(*keys: str) -> None:
        anew = StaticPartitions(keys=keys)
        changed(
            store,
            "flights",
            lambda found: dataclasses.replace(found, partitions=anew) if found.key.to_user_string() == "colours" else found,
        )

    become("blue", "green", "red")
    tick(store)
    end(store, 2, RunFailed(error=build.ERROR))
    tick(store)
    url = f"/backfills/{made['backfill_id']}"
    found = api.get(url).json()
    assert (found["status"], found["failed"]) == ("FAILED", 2)
    assert "the partitions of asset 'colours' were defined anew" in found["error"]["message"]
    again = api.post(f"{url}/retry").json()["backfill_id"]
    tick(store)
    asked = api.get("/runs", params={"backfill": again}).json()["items"]
    assert sorted(run["partition"] for run in asked) == ["green", "red"]
    become("blue", "green")
    smaller = api.post(f"{url}/retry").json()["backfill_id"]
    assert api.get(f"/backfills/{smaller}").json()["targeted"] == 1
    become("blue")
    assert "None of the partitions" in api.post(f"{url}/retry").json()["detail"]


def test_a_million_partitions_by_a_range(api: httpx.Client, store: Engine) -> None:
    start = datetime(2022, 1, 1, tzinfo=UTC)
    minutes = TimeWindowPartitions(cron="* * * * *", format="%Y-%m-%d-%H:%M", start=start, end=start + timedelta(minutes=1_000_000))
    policy = BackfillPolicyData(max_partitions_per_run=250_000)
    read = AssetSnapshot(key=AssetKey("read"), op_name="read", partitions=minutes, backfill=policy)
    below = dataclasses.replace(read, key=AssetKey("below"), op_name="below", deps=(AssetDepSnapshot(key=read.key),))
    publish(store, dataclasses.replace(places.twin(), assets=(read, below)))
    wanted = {"start": "2022-01-01-00:01", "end": "2023-11-26-10:39"}
    url = f"/backfills/{api.post('/backfills', json={'assets': ['read', 'below'], 'partitions': wanted}).json()['backfill_id']}"
    tick(store)
    found = api.get(url).json()
    assert (found["targeted"], found["enqueued"], found["runs"]["QUEUED"]) == (2 * 999_999, 2 * 999_999, 4)
    assert api.get("/assets/below/partitions").json()["counts"]["MATERIALIZING"] == 999_999
    end(store, 4, RunSucceeded())
    tick(store)
    assert api.get(url).json()["status"] == "COMPLETED"


def test_two_backfills_of_the_same_partitions(api: httpx.Client, store: Engine) -> None:
    ids = [api.post("/backfills", json=BOTH).json()["backfill_id"] for _ in range(2)]
    tick(store)
    end(store, 62, RunSucceeded())
    tick(store)
    found = [api.get(f"/backfills/{backfill_id}").json() for backfill_id in ids]
    assert [(each["status"], each["runs"]["SUCCESS"]) for each in found] == [("COMPLETED", 31)] * 2
    assert len(api.get("/runs", params={"limit": 1000}).json()["items"]) == 62


def test_one_key_of_requests_that_come_at_once(api: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.post("/backfills", json=BOTH, headers={"Idempotency-Key": "same"}), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["backfill_id"] for answer in answers}) == len(api.get("/backfills").json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "path", "suggestion"),
    [
        ({"job": "dya", "partitions": "all"}, "job", "day"),
        ({"job": "etl", "partitions": "all"}, "job", None),
        ({"assets": ["statz"], "partitions": "all"}, "assets[0]", "stats"),
        ({"assets": ["stats"], "job": "day", "partitions": "all"}, "assets", None),
        ({"partitions": "all"}, "job", None),
        ({"assets": ["stats"]}, "partitions", None),
        ({"assets": ["stats"], "partitions": []}, "partitions", None),
        ({"assets": ["stats"], "partitions": 7}, "partitions", None),
        ({"assets": ["stats"], "partitions": "some"}, "partitions", None),
        ({"assets": ["stats"], "partitions": {"start": "2013-12-02"}}, "partitions.end", None),
        ({"assets": ["stats"], "partitions": ["2013-12-31", "2013-12-3"]}, "partitions[1]", "2013-12-31"),
        ({"assets": ["stats"], "partitions": {"start": "2013-12-01", "end": "2013-12-41"}}, "partitions.end", "2013-12-31"),
        ({"assets": ["stats"], "partitions": {"start": "2013-12-02", "end": "2013-12-01"}}, "partitions.end", None),
        ({"assets": ["stats", "colours"], "partitions": ["red"]}, "partitions", None),
        ({"assets": ["carriers"], "partitions": ["red"], "config": limit(1)}, "partitions", None),
        ({"assets": ["carriers"], "partitions": "all", "config": limit(0)}, "config.ops.carriers.config.limit", None),
        ({"assets": ["stats"], "partitions": "all", "failed_only": True}, "partitions", None),
        ({"job": "day", "partitions": "all", "missing_only": True}, "missing_only", None),
        ({"assets": ["stats"], "partitions": "all", "tagz": {}}, "tagz", "tags"),
    ],
)  # fmt: skip
def test_mistakes(api: httpx.Client, body: dict[str, Any], path: str, suggestion: str | None) -> None:
    found = problems(api.post("/backfills", json=body))
    assert path in found, found
    assert found[path]["suggestion"] == suggestion
    assert path in problems(api.post("/backfills/preview", json=body))


def test_only_what_is_missing(api: httpx.Client, store: Engine) -> None:
    with store.begin() as conn:
        conn.execute(
            text("""INSERT INTO asset_partitions (asset_id, partition, materialized_at, failed_at)
                SELECT a.asset_id, ARRAY[to_char(timestamp '2013-01-01' + make_interval(days => n), 'YYYY-MM-DD')], now(),
                    CASE WHEN n = 3 THEN now() + interval '1 s' END
                FROM assets a, generate_series(0, 299) n WHERE a.key = 'stats'""")
        )
    body = {"assets": ["stats"], "missing_only": True}
    assert api.post("/backfills/preview", json=body).json()["targeted"] == 66
    assert api.post("/backfills/preview", json={"assets": ["stats"], "failed_only": True}).json()["targeted"] == 1
    found = api.get("/assets/stats/partitions").json()
    assert found["counts"] == {"MATERIALIZED": 299, "FAILED": 1, "MATERIALIZING": 0, "MISSING": 65}
    assert [(each["first"], each["count"], each["status"]) for each in found["ranges"]] == [
        ("2013-01-01", 3, "MATERIALIZED"),
        ("2013-01-04", 1, "FAILED"),
        ("2013-01-05", 296, "MATERIALIZED"),
        ("2013-10-28", 65, "MISSING"),
    ]
    # What has changed since is seen at the next look.
    with store.begin() as conn:
        conn.execute(text("UPDATE asset_partitions SET failed_at = NULL, xid = pg_current_xact_id() WHERE failed_at IS NOT NULL"))
    api.post("/backfills", json={"assets": ["stats"], "partitions": ["2013-12-30"]})
    tick(store)
    counts = api.get("/assets/stats/partitions").json()["counts"]
    assert counts == {"MATERIALIZED": 300, "FAILED": 0, "MATERIALIZING": 1, "MISSING": 64}


def test_idempotency_and_lists(api: httpx.Client) -> None:
    answers = [api.post("/backfills", json=BOTH, headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    other = problems(api.post("/backfills", json={**BOTH, "title": "x"}, headers={"Idempotency-Key": "k"}))
    assert "Idempotency-Key" in other
    for _ in range(2):
        api.post("/backfills", json=BOTH)
    page = api.get("/backfills", params={"limit": 2}).json()
    rest = api.get("/backfills", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    ids = [item["backfill_id"] for item in page["items"] + rest["items"]]
    assert len(set(ids)) == 3
    assert rest["next_cursor"] is None
    assert not api.get("/backfills", params={"status": "FAILED"}).json()["items"]


def test_what_is_not_there(api: httpx.Client) -> None:
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/resume"), ("POST", "/retry")):
        for backfill_id in ("00000000-0000-7000-8000-000000000001", "nonsense"):
            assert api.request(method, f"/backfills/{backfill_id}{path}").status_code == 404
    made = api.post("/backfills", json=BOTH).json()["backfill_id"]
    assert api.post(f"/backfills/{made}/retry").status_code == 409
    assert api.post(f"/backfills/{made}/resume").status_code == 409


def test_pages(server: Running, api: httpx.Client, store: Engine) -> None:
    made = api.post("/backfills", json={**BOTH, "title": "January <&>", "description": "All *days*"}).json()["backfill_id"]
    tick(store)
    end(store, 2, RunSucceeded())
    end(store, 1, RunFailed(error=build.ERROR))
    tick(store)
    with httpx.Client(base_url=server.url, headers={"Accept": "text/html"}, trust_env=False, timeout=60) as browser:
        page = browser.get(f"/backfills/{made}").text
        assert "January &lt;&amp;&gt;" in page
        assert "4 of 62 partitions made" in page
        assert 'aria-label="Progress of raw/flights"' in page
        assert f'data-post="/api/v1/backfills/{made}/cancel"' in page
        assert browser.get(f"/backfills/{made}", params={"_part": "backfill_head"}).text.startswith('<div class="stack" id="backfill_head"')
        assert f"/backfills/{made}" in browser.get("/backfills").text
        assert f"/backfills/{made}" in browser.get("/runs").text
        for path in ("/assets/stats", "/jobs/day"):
            assert "data-open-backfill" in browser.get(path).text
        assert "data-open-backfill" not in browser.get("/jobs/etl").text
        api.post(f"/backfills/{made}/cancel")
        tick(store)
        assert f'data-post="/api/v1/backfills/{made}/resume"' in browser.get(f"/backfills/{made}").text
        assert browser.get("/backfills/nonsense").status_code == 404
