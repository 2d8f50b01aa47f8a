"""Two runs side by side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver.conftest import problems

from dagwright_shared.model import events as e
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, RunId, StepKey
from dagwright_shared.model.metadata import normalize_metadata
from dagwright_shared.store import events, runs

pytestmark = pytest.mark.integration
ROWS = AssetKey(["rows"])


def write(api: httpx.Client, store: Engine, *, limit: int, seconds: float, rows: int, passed: bool, steps: tuple[str, ...]) -> str:
    body = {"job": "etl", "config": {"ops": {"load": {"config": {"limit": limit}}}}, "tags": {"limit": str(limit)}}
    run_id = RunId(api.post("/runs", json=body).json()["run_id"])
    at = datetime.now(UTC)
    told: list[tuple[str | None, e.Payload, float]] = [
        (None, e.RunStarted(pid=1, host="h", executor="x", steps=tuple(e.PlannedStep(key=StepKey(k), op_name=k) for k in steps)), 0.0)
    ]
    for key in steps:
        told.append((key, e.StepStarted(attempt=1, pid=1), 0.0))
        made = e.AssetMaterialized(
            asset_key=ROWS, metadata=normalize_metadata({"rows": rows, "note": "x"}), code_version=str(limit), data_version="d"
        )
        told.append((key, made, seconds))
        told.append((key, e.CheckEvaluated(check_key=AssetCheckKey(ROWS, "many"), passed=passed), seconds))
        told.append((key, e.StepSucceeded(attempt=1, usage=e.Usage(cpu_seconds=seconds / 2, peak_memory_bytes=1000)), seconds))
    told.append((None, e.RunSucceeded(), seconds))
    with store.begin() as conn:
        (run,) = runs.claim(conn, limit=1, lease_seconds=60, run_ids=[run_id])
        made_events = tuple(
            e.RunEvent(seq=n, time=at + timedelta(seconds=late), step_key=StepKey(step) if step else None, payload=payload)
            for n, (step, payload, late) in enumerate(told, 1)
        )
        events.append(conn, [e.EventBatch(run_id=run_id, epoch=run.epoch, events=made_events)])
    return run_id


def test_what_differs(api: httpx.Client, store: Engine) -> None:
    base = write(api, store, limit=1, seconds=2.0, rows=10, passed=True, steps=("load", "clean"))
    run = write(api, store, limit=2, seconds=3.5, rows=15, passed=False, steps=("load", "extra"))
    found: dict[str, Any] = api.get(f"/runs/{run}/compare/{base}").json()
    assert (found["base"]["run_id"], found["run"]["run_id"], found["same_definitions"]) == (base, run, True)
    assert found["config"] == [{"path": "ops.load.config.limit", "base": 1, "run": 2, "kind": "changed"}]
    assert [(each["path"], each["base"], each["run"]) for each in found["tags"] if each["path"] == "limit"] == [("limit", "1", "2")]
    steps = {step["step_key"]: step for step in found["steps"]}
    assert list(steps) == ["load", "extra", "clean"]
    assert steps["load"]["delta_seconds"] == 1.5
    assert (steps["extra"]["base"], steps["clean"]["run"], steps["clean"]["delta_seconds"]) == (None, None, None)
    (asset,) = found["assets"]
    assert (asset["asset"], asset["made_by"], asset["code_versions"], asset["data_versions"]) == ("rows", "both", ["1", "2"], ["d", "d"])
    assert {value["label"]: value["delta"] for value in asset["metadata"]} == {"rows": 5, "note": None}
    assert found["checks"] == [{"check": "rows:many", "base": True, "run": False}]
    back = api.get(f"/runs/{base}/compare/{run}").json()
    assert back["steps"][0]["delta_seconds"] == -1.5


def test_with_itself_nothing_differs(api: httpx.Client, store: Engine) -> None:
    run = write(api, store, limit=1, seconds=2.0, rows=10, passed=True, steps=("load",))
    found = api.get(f"/runs/{run}/compare/{run}").json()
    assert (found["config"], found["tags"], found["steps"][0]["delta_seconds"]) == ([], [], 0.0)


def test_a_run_that_is_not_there(api: httpx.Client) -> None:
    run = api.post("/runs", json={"job": "ping", "location": "flights"}).json()["run_id"]
    for one, other in ((run, "none"), ("none", run), (run, "00000000-0000-7000-8000-000000000001")):
        problems(api.get(f"/runs/{one}/compare/{other}"), 404)
