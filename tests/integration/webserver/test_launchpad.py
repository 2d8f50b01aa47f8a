"""What the launchpad asks for: presets, and what a run would be before it is launched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.integration.webserver import people, places
from tests.integration.webserver.conftest import Running, problems, publish

from dagwright_shared.model import events as e
from dagwright_shared.model.keys import AssetKey, RunId, StepKey
from dagwright_shared.store import events, presets, runs

pytestmark = pytest.mark.integration
GOOD = {"ops": {"load": {"config": {"limit": 3}}}}


def succeed(api: httpx.Client, store: Engine, seconds: dict[str, float]) -> None:
    """A run of `etl` whose steps take so long, one after the other."""
    made = RunId(api.post("/runs", json={"job": "etl", "config": GOOD}).json()["run_id"])
    with store.begin() as conn:
        (run,) = runs.claim(conn, limit=1, lease_seconds=60)
        at, told = datetime.now(UTC), []

        def tell(payload: e.Payload, step: str | None = None) -> None:
            told.append(e.RunEvent(seq=len(told) + 1, time=at, step_key=StepKey(step) if step else None, payload=payload))

        tell(
            e.RunStarted(
                pid=1, host="h", executor="in_process", steps=tuple(e.PlannedStep(key=StepKey(key), op_name=key) for key in seconds)
            )
        )
        for step, length in seconds.items():
            tell(e.StepStarted(attempt=1, pid=1), step)
            at += timedelta(seconds=length)
            tell(e.StepSucceeded(attempt=1, usage=e.Usage(cpu_seconds=0.1, peak_memory_bytes=1)), step)
        tell(e.RunSucceeded())
        assert events.append(conn, [e.EventBatch(run_id=made, epoch=run.epoch, events=tuple(told))])[made] is not None


def preview(api: httpx.Client, body: dict[str, Any], code: bool = False) -> dict[str, Any]:
    answer = api.post("/runs/preview", json=body, params={"code": str(code).lower()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_preview_checks_as_a_launch_would(api: httpx.Client, store: Engine) -> None:
    found = preview(api, {"job": "etl", "config": {"ops": {"load": {"config": {"limit": "many"}}, "cleen": {}}}})
    assert not found["valid"]
    told = {each["path"]: each for each in found["problems"]}
    assert told["config.ops.load.config.limit"]["expected"] == "a whole number"
    assert told["config.ops.cleen"]["suggestion"] == "clean"
    assert preview(api, {"job": "etk"})["problems"][0]["suggestion"] == "etl"
    assert preview(api, {"job": "day", "partition": "2013-13-01"})["problems"][0]["path"] == "partition"
    assert preview(api, {"job": "etl", "config": GOOD}) == {
        "valid": True, "problems": [], "checked_by_code": False, "config": None, "prediction": None,
    }  # fmt: skip
    assert "nme" in problems(api.post("/runs/preview", json={"nme": "etl"}))
    with store.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM runs")).scalar_one() == 0


def test_the_code_is_asked_only_on_demand(api: httpx.Client) -> None:
    """Nobody serves the code here."""
    answer = api.post("/runs/preview?code=true", json={"job": "etl", "config": GOOD})
    assert (answer.status_code, "No code server of location 'flights'" in answer.text) == (503, True)
    assert not preview(api, {"job": "etl", "config": {}}, code=True)["valid"]  # what the schema refuses is not asked


def test_prediction_from_earlier_runs(api: httpx.Client, store: Engine) -> None:
    for length in (2.0, 4.0):
        succeed(api, store, {"load": length, "clean": 1.0})
    found = preview(api, {"job": "etl", "config": GOOD})["prediction"]
    assert (found["samples"], found["p50_seconds"]) == (2, pytest.approx(4.0))
    assert found["p90_seconds"] == pytest.approx(4.8)
    assert found["critical_path"] == ["load", "clean"]
    assert [(each["step"], each["p50_seconds"]) for each in found["steps"]] == [("load", pytest.approx(3.0)), ("clean", pytest.approx(1.0))]
    part = preview(api, {"job": "etl", "config": GOOD, "steps": ["clean"]})["prediction"]
    assert (part["p50_seconds"], part["critical_path"], part["unknown_steps"]) == (pytest.approx(1.0), ["clean"], [])
    assert preview(api, {"job": "ping", "location": "flights"})["prediction"] is None


def test_how_long_an_asset_takes(api: httpx.Client, store: Engine) -> None:
    assert api.get("/assets/carriers").json()["times"] is None
    for length in (2.0, 4.0):
        make(api, store, "carriers", length)
    found = api.get("/assets/carriers").json()["times"]
    assert (found["samples"], found["p50_seconds"], found["p90_seconds"]) == (2, pytest.approx(3.0), pytest.approx(3.8))


def make(api: httpx.Client, store: Engine, asset: str, seconds: float) -> None:
    """A run that makes an asset in so long a step."""
    body = {"assets": [asset], "config": {"ops": {asset: {"config": {"limit": 3}}}}}
    run_id = RunId(api.post("/runs", json=body).raise_for_status().json()["run_id"])
    at, key = datetime.now(UTC), AssetKey(asset)
    payloads: list[tuple[float, e.Payload]] = [
        (0.0, e.RunStarted(pid=1, host="h", executor="x", steps=(e.PlannedStep(key=StepKey(asset), op_name=asset, asset_keys=(key,)),))),
        (0.0, e.StepStarted(attempt=1, pid=1)),
        (seconds, e.AssetMaterialized(asset_key=key)),
        (seconds, e.StepSucceeded(attempt=1, usage=e.Usage(cpu_seconds=0.1, peak_memory_bytes=1))),
        (seconds, e.RunSucceeded()),
    ]
    told = tuple(
        e.RunEvent(seq=n + 1, time=at + timedelta(seconds=after), step_key=StepKey(asset) if 0 < n < 4 else None, payload=payload)
        for n, (after, payload) in enumerate(payloads)
    )
    with store.begin() as conn:
        (run,) = runs.claim(conn, limit=1, lease_seconds=60)
        assert events.append(conn, [e.EventBatch(run_id=run_id, epoch=run.epoch, events=told)])[run_id] is not None


def test_presets(api: httpx.Client) -> None:
    url = "/jobs/etl/presets"
    assert api.get(url).json() == {"items": [], "next_cursor": None}
    saved = api.put(f"{url}/small day", json={"config": GOOD, "tags": {"size": "s"}})
    assert saved.status_code == 200, saved.text
    assert saved.json() | {"updated_at": None} == {
        "name": "small day", "job": "etl", "location": "flights", "config": GOOD, "tags": {"size": "s"},
        "from_code": False, "updated_by": None, "updated_at": None,
    }  # fmt: skip
    api.put(f"{url}/small day", json={"config": {}})
    api.put(f"{url}/big", json={"config": GOOD})
    assert [(each["name"], each["config"]) for each in api.get(url).json()["items"]] == [("big", GOOD), ("small day", {})]
    assert api.get(f"{url}/big").json()["config"] == GOOD
    assert api.delete(f"{url}/big").status_code == 204
    assert api.delete(f"{url}/big").status_code == 404
    assert "small day" in api.get(f"{url}/smal day").text
    assert api.get("/jobs/etk/presets").status_code == 404


def test_presets_that_cannot_be_kept(api: httpx.Client, store: Engine) -> None:
    url = "/jobs/etl/presets"
    assert "name" in problems(api.put(f"{url}/default", json={"config": {}}))
    assert "config" in problems(api.put(f"{url}/x", json={"config": [1]}))
    assert "tags.a" in problems(api.put(f"{url}/x", json={"tags": {"a": "\u0000"}}))
    with store.begin() as conn:
        for n in range(presets.MOST):
            presets.save(conn, "flights", "etl", f"p{n}", config={}, tags={}, by=None)
    assert "200 presets" in problems(api.put(f"{url}/one more", json={}))["name"]["message"]
    assert api.put(f"{url}/p7", json={"config": GOOD}).status_code == 200


def test_who_may_not_launch_may_not_try(store: Engine, database_url: str) -> None:
    """A preview may run user code. A location that one does not see is not there."""
    publish(store, places.vault())
    with (
        Running(database_url=database_url, auth="local") as server,
        httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as client,
    ):
        headers = people.hire(store)

        def tried(name: str, place: str) -> httpx.Response:
            return client.post("/runs/preview", json={"job": "ping", "location": place}, headers=headers[name])

        assert tried("launcher", "vault").json()["valid"]
        assert tried("viewer", "vault").status_code == 403
        assert tried("launcher_here", "flights").json()["valid"]
        assert tried("launcher_here", "vault").status_code == 403
        assert "there is no location 'vault'" in tried("admin_here", "vault").text
