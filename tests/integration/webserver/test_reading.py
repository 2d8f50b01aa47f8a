"""What GET answers over a store with history: runs, events, output, assets, jobs, automation, the deployment."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.build import batch, log
from tests.integration.webserver.conftest import Running, problems

from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.events import (
    AssetFailed,
    AssetMaterialized,
    CheckEvaluated,
    EventBatch,
    LogChunk,
    LogStream,
    PlannedStep,
    RunFailed,
    RunStarted,
    RunSucceeded,
    StepFailed,
    StepStarted,
    StepSucceeded,
    Usage,
)
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName, RunId, StepKey
from dagwright_shared.model.metadata import normalize_metadata
from dagwright_shared.model.runs import Run
from dagwright_shared.model.snapshot import LocationState, LocationStatus
from dagwright_shared.model.ticks import InstigatorKind, TickStatus
from dagwright_shared.store import events, instigators, leases, locations, runs

pytestmark = pytest.mark.integration
RAW, STATS = AssetKey(["raw", "flights"]), AssetKey("stats")
USAGE = Usage(cpu_seconds=0.5, peak_memory_bytes=1_000_000)
ERROR = ErrorInfo(class_name="ValueError", message="first line\nsecond line")


def launch(api: httpx.Client, **body: Any) -> str:
    answer = api.post("/runs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run_id"])


def claim(store: Engine, run_id: str) -> Run:
    with store.begin() as conn:
        return next(run for run in runs.claim(conn, limit=1000, lease_seconds=60) if run.run_id == run_id)


def write(store: Engine, made: EventBatch) -> None:
    with store.begin() as conn:
        assert events.append(conn, [made])[made.run_id] is not None


def materialize(api: httpx.Client, store: Engine, partition: str, rows: int) -> Run:
    """A whole run of raw/flights and stats over one partition."""
    run = claim(store, launch(api, assets=["raw/flights", "stats"], partition=partition))
    steps = (
        PlannedStep(key=StepKey("raw__flights"), op_name="raw__flights", kind="asset", asset_keys=(RAW,)),
        PlannedStep(key=StepKey("stats"), op_name="stats", kind="asset", depends_on=(StepKey("raw__flights"),), asset_keys=(STATS,)),
    )
    metadata = normalize_metadata({"rows": rows, "ratio": rows / 3, "note": "hello"})
    check = CheckEvaluated(check_key=AssetCheckKey(STATS, "row_count"), passed=rows > 0, partition=(partition,), blocking=True)
    made = batch(
        run,
        [
            RunStarted(pid=7, host="here", executor="in_process", steps=steps),
            ("raw__flights", StepStarted(attempt=1, pid=7)),
            ("raw__flights", log("reading 100%")),
            ("raw__flights", AssetMaterialized(asset_key=RAW, partition=(partition,), metadata=metadata, code_version="1")),
            ("raw__flights", StepSucceeded(attempt=1, usage=USAGE)),
            ("stats", StepStarted(attempt=1, pid=7)),
            ("stats", AssetMaterialized(asset_key=STATS, partition=(partition,))),
            ("stats", check),
            ("stats", StepSucceeded(attempt=1, usage=USAGE)),
            RunSucceeded(),
        ],
        chunks=(
            LogChunk(step_key=StepKey("raw__flights"), attempt=1, stream=LogStream.STDOUT, offset=0, data="grüße\n".encode()),
            LogChunk(step_key=StepKey("raw__flights"), attempt=1, stream=LogStream.STDOUT, offset=8, data=b"second\n"),
        ),
    )
    write(store, made)
    return run


def fail(api: httpx.Client, store: Engine, partition: str) -> Run:
    run = claim(store, launch(api, assets=["raw/flights"], partition=partition))
    steps = (PlannedStep(key=StepKey("raw__flights"), op_name="raw__flights", kind="asset", asset_keys=(RAW,)),)
    made = batch(
        run,
        [
            RunStarted(pid=7, host="here", executor="in_process", steps=steps),
            ("raw__flights", StepStarted(attempt=1, pid=7)),
            ("raw__flights", StepFailed(attempt=1, error=ERROR, usage=USAGE)),
            ("raw__flights", AssetFailed(asset_key=RAW, partition=(partition,), reason="its step failed")),
            RunFailed(failed_steps=(StepKey("raw__flights"),), error=ERROR),
        ],
    )
    write(store, made)
    return run


def test_a_run_with_its_steps_events_and_output(api: httpx.Client, store: Engine) -> None:
    run = materialize(api, store, "2013-01-01", 5)
    found = api.get(f"/runs/{run.run_id}").json()
    assert found["status"] == "SUCCESS"
    assert [step["step_key"] for step in found["steps"]] == ["raw__flights", "stats"]
    assert found["steps"][0]["cpu_seconds"] == 0.5
    assert found["steps"][1]["depends_on"] == ["raw__flights"]
    assert found["step_counts"] == {"SUCCESS": 2}
    assert found["duration_seconds"] is not None

    everything = api.get(f"/runs/{run.run_id}/events").json()
    assert [event["seq"] for event in everything["items"]] == list(range(1, 11))
    assert everything["next_cursor"] is None
    assert everything["items"][3]["asset"] == "raw/flights"
    assert everything["items"][3]["data"]["metadata"]["rows"] == {"type": "int", "raw_value": 5}
    assert [e["seq"] for e in api.get(f"/runs/{run.run_id}/events", params={"after_seq": 8}).json()["items"]] == [9, 10]
    of_step = api.get(f"/runs/{run.run_id}/events", params={"step": "stats", "type": ["STEP_STARTED", "STEP_SUCCEEDED"]}).json()["items"]
    assert [event["seq"] for event in of_step] == [6, 9]
    assert [event["seq"] for event in api.get(f"/runs/{run.run_id}/events", params={"text": "100%"}).json()["items"]] == [3]
    seen: list[int] = []
    cursor = None
    while True:
        page = api.get(f"/runs/{run.run_id}/events", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [event["seq"] for event in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(range(1, 11))

    files = api.get(f"/runs/{run.run_id}/logs").json()["items"]
    assert files == [{"step_key": "raw__flights", "attempt": 1, "stream": "stdout", "size": 15, "truncated": False}]
    where = {"step": "raw__flights", "stream": "stdout"}
    assert api.get(f"/runs/{run.run_id}/logs", params=where).json()["text"] == "grüße\nsecond\n"
    # The third byte is the first half of a letter: it comes with the next piece.
    first = api.get(f"/runs/{run.run_id}/logs", params={**where, "limit": 3}).json()
    assert (first["text"], first["next_offset"]) == ("gr", 2)
    rest = api.get(f"/runs/{run.run_id}/logs", params={**where, "offset": 2}).json()
    assert (rest["text"], rest["next_offset"], rest["size"]) == ("üße\nsecond\n", 15, 15)
    raw = api.get(f"/runs/{run.run_id}/logs/raw", params=where)
    assert raw.content == "grüße\nsecond\n".encode()
    assert "attachment" in raw.headers["content-disposition"]
    assert api.get(f"/runs/{run.run_id}/logs", params={"step": "no such step"}).json()["text"] == ""


def test_events_of_a_bad_level_or_type(api: httpx.Client) -> None:
    run_id = launch(api, job="ping", location="flights")
    assert problems(api.get(f"/runs/{run_id}/events", params={"level": "WARN"}))["level"]["suggestion"] == "WARNING"
    assert problems(api.get(f"/runs/{run_id}/events", params={"type": "STEP_STRATED"}))["type[0]"]["suggestion"] == "STEP_STARTED"
    assert "after_seq" in problems(api.get(f"/runs/{run_id}/events", params={"after_seq": -1}))
    assert "limit" in problems(api.get(f"/runs/{run_id}/events", params={"limit": 1001}))


def test_pages_of_runs_meet(api: httpx.Client) -> None:
    made = [launch(api, job="ping", location="flights", tags={"n": str(n)}) for n in range(7)]
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        page = api.get("/runs", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [run["run_id"] for run in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == list(reversed(made))


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"status": "SUCCESS"}, 1),
        ({"status": ["SUCCESS", "FAILURE"]}, 2),
        ({"job": "ping"}, 1),
        ({"job": "no"}, 0),
        ({"asset": "raw/flights"}, 2),
        ({"asset": "stats"}, 1),
        ({"tag": "team=x"}, 1),
        ({"tag": ["team=x", "team=y"]}, 0),
        ({"location": "twin"}, 0),
        ({"partition": "2013-01-02"}, 1),
        ({"trigger": "api"}, 3),
        ({"trigger": "schedule"}, 0),
        ({"text": "flig"}, 2),
        ({"text": "%"}, 0),
        ({"created_after": "2100-01-01T00:00:00"}, 0),
        ({"created_before": "2100-01-01T00:00:00+01:00"}, 3),
    ],
)
def test_filters_of_runs(api: httpx.Client, store: Engine, wanted: dict[str, Any], count: int) -> None:
    materialize(api, store, "2013-01-01", 5)
    fail(api, store, "2013-01-02")
    launch(api, job="ping", location="flights", tags={"team": "x"})
    assert len(api.get("/runs", params=wanted).json()["items"]) == count


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("cursor=abc", "cursor"),
        ("cursor=%E2%98%83", "cursor"),
        ("cursor=WyJhc3NldHMiLCJhIiwiYiJd", "cursor"),
        ("cursor=WyJydW5zIiw5OTk5OTk5OTk5OTk5OTk5OTk5OTksIngiXQ", "cursor"),
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("status=DONE", "status[0]"),
        ("tag=a", "tag[0]"),
        ("created_after=yesterday", "created_after"),
    ],
)
def test_bad_queries(api: httpx.Client, query: str, path: str) -> None:
    assert path in problems(api.get(f"/runs?{query}"))


def test_what_does_not_exist(api: httpx.Client, server: Any) -> None:
    for path, near in {
        "/runs/0": None,
        "/runs/019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e": None,
        "/runs/019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e/events": None,
        "/runs/019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e/logs": None,
        "/runs/019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e/stream": None,
        "/assets/raw/flihgts": "raw/flights",
        "/assets/raw//x": None,
        "/assets/raw/flihgts/materializations": "raw/flights",
        "/assets/raw/flihgts/partitions": "raw/flights",
        "/lineage?around=statz": "stats",
        "/jobs/elt": "etl",
        "/schedules/nighty": "nightly",
        "/schedules/nighty/ticks": "nightly",
        "/sensors/wach": "watch",
        "/locations/flight": "flights",
        "/nothing": None,
    }.items():
        answer = api.get(path)
        problems(answer, 404)
        if near:
            assert near in answer.json()["detail"], path
    problems(api.delete("/runs"), 405)
    assert httpx.get(f"{server.url}/%00", trust_env=False, timeout=60).status_code == 400


def test_assets(api: httpx.Client, store: Engine) -> None:
    materialize(api, store, "2013-01-01", 5)
    materialize(api, store, "2013-01-02", 0)
    fail(api, store, "2013-01-03")
    materialize(api, store, "2013-01-05", 7)
    waiting = launch(api, assets=["raw/flights"], partition="2013-01-06")

    listed = api.get("/assets").json()
    by_key = {asset["key"]: asset for asset in listed["items"]}
    assert list(by_key) == sorted(by_key)
    assert listed["groups"] == ["default", "raw", "stats"]
    assert by_key["raw/flights"]["status"] == "MATERIALIZING"
    assert by_key["raw/flights"]["active_run_id"] == waiting
    assert (by_key["raw/flights"]["materialized_partitions"], by_key["raw/flights"]["failed_partitions"]) == (3, 1)
    assert by_key["stats"]["checks"] == {"total": 1, "passed": 1, "warned": 0, "failed": 0}
    assert by_key["outside"]["status"] == "EXTERNAL"
    assert by_key["left"]["status"] == "MISSING"
    api.post(f"/runs/{waiting}/cancel")
    assert [asset["key"] for asset in api.get("/assets", params={"status": "FAILED"}).json()["items"]] == ["raw/flights"]
    assert [asset["key"] for asset in api.get("/assets", params={"prefix": "raw"}).json()["items"]] == ["raw/flights"]
    assert [asset["key"] for asset in api.get("/assets", params={"kind": "duckdb"}).json()["items"]] == ["raw/flights"]
    first = api.get("/assets", params={"limit": 3}).json()
    second = api.get("/assets", params={"limit": 100, "cursor": first["next_cursor"]}).json()
    assert [asset["key"] for asset in first["items"] + second["items"]] == list(by_key)

    asset = api.get("/assets/raw/flights").json()
    assert asset["partitions"]["total"] == 365
    ranges = [(each["first"], each["count"], each["status"]) for each in asset["partitions"]["ranges"]]
    assert ranges == [
        ("2013-01-01", 2, "MATERIALIZED"), ("2013-01-03", 1, "FAILED"), ("2013-01-04", 1, "MISSING"),
        ("2013-01-05", 1, "MATERIALIZED"), ("2013-01-06", 360, "MISSING"),
    ]  # fmt: skip
    plots = {plot["label"]: plot for plot in asset["plots"]}
    assert set(plots) == {"rows", "ratio"}
    assert [(point["partition"], point["value"]) for point in plots["rows"]["points"]] == [
        ("2013-01-01", 5), ("2013-01-02", 0), ("2013-01-05", 7),
    ]  # fmt: skip
    assert asset["latest"]["partition"] == "2013-01-05"
    assert [link["key"] for link in asset["downstream"]] == ["stats"]
    assert asset["jobs"] == ["day"]
    stats = api.get("/assets/stats").json()
    assert [(check["name"], check["passed"]) for check in stats["checks"]] == [("row_count", True)]
    assert {link["key"] for link in stats["upstream"]} == {"raw/flights", "carriers"}

    seen: list[Any] = []
    cursor = None
    while True:
        page = api.get("/assets/raw/flights/materializations", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [(item["type"], item["partition"]) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [
        ("ASSET_MATERIALIZED", "2013-01-05"), ("ASSET_FAILED", "2013-01-03"), ("ASSET_MATERIALIZED", "2013-01-02"),
        ("ASSET_MATERIALIZED", "2013-01-01"),
    ]  # fmt: skip
    assert api.get("/assets/carriers/partitions").json() is None
    assert api.get("/assets/stats/partitions").json()["counts"]["MATERIALIZED"] == 3


def test_lineage(api: httpx.Client) -> None:
    whole = api.get("/lineage").json()
    assert {"upstream": "raw/flights", "downstream": "stats"} in whole["edges"]
    assert {node["key"]: node["layer"] for node in whole["nodes"]}["stats"] == 1
    around = api.get("/lineage", params={"around": "raw/flights", "depth": 1}).json()
    assert {node["key"] for node in around["nodes"]} == {"raw/flights", "stats"}
    group = api.get("/lineage", params={"group": "stats"}).json()
    assert {node["key"] for node in group["nodes"]} == {"raw/flights", "stats", "carriers"}


def test_statuses_in_the_lineage(api: httpx.Client) -> None:
    for params in ({}, {"around": "raw/flights", "depth": 1}, {"group": "stats"}, {"selection": "stats"}):
        nodes = api.get("/lineage", params=params).json()["nodes"]
        keys = api.get("/lineage/statuses", params=params).json()["keys"]
        assert {key: status for status, found in keys.items() for key in found} == {node["key"]: node["status"] for node in nodes}
    assert api.get("/lineage/statuses", params={"around": "nowhere"}).status_code == 404
    assert "selection" in problems(api.get("/lineage/statuses", params={"selection": "("}))


@pytest.mark.parametrize("path", ["/jobs", "/lineage", "/lineage/statuses"])
def test_what_one_has_already_is_not_sent_again(api: httpx.Client, store: Engine, path: str) -> None:
    first = api.get(path)
    tag = first.headers["etag"]
    assert (first.status_code, first.headers["cache-control"]) == (200, "private, no-cache")
    again = api.get(path, headers={"If-None-Match": f'"another", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    plain = api.get(path, headers={"If-None-Match": tag, "Accept-Encoding": "identity"})
    assert plain.status_code == 304
    assert api.head(path, headers={"If-None-Match": tag}).status_code == 304
    launch(api, job="day", partition="2013-01-01")
    changed = api.get(path, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()) == (200, api.get(path).json())
    assert changed.headers["etag"] != tag


def test_tags_of_what_can_be_edited_are_not_of_its_content(api: httpx.Client) -> None:
    limits = api.get("/limits")
    assert limits.headers["etag"] == limits.json()["etag"]
    assert api.get("/limits", headers={"If-None-Match": limits.headers["etag"]}).status_code == 200


def test_jobs(api: httpx.Client) -> None:
    run_id = launch(api, job="ping", location="twin")
    jobs = api.get("/jobs").json()["items"]
    assert [(job["name"], job["location"]) for job in jobs] == [
        ("day", "flights"),
        ("etl", "flights"),
        ("ping", "flights"),
        ("ping", "twin"),
    ]
    assert jobs[3]["latest_run"]["run_id"] == run_id
    assert jobs[2]["latest_run"] is None
    assert jobs[0]["schedules"] == ["nightly"]
    page = api.get("/jobs", params={"limit": 3}).json()
    assert [job["location"] for job in api.get("/jobs", params={"cursor": page["next_cursor"]}).json()["items"]] == ["twin"]
    job = api.get("/jobs/etl").json()
    assert [node["handle"] for node in job["nodes"]] == ["load", "clean"]
    assert job["edges"][0]["to_node"] == "clean"
    assert job["config_schema"]["properties"]["ops"]
    assert api.get("/jobs/day").json()["newest_partitions"][0] == "2013-12-31"


def test_who_answers_for_jobs_schedules_and_sensors(api: httpx.Client, server: Running) -> None:
    said = [api.get(path).json()["owners"] for path in ("/jobs/day", "/schedules/nightly", "/sensors/watch", "/jobs/ping")]
    assert said == [["anna@example.com", "team:data"], ["team:night"], ["team:watch"], []]
    shown = {
        "jobs/day": "anna@example.com, team:data",
        "automation/schedules/nightly": "team:night",
        "automation/sensors/watch": "team:watch",
    }
    for path, owners in shown.items():
        page = httpx.get(f"{server.url}/{path}", headers={"Accept": "text/html"}, trust_env=False, timeout=60)
        assert f"<dt>Owners</dt><dd>{owners}</dd>" in page.text, path


def test_schedules_and_sensors(api: httpx.Client, store: Engine) -> None:
    schedule = api.get("/schedules/nightly").json()
    assert schedule["running"] is False
    assert len(schedule["next_ticks"]) == 5
    assert schedule["next_ticks"][0].endswith(("T00:00:00.000000Z", "T01:00:00.000000Z"))
    started = api.post("/schedules/nightly/start").json()
    assert (started["running"], started["switched"]) == (True, True)
    assert started["running_since"] is not None
    assert api.post("/schedules/nightly/start").json()["running_since"] == started["running_since"]
    assert api.post("/schedules/nightly/stop").json()["running"] is False
    assert api.post("/sensors/watch/start").json()["running"] is True
    assert [sensor["name"] for sensor in api.get("/sensors").json()["items"]] == ["watch"]
    problems(api.post("/sensors/watsch/start"), 404)

    start = datetime(2026, 1, 1, tzinfo=UTC)
    with store.begin() as conn:
        which = instigators.get(conn, InstigatorKind.SCHEDULE, "nightly").instigator_id
        for day in range(3):
            tick = instigators.start_tick(conn, which, start + timedelta(days=day))
            assert tick is not None
            instigators.finish_tick(conn, tick, TickStatus.SKIPPED, skip_reason=f"day {day}", logs=("hello",))
    page = api.get("/schedules/nightly/ticks", params={"limit": 2}).json()
    assert [tick["skip_reason"] for tick in page["items"]] == ["day 2", "day 1"]
    rest = api.get("/schedules/nightly/ticks", params={"cursor": page["next_cursor"]}).json()
    assert [tick["skip_reason"] for tick in rest["items"]] == ["day 0"]
    assert [tick["skip_reason"] for tick in api.get("/schedules").json()["items"][0]["recent_ticks"]] == ["day 0", "day 1", "day 2"]
    assert api.get("/schedules/nightly/ticks", params={"status": "FAILURE"}).json()["items"] == []
    assert api.get("/sensors/watch/ticks").json()["items"] == []


def test_deployment_and_health(api: httpx.Client, store: Engine, server: Any) -> None:
    with store.begin() as conn:
        status = LocationStatus(location=LocationName("flights"), server_id="s1", state=LocationState.ERROR, error=ERROR)
        locations.register_server(conn, status, address="127.0.0.1:1")
        leases.heartbeat_daemon(conn, daemon_id="d1", host="here", pid=1, loops={})
        # For as long as the test may take.
        conn.execute(text("UPDATE code_servers SET heartbeat_at = now() + interval '1 hour'"))
        conn.execute(text("UPDATE daemons SET heartbeat_at = now() + interval '1 hour'"))
    listed = {location["name"]: location for location in api.get("/locations").json()["items"]}
    assert listed["twin"]["warnings"] == [{"message": "`x` cannot be", "at": "twin.py:7"}]
    assert listed["flights"]["warnings"] == []
    assert listed["flights"]["state"] == "error"
    assert listed["flights"]["error"]["message"].startswith("first line")
    assert listed["flights"]["assets"] == 7
    assert listed["flights"]["servers"][0]["alive"] is True
    assert listed["twin"]["alive"] is False
    instance = api.get("/instance").json()
    assert instance["daemons"][0]["alive"] is True
    assert any("first line" in problem for problem in instance["problems"])
    # Its code server says that it lives, and does not answer.
    problems(api.post("/locations/flights/reload"), 503)
    ready = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=60)
    assert ready.status_code == 200
    assert ready.json()["parts"]["locations"] == {"ok": True, "detail": "loaded: flights, twin; failing: flights (ValueError: first line)"}
    assert httpx.get(f"{server.url}/healthz", trust_env=False, timeout=60).json() == {"status": "ok"}
    launch(api, job="ping", location="twin")
    metrics = httpx.get(f"{server.url}/metrics", trust_env=False, timeout=60).text
    assert 'dagwright_runs{status="QUEUED"} 1.0' in metrics
    assert 'route="/api/v1/runs"' in metrics
    assert "dagwright_daemon_heartbeat_age_seconds" in metrics


def test_cancel_and_run_again(api: httpx.Client, store: Engine) -> None:
    waiting = launch(api, job="ping", location="flights")
    assert api.post(f"/runs/{waiting}/cancel").json() == {"run_id": waiting, "status": "CANCELED"}
    assert api.post(f"/runs/{waiting}/cancel").status_code == 202
    active = claim(store, launch(api, job="ping", location="flights")).run_id
    assert api.post(f"/runs/{active}/cancel").json()["status"] == "CANCELING"
    problems(api.post(f"/runs/{active}/re-execute"), 409)
    problems(api.post("/runs/0/cancel"), 404)

    good = materialize(api, store, "2013-01-01", 1).run_id
    problems(api.post(f"/runs/{good}/cancel"), 409)
    problems(api.post(f"/runs/{good}/re-execute", json={"strategy": "FROM_FAILURE"}), 409)
    assert "strategy" in problems(api.post(f"/runs/{good}/re-execute", json={"strategy": "SOME"}))
    whole = api.post(f"/runs/{good}/re-execute", json={"strategy": "ALL_STEPS"})
    assert whole.status_code == 201
    bad = fail(api, store, "2013-01-02").run_id
    again = api.get(f"/runs/{api.post(f'/runs/{bad}/re-execute').json()['run_id']}").json()
    assert (again["parent_run_id"], again["root_run_id"]) == (bad, bad)
    assert again["step_keys"] == ["raw__flights"]
    related = {run["run_id"]: run["relation"] for run in again["related"]}
    assert related == {bad: "parent"}
    problems(api.post("/runs/019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e/re-execute"), 404)


def test_a_run_of_what_is_gone_is_not_run_again(api: httpx.Client, store: Engine) -> None:
    run_id = launch(api, job="ping", location="flights")
    api.post(f"/runs/{run_id}/cancel")
    with store.begin() as conn:
        found = runs.get(conn, RunId(run_id))
        assert found is not None
        locations.remove(conn, "flights")
    problems(api.post(f"/runs/{run_id}/re-execute"), 409)
    assert dataclasses.asdict(found)["location"] == "flights"
