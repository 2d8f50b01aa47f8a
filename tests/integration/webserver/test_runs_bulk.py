"""Many runs at once, and lists of runs by every filter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.integration.webserver import people
from tests.integration.webserver.conftest import Running, problems

from dagwright_shared.model import events as e
from dagwright_shared.model.keys import RunId
from dagwright_shared.store import events, runs

pytestmark = pytest.mark.integration


def launch(api: httpx.Client, count: int = 1, **fields: Any) -> list[str]:
    return [api.post("/runs", json={"job": "ping", "location": "flights", **fields}).json()["run_id"] for _ in range(count)]


def end(store: Engine, run_id: str, how: e.Payload) -> None:
    with store.begin() as conn:
        (run,) = runs.claim(conn, limit=1, lease_seconds=60, run_ids=[RunId(run_id)])
        told = tuple(
            e.RunEvent(seq=n, time=datetime.now(UTC), step_key=None, payload=payload)
            for n, payload in enumerate((e.RunStarted(pid=1, host="h", executor="in_process", steps=()), how), 1)
        )
        events.append(conn, [e.EventBatch(run_id=run.run_id, epoch=run.epoch, events=told)])


def bulk(api: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = api.post("/runs/bulk", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def statuses(api: httpx.Client, ids: list[str]) -> list[str]:
    return [api.get(f"/runs/{run_id}").json()["status"] for run_id in ids]


def test_each_run_has_its_own_result(api: httpx.Client, store: Engine) -> None:
    waiting, over = launch(api), launch(api)[0]
    end(store, over, e.RunSucceeded())
    made = bulk(api, action="cancel", run_ids=[*waiting, over, "none", waiting[0]])
    assert (made["succeeded"], made["failed"], made["next_cursor"]) == (1, 2, None)
    done, conflict, missing = made["items"]
    assert (done["run_id"], done["ok"], done["status"]) == (waiting[0], True, "CANCELED")
    assert conflict["problem"] == "urn:dagwright:problem:conflict"
    assert "it has ended (SUCCESS)" in conflict["message"]
    assert missing["problem"] == "urn:dagwright:problem:not-found"
    assert statuses(api, [*waiting, over]) == ["CANCELED", "SUCCESS"]


def test_all_that_match(api: httpx.Client) -> None:
    ours, others = launch(api, 5, tags={"team": "ops"}), launch(api, 2)
    first = bulk(api, action="cancel", filter={"tag": ["team=ops"]}, limit=3)
    assert [item["run_id"] for item in first["items"]] == ours[:1:-1]
    rest = bulk(api, action="cancel", filter={"tag": ["team=ops"]}, limit=3, cursor=first["next_cursor"])
    assert (rest["succeeded"], rest["next_cursor"]) == (2, None)
    assert set(statuses(api, ours)) == {"CANCELED"}
    assert set(statuses(api, others)) == {"QUEUED"}
    # What has ended cannot be canceled, so a filter does not find it.
    assert bulk(api, action="cancel", filter={"status": ["CANCELED"]})["items"] == []
    assert bulk(api, action="cancel", filter={"tag": ["team=ops"]})["items"] == []


def test_again_and_gone(api: httpx.Client, store: Engine) -> None:
    failed, fine = launch(api)[0], launch(api)[0]
    end(store, failed, e.RunFailed())
    end(store, fine, e.RunSucceeded())
    (again,) = bulk(api, action="re-execute", filter={})["items"]  # from failure: the other one did not fail
    assert again["run_id"] == failed
    assert api.get(f"/runs/{again['new_run_id']}").json()["parent_run_id"] == failed
    both = bulk(api, action="re-execute", run_ids=[failed, fine], strategy="ALL_STEPS")
    assert both["succeeded"] == 2
    gone = bulk(api, action="delete", filter={"status": ["SUCCESS", "QUEUED"]})
    assert [item["run_id"] for item in gone["items"]] == [fine]
    problems(api.get(f"/runs/{fine}"), 404)


def test_a_request_that_is_sent_again_does_nothing_twice(api: httpx.Client, store: Engine) -> None:
    (failed,) = launch(api)
    end(store, failed, e.RunFailed())
    body = {"action": "re-execute", "run_ids": [failed]}
    first, second = (api.post("/runs/bulk", json=body, headers={"Idempotency-Key": "night shift"}).json() for _ in range(2))
    assert first["items"][0]["new_run_id"] == second["items"][0]["new_run_id"]
    assert len(api.get("/runs").json()["items"]) == 2


def test_bad_requests(api: httpx.Client) -> None:
    assert "run_ids" in problems(api.post("/runs/bulk", json={"action": "cancel"}))
    assert "run_ids" in problems(api.post("/runs/bulk", json={"action": "cancel", "run_ids": ["x"], "filter": {}}))
    problems(api.post("/runs/bulk", json={"action": "explode", "run_ids": ["x"]}))
    problems(api.post("/runs/bulk", json={"action": "cancel", "run_ids": []}))
    wrong = problems(api.post("/runs/bulk", json={"action": "cancel", "filter": {"jobs": "ping"}}))
    assert wrong["filter.jobs"]["message"].startswith("there is no field 'jobs'")
    assert "tag[0]" in problems(api.post("/runs/bulk", json={"action": "cancel", "filter": {"tag": ["team"]}}))
    problems(api.post("/runs/bulk", json={"action": "cancel", "filter": {}, "cursor": "nonsense"}))


@pytest.fixture
def staffed(store: Engine, database_url: str) -> Iterator[tuple[httpx.Client, dict[str, dict[str, str]]]]:
    with (
        Running(database_url=database_url, auth="local") as running,
        httpx.Client(base_url=f"{running.url}/api/v1", timeout=60, trust_env=False) as client,
    ):
        yield client, people.hire(store)


def test_a_role_at_one_location_is_none_at_another(store: Engine, staffed: tuple[httpx.Client, dict[str, dict[str, str]]]) -> None:
    api, people_of = staffed
    here = api.post("/runs", json={"job": "ping", "location": "flights"}, headers=people_of["admin"]).json()["run_id"]
    there = api.post("/runs", json={"job": "ping", "location": "twin"}, headers=people_of["admin"]).json()["run_id"]
    body = {"action": "cancel", "run_ids": [here, there]}
    mine, theirs = api.post("/runs/bulk", json=body, headers=people_of["launcher_here"]).json()["items"]
    assert (mine["ok"], theirs["problem"]) == (True, "urn:dagwright:problem:forbidden")
    gone = {"action": "delete", "run_ids": [here]}
    (refused,) = api.post("/runs/bulk", json=gone, headers=people_of["launcher"]).json()["items"]
    assert "takes the role editor" in refused["message"]
    assert api.post("/runs/bulk", json=gone, headers=people_of["editor"]).json()["succeeded"] == 1
    assert api.post("/runs/bulk", json=gone, headers=people_of["viewer"]).status_code == 403
    with store.connect() as conn:
        kept = conn.execute(text("SELECT actor, target, result FROM audit_log WHERE action = 'bulk' ORDER BY audit_id")).all()
    assert [tuple(map(str, row)) for row in kept[:4]] == [
        ("launcher_here", here, "done"), ("launcher_here", there, "refused"), ("launcher", here, "refused"), ("editor", here, "done"),
    ]  # fmt: skip


def test_filters_of_the_list(api: httpx.Client, store: Engine) -> None:
    failed, waiting = launch(api)[0], launch(api, tags={"team": "ops"})[0]
    end(store, failed, e.RunFailed())
    now = datetime.now(UTC)

    def found(**params: Any) -> list[str]:
        return [run["run_id"] for run in api.get("/runs", params=params).json()["items"]]

    assert found() == [waiting, failed]
    assert found(ended_after=(now - timedelta(minutes=5)).isoformat()) == [failed]
    assert found(ended_before=(now - timedelta(minutes=5)).isoformat()) == []
    assert found(status=["QUEUED", "FAILURE"]) == [waiting, failed]
    assert found(status="FAILURE", tag="team=ops") == []
    assert found(trigger="api", location="flights") == [waiting, failed]


def test_backfills_among_runs(api: httpx.Client, store: Engine) -> None:
    (before,) = launch(api)
    made = api.post("/backfills", json={"job": "day", "location": "flights", "partitions": ["2013-01-01", "2013-01-02"]})
    backfill = made.json()["backfill_id"]
    (after,) = launch(api)
    with store.begin() as conn:  # as the daemon's loop would
        conn.execute(
            text("UPDATE runs SET backfill_id = CAST(:b AS uuid), backfill_first = 0, backfill_last = 0 WHERE run_id = CAST(:r AS uuid)"),
            {"b": backfill, "r": before},
        )
    page = api.get("/runs", params={"grouped": True, "limit": 1}).json()
    assert ([run["run_id"] for run in page["items"]], page["backfills"]) == ([after], [])
    rest = api.get("/runs", params={"grouped": True, "cursor": page["next_cursor"]}).json()
    assert (rest["items"], [each["backfill_id"] for each in rest["backfills"]]) == ([], [backfill])
    assert [run["run_id"] for run in api.get("/runs").json()["items"]] == [after, before]
    assert api.get("/runs", params={"grouped": True, "status": "FAILURE"}).json()["backfills"] == []
    assert len(api.get("/runs", params={"grouped": True, "status": "QUEUED", "job": "day"}).json()["backfills"]) == 1
    assert api.get("/runs", params={"grouped": True, "text": before[:20]}).json()["backfills"] == []
