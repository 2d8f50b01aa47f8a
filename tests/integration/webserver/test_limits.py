"""Why runs wait, pools and limits: by REST and on the pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from tests import build
from tests.integration.webserver.conftest import Running, problems

from dagwright_shared.model.events import RunStarted, RunSucceeded, StepStarted, StepSucceeded, Usage
from dagwright_shared.model.keys import Digest, LocationName, RunId, StepKey, new_run_id
from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import NewRun, Run, Trigger, TriggerKind
from dagwright_shared.model.snapshot import LocationState, LocationStatus
from dagwright_shared.store import events, leases, locations, pools, runs
from dagwright_shared.store.pools import SlotClaim

FLIGHTS = LocationName("flights")
USAGE = Usage(cpu_seconds=0.0, peak_memory_bytes=0)


@pytest.fixture
def alive(store: Engine) -> Engine:
    """With a code server and a daemon."""
    status = LocationStatus(location=FLIGHTS, server_id="s", state=LocationState.LOADED, digest=Digest("d"))
    with store.begin() as conn:
        locations.register_server(conn, status, address="127.0.0.1:1")
        leases.heartbeat_daemon(conn, daemon_id="d", host="h", pid=1)
        # For as long as the test may take.
        conn.execute(text("UPDATE code_servers SET heartbeat_at = now() + interval '1 hour'"))
        conn.execute(text("UPDATE daemons SET heartbeat_at = now() + interval '1 hour'"))
    return store


def queued(engine: Engine, **values: Any) -> RunId:
    new = NewRun(**{"run_id": new_run_id(), "location": FLIGHTS, "digest": Digest("d"), "job_name": "ping", **values})
    with engine.begin() as conn:
        runs.enqueue(conn, [new])
    return new.run_id


def started(engine: Engine, run_id: RunId, *steps: str) -> Run:
    with engine.begin() as conn:
        (run,) = runs.claim(conn, limit=1, lease_seconds=60, run_ids=[run_id])
        payloads: list[Any] = [RunStarted(pid=1, host="h", executor="e", steps=())]
        payloads += [(step, StepStarted(attempt=1, pid=1)) for step in steps]
        events.append(conn, [build.batch(run, payloads)])
    return run


def ask(engine: Engine, run: Run, step: str, pool: str = "db") -> bool:
    claim = SlotClaim(run_id=run.run_id, epoch=run.epoch, step_key=StepKey(step), attempt=1, pool=pool)
    with engine.begin() as conn:
        return bool(pools.ask(conn, [claim], Limits()))


def why(api: httpx.Client, run_id: RunId) -> dict[str, Any]:
    answer = api.get(f"/runs/{run_id}/waiting")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def kinds(found: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(reason["kind"], [holder["run_id"] for holder in reason["holders"]]) for reason in found["reasons"]]


def test_a_run_waits_for_each_kind_of_limit(alive: Engine, api: httpx.Client) -> None:
    limits = {
        "max_concurrent_runs": 3,
        "tag_concurrency_limits": [{"key": "db", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}],
        "location_limits": {"flights": 2},
    }
    assert api.patch("/limits", json=limits).status_code == 200
    first = started(alive, queued(alive, tags={"db": "big"})).run_id
    waits = queued(alive, tags={"db": "big"})
    found = why(api, waits)
    assert (found["status"], found["waiting"], found["position"]) == ("QUEUED", True, 0)
    assert kinds(found) == [("tag_limit", [first])]
    assert found["reasons"][0]["name"] == "db=big"
    assert found["reasons"][0]["holders"][0]["since"] is not None
    second = started(alive, queued(alive)).run_id
    assert kinds(why(api, waits)) == [("location_limit", [first, second]), ("tag_limit", [first])]
    third = queued(alive, trigger=Trigger(kind=TriggerKind.BACKFILL), location=LocationName("twin"))
    assert kinds(why(api, third)) == [("location", [])]
    assert api.patch("/limits", json={"max_concurrent_runs": 2, "location_limits": {}}).status_code == 200
    assert kinds(why(api, waits))[0] == ("limit", [first, second])
    assert why(api, third)["position"] == 1


def test_a_run_that_is_about_to_start_and_one_without_a_daemon(store: Engine, api: httpx.Client, alive: Engine) -> None:
    run_id = queued(alive)
    assert kinds(why(api, run_id)) == [("turn", [])]
    with alive.begin() as conn:
        conn.execute(text("DELETE FROM daemons"))
    found = why(api, run_id)
    assert kinds(found) == [("daemon", [])]
    assert "dagwright daemon" in found["message"]
    problem = api.get(f"/runs/{new_run_id()}/waiting")
    assert problem.status_code == 404


def test_a_step_waits_for_a_slot(alive: Engine, api: httpx.Client, server: Running) -> None:
    assert api.put("/pools/db", json={"slots": 1}).json()["slots"] == 1
    holder, waiter = started(alive, queued(alive), "load"), started(alive, queued(alive))
    assert ask(alive, holder, "load")
    assert not ask(alive, waiter, "load")
    assert not ask(alive, waiter, "clean")
    found = why(api, waiter.run_id)
    assert (found["waiting"], found["position"], found["reasons"]) == (True, None, [])
    assert "2 steps wait for slots of pool 'db'" in found["message"]
    step = next(each for each in found["steps"] if each["step_key"] == "clean")
    assert (step["pool"], step["position"]) == ("db", 1)
    assert [(each["run_id"], each["step_key"]) for each in step["reason"]["holders"]] == [(holder.run_id, "load")]
    (pool,) = api.get("/pools").json()["items"]
    assert (pool["used"], pool["waiting"], len(pool["holders"]), len(pool["waiters"])) == (1, 2, 1, 2)
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as browser:
        assert "All slots of pool &#39;db&#39; are in use" in browser.get(f"/runs/{waiter.run_id}").text
        assert 'data-send="PUT /api/v1/pools/{name}"' in browser.get("/deployment").text
    with alive.begin() as conn:
        events.append(conn, [build.batch(holder, [("load", StepSucceeded(attempt=1, usage=USAGE)), RunSucceeded()], first=3)])
        assert [slot.acquired_at for slot in pools.slots(conn, ["db"])] == [None, None]
        assert pools.grant(conn, ["db"], Limits()) == 1
    assert why(api, holder.run_id)["waiting"] is False


def test_pools_by_whole_runs(alive: Engine, api: httpx.Client) -> None:
    assert api.patch("/limits", json={"pool_granularity": "run", "default_pool_slots": 1}).json()["pool_granularity"] == "run"
    with alive.begin() as conn:
        holder = build.claimed(conn)
        pools.hold(conn, {(holder.run_id, holder.epoch): ["db"]})
    (pool,) = api.get("/pools").json()["items"]
    assert (pool["slots"], pool["used"], pool["defined"], pool["holders"][0]["step_key"]) == (1, 1, False, None)


def test_a_queued_run_says_why_in_the_list(alive: Engine, api: httpx.Client, server: Running) -> None:
    assert api.patch("/limits", json={"max_concurrent_runs": 0}).status_code == 200
    queued(alive)
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as browser:
        assert "0 runs are active, and at most 0 may be" in browser.get("/runs").text
        assert "0 runs are active, and at most 0 may be" in browser.get(f"/runs/{queued(alive)}").text


def test_pools_are_set_and_forgotten(api: httpx.Client) -> None:
    assert api.get("/pools").json() == {"items": [], "next_cursor": None}
    name = "a b/c"
    assert api.put(f"/pools/{name}", json={"slots": 2}).status_code == 200
    assert api.get(f"/pools/{name}").json()["slots"] == 2
    assert api.delete(f"/pools/{name}").status_code == 204
    assert api.delete(f"/pools/{name}").status_code == 404
    assert api.get(f"/pools/{name}").status_code == 404


@pytest.mark.parametrize("body", [{"slots": -1}, {"slots": "2"}, {"slots": 2**31}, {}, {"slots": 1, "extra": 2}])
def test_slots_that_are_no_number(api: httpx.Client, body: dict[str, Any]) -> None:
    assert problems(api.put("/pools/db", json=body))


LIMITS: list[tuple[dict[str, Any], str]] = [
    ({"max_concurrent_runs": None}, "max_concurrent_runs"),
    ({"max_concurrent_runs": -1}, "max_concurrent_runs"),
    ({"pool_granularity": "job"}, "pool_granularity"),
    ({"location_limits": {"a": -1}}, "location_limits.a"),
    ({"tag_concurrency_limits": [{"key": "a"}]}, "tag_concurrency_limits[0].limit"),
    ({"tag_concurrency_limits": [{"key": "a", "limit": 1, "value": {"each": True}}]}, "tag_concurrency_limits[0].value"),
    ({"tag_concurrency_limits": [{"key": "", "limit": 1, "other": 1}]}, "tag_concurrency_limits[0].other"),
    ({"max_runs": 1}, "max_runs"),
]


@pytest.mark.parametrize(("body", "path"), LIMITS)
def test_limits_that_do_not_fit(api: httpx.Client, body: dict[str, Any], path: str) -> None:
    assert path in problems(api.patch("/limits", json=body))
    assert api.get("/limits").json()["changed"] == []


def test_limits_are_changed_and_reset(api: httpx.Client) -> None:
    before = api.get("/limits").json()
    assert (before["max_concurrent_runs"], before["background_runs"], before["changed"]) == (25, 20, [])
    changed = api.patch("/limits", json={"max_concurrent_runs": 10, "reserved_runs": 0}).json()
    assert (changed["background_runs"], changed["changed"]) == (10, ["max_concurrent_runs", "reserved_runs"])
    assert api.patch("/limits", json={"reserved_runs": None}).json()["background_runs"] == 8
    assert api.get("/instance").json()["limits"]["max_concurrent_runs"] == 10
    assert api.delete("/limits").json() == before
